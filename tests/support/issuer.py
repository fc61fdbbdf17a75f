"""An issuer of tokens on this machine: it serves its discovery document and its keys by HTTPS."""

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from loopback import self_signed

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
AUDIENCE = "9a1b2c3d-4e5f-4061-8273-94a5b6c7d8e9"
ACCOUNT = "3f2b8c1e-5d7a-4e60-9b1c-2a4d6e8f0a1b"


class Issuer:
    """Signs tokens with the newest of its keys; `published` are the ids of those that it serves."""

    def __init__(self, folder: Path) -> None:
        self.certificate = self_signed(folder)
        self.keys: dict[str, RSAPrivateKey] = {}
        self.published: list[str] = []
        self.asked: list[str] = []
        self.stated: dict[str, str] = {}
        self.roll()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                told = issuer.discovery if self.path.endswith("openid-configuration") else issuer.jwks
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.place = f"https://localhost:{self.server.server_port}"
        self.name = f"{self.place}/{TENANT}/v2.0"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def discovery(self) -> dict[str, str]:
        return {"issuer": self.name, "jwks_uri": f"{self.place}/keys", **self.stated}

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._public(kid) for kid in self.published]}

    def roll(self) -> None:
        """Publish another key, and sign with it from now on."""
        kid = f"key-{len(self.keys)}"
        self.keys[kid] = generate_private_key(65537, 2048)
        self.published.append(kid)

    def claims(self, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        told = {
            "iss": self.name,
            "aud": AUDIENCE,
            "tid": TENANT,
            "oid": ACCOUNT,
            "iat": now,
            "auth_time": now,
            "nbf": now,
            "exp": now + 3600,
        }
        return {name: value for name, value in {**told, **other}.items() if value is not None}

    def token(self, key: Any = None, algorithm: str = "RS256", kid: str = "", **other: Any) -> str:
        newest = list(self.keys)[-1]
        return jwt.encode(self.claims(**other), key or self.keys[newest], algorithm, {"kid": kid or newest})

    def _public(self, kid: str) -> dict[str, Any]:
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(self.keys[kid].public_key(), as_dict=True)
        return {**shown, "kid": kid, "use": "sig"}
