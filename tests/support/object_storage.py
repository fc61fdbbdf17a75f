"""Object storage on this machine: S3 as far as moto has it, Azure's as far as Azurite has it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
import s3fs
from adlfs import AzureBlobFileSystem
from moto.server import ThreadedMotoServer


@contextmanager
def s3_here(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve it, empty, and let the environment lead there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        patch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    urlopen(f"http://127.0.0.1:{port}/moto-api/reset", data=b"").close()  # it remembers what the one before it had
    try:
        yield
    finally:
        server.stop()


def azure_here(patch: pytest.MonkeyPatch, connection: str) -> None:
    """Let the environment lead there."""
    patch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    AzureBlobFileSystem.clear_instance_cache()
