"""A stand-in for Azure Cosmos DB on this machine: the little of its REST API that a store of the trail uses.

It keeps what the service promises and the store is built on: an id is unique in its partition, an item is written whole
or not at all, and is replaced only if it is as it was read. It is a stand-in, no proof that the service does the same:
give the tests an emulator (``COSMOS_EMULATOR=127.0.0.1:8081``, for example cosmium) to try that.
"""

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

from loopback import self_signed

Item = dict[str, Any]


class Account:
    """Containers, by path, and the items of each, by partition and id."""

    def __init__(self) -> None:
        self.containers: dict[str, dict[tuple[str, str], Item]] = {}
        self._lock = threading.Lock()
        self._tags = count()

    def create(self, container: str, item: Item) -> tuple[int, Any]:
        """Add an item, unless its partition has one of that id."""
        with self._lock:
            items, place = self.containers[container], (item["block"], item["id"])
            if place in items:
                return 409, {"code": "Conflict", "message": "there is one of that id"}
            items[place] = {**item, "_etag": f'"{next(self._tags)}"'}
            return 201, items[place]

    def replace(self, container: str, item: Item, tag: str | None) -> tuple[int, Any]:
        """Put an item in the place of one, unless that was changed since it was read."""
        with self._lock:
            items, place = self.containers[container], (item["block"], item["id"])
            if tag and items[place]["_etag"] != tag:
                return 412, {"code": "PreconditionFailed", "message": "it was changed"}
            items[place] = {**item, "_etag": f'"{next(self._tags)}"'}
            return 200, items[place]

    def find(self, container: str, place: tuple[str, str]) -> tuple[int, Any]:
        """Read an item by partition and id."""
        with self._lock:
            item = self.containers[container].get(place)
        return (200, item) if item else (404, {"code": "NotFound"})

    def delete(self, container: str, place: tuple[str, str]) -> tuple[int, Any]:
        """Remove an item."""
        with self._lock:
            return (204, None) if self.containers[container].pop(place, None) else (404, {"code": "NotFound"})

    def ask(self, container: str, partition: str, sql: str, values: dict[str, Any]) -> list[Any]:
        """Answer a query: SELECT ... FROM c [JOIN e IN c.list] [WHERE ...] [ORDER BY c.field [DESC]]."""
        match = _QUERY.fullmatch(sql)
        assert match, f"not understood: {sql}"
        with self._lock:
            items = [item for (block, _), item in self.containers[container].items() if block == partition]
        if match["order"]:
            items.sort(key=lambda item: item[match["order"]], reverse=bool(match["down"]))
        holds = compile(_python(match["where"] or "true"), sql, "eval")
        rows = [{"c": item, match["name"]: it} for item in items for it in item.get(match["list"], [None])]
        found = [row for row in rows if eval(holds, {}, {"at": _reader(row), "given": values})]
        return [_projected(match["what"], row) for row in found[: int(match["top"] or len(found))]]


_QUERY = re.compile(
    r"SELECT (?:TOP (?P<top>\d+) )?(?P<what>.+?) FROM c(?: JOIN (?P<name>\w) IN c\.(?P<list>\w+))?"
    r"(?: WHERE (?P<where>.+?))?(?: ORDER BY c\.(?P<order>\w+)(?P<down> DESC)?)?"
)
_TOKEN = re.compile(
    r'(?P<given>@\w+)|(?P<path>\b[a-z](?:\.\w+|\["\w+"\])+)|(?P<word>AND|OR|IN|true)|(?P<equal>(?<![<>])=)'
)


class _Undefined:
    """What is not there: no comparison with it holds."""

    def __eq__(self, other: object) -> bool:
        return False

    __lt__ = __gt__ = __le__ = __ge__ = __eq__
    __hash__ = None  # type: ignore[assignment]


def _python(where: str) -> str:
    """Write a condition as Python does."""

    def token(found: re.Match[str]) -> str:
        if found["given"]:
            return f"given[{found['given'][1:]!r}]"
        if found["path"]:
            return f"at({re.findall(r'[a-z]+', found['path'])!r})"
        return "==" if found["equal"] else {"true": "True"}.get(found["word"], found["word"].lower())

    return re.sub(r"\b(in \([^)]*)\)", r"\1,)", _TOKEN.sub(token, where))


def _reader(row: dict[str, Any]) -> Callable[[list[str]], Any]:
    def read(path: list[str]) -> Any:
        value: Any = row
        for name in path:
            if not isinstance(value, dict) or name not in value:
                return _Undefined()
            value = value[name]
        return value

    return read


def _projected(what: str, row: dict[str, Any]) -> Any:
    read = _reader(row)
    if what == "*":
        return row["c"]
    if what.startswith("VALUE "):
        return read(what.removeprefix("VALUE ").split("."))
    return {path.rpartition(".")[2]: read(path.split(".")) for path in what.split(", ")}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20  # an answer in one piece
    account: Account

    def do_GET(self) -> None:
        address = f"https://127.0.0.1:{self.server.server_address[1]}/"
        here = [{"name": "here", "databaseAccountEndpoint": address}]
        match self.path.strip("/").split("/"):
            case [""]:
                self._answer(200, {"id": "here", "writableLocations": here, "readableLocations": here,
                                   "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"}})  # fmt: skip
            case ["dbs", _, "colls", name, "docs", id_]:
                self._answer(*self.account.find(name, (self._partition(), id_)))
            case [*_, "pkranges"]:
                self._answer(200, {"PartitionKeyRanges": [{"id": "0", "minInclusive": "", "maxExclusive": "FF"}]})
            case [*_, name]:
                known = name in self.account.containers
                self._answer(200 if known else 404, {"id": name, "_rid": name, "partitionKey": _KEY})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.path.strip("/").split("/"):
            case ["dbs", _, "colls", name, "docs"]:
                if "isquery" in str(self.headers).lower():
                    values = {it["name"][1:]: it["value"] for it in body.get("parameters", ())}
                    found = self.account.ask(name, self._partition(), body["query"], values)
                    self._answer(200, {"_rid": name, "Documents": found, "_count": len(found)})
                else:
                    self._answer(*self.account.create(name, body))
            case [*_, "colls"]:
                self.account.containers[body["id"]] = {}
                self._answer(201, {"id": body["id"], "_rid": body["id"], "partitionKey": _KEY})
            case _:
                self._answer(201, {"id": body["id"], "_rid": body["id"]})

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(*self.account.replace(self.path.split("/")[4], body, self.headers["If-Match"]))

    def do_DELETE(self) -> None:
        _, _, _, name, _, id_ = self.path.strip("/").split("/")
        self._answer(*self.account.delete(name, (self._partition(), id_)))

    def _partition(self) -> str:
        return str(json.loads(self.headers["x-ms-documentdb-partitionkey"])[0])

    def _answer(self, status: int, content: Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


_KEY = {"paths": ["/block"], "kind": "Hash", "version": 2}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve an account with nothing in it, and yield host and port."""
    handler = type("Handler", (_Handler,), {"account": Account()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
