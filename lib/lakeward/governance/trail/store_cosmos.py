"""The trail in Azure Cosmos DB, which many machines share.

One item is one commit: its entries, the inner nodes that they complete, and where the log then stands. Its id is the
number of its first entry. Who appends has seen the log end at a number and creates the item of that number, which
Cosmos DB lets one alone do; whoever was slower is refused, reads on, and signs anew. So the chain can't fork and a
commit is there whole or not at all, at any consistency level, with no lock and no batch: all that it takes is that an
id is unique in its partition. Whose answer was lost tries the same number until it knows whose item is there. Entries
are items' own JSON, from which the bytes that were hashed are written again, so what is asked for can't say anything
else than what was hashed.

Limits: an item holds 2 MB, so an event may have 1.5 MB. A partition, which is about a million entries here, holds 20
GB and takes 10,000 request units a second, of which a commit costs some tens (not measured on the service): threads
of one process commit together. What is asked for is looked up in one partition after the other, and all that fits is
fetched before it is put in order. A head is in each item, so whoever may delete items can cut off the newest ones and
leave a trail that is whole: only heads that were anchored elsewhere tell. Retention and erasure take things out item by
item after their event is recorded: if that was interrupted, give the command again; a verification that began before
may report what goes meanwhile. The account's backups and its change feed of all versions hold it until their time is
over.

The container has the partition key ``/block``; make it, and let programs have data access alone (leaving the paths
``/entries/[]/payload/?`` and ``/entries/[]/leaf/?`` out of the index saves request units)::

    az cosmosdb sql container create ... --partition-key-path /block
    az cosmosdb sql role assignment create ... --role-definition-name "Cosmos DB Built-in Data Contributor"
"""

import base64
import json
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.cosmos import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosAccessConditionFailedError, CosmosHttpResponseError

from lakeward.governance.trail.errors import StoreFailed
from lakeward.governance.trail.merkle import Frontier
from lakeward.governance.trail.store import ALL, BLOCK, Batch, Make, Row, Sealed, State, View, Wanted
from lakeward.governance.trail.together import Together
from lakeward.workspace.errors import Busy

_PARTITION = 1 << 20
_ITEM_BYTES = 1_500_000
_MOST = 1 << 13
"""Entries in an item, at most: they have more than 200 bytes each. The last of a partition may reach into the next."""

_PATIENCE_S = 60
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.05
_TRY_AGAIN = (408, 409, 449, 500, 503)
_REASONS: dict[object, str] = {
    401: "the key is refused; look at the secret audit_store_key",
    403: "access is refused; assign the role of a data contributor",
    404: "not found; make the container, with the partition key /block",
    429: "too many requests; give the container more throughput",
    "ClientAuthenticationError": "nobody is signed in to Azure; sign in, or set the secret audit_store_key",
}
_Stored = tuple[int, bytes, bytes | None, bytes | None]
_Item = dict[str, Any]


class CosmosView(View):
    """The entries up to the end that the log had."""

    def __init__(self, container: ContainerProxy, state: State | None) -> None:
        self._container = container
        self._state = state
        self._size = state.frontier.size if state else 0

    def state(self) -> State | None:
        """Return where the log stands, None if it was never opened."""
        return self._state

    def rows(self) -> Iterator[list[_Stored]]:
        """Yield all entries in order, in lists of `BLOCK`; each has what a `Row` has."""
        block: list[_Stored] = []
        sql = "SELECT c.entries FROM c WHERE c.block = @block AND c.start < @size ORDER BY c.start"
        for item in self._asked(sql, 0, self._size, {"size": self._size}):
            block += [_row(entry) for entry in item["entries"]]
            while len(block) >= BLOCK:
                yield block[:BLOCK]
                block = block[BLOCK:]
        if block:
            yield block

    def select(self, wanted: Wanted = ALL, by_time: bool = False, limit: int = -1) -> list[Row]:
        """Return the entries that are wanted, by their number in the log or by time."""
        where, values = _condition(wanted)
        start, stop = max(wanted.start or 0, 0), self._size if wanted.stop is None else wanted.stop
        found = [Row(*_row(it)) for it in self._entries("VALUE e", where, values, start, stop)]
        times = {row.sequence: json.loads(row.data)["recorded"] if row.data else "" for row in found if by_time}
        found.sort(key=lambda row: (times.get(row.sequence, ""), row.sequence))
        return found if limit < 0 else found[:limit]

    def times(self, since: str, until: str) -> Iterator[tuple[int, str]]:
        """Yield number and time of the entries that were recorded in a span of time, in their order."""
        where, values = _condition(Wanted(since=since, until=until))
        found = self._entries("e.number, e.entry.recorded", where, values, 0, self._size)
        yield from sorted((it["number"], it["recorded"]) for it in found)

    def row_of_nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of the stored inner nodes of a level from one position to before another."""
        where = "c.block = @block AND n.level = @level AND n.place >= @start AND n.place < @stop"
        sql = f"SELECT n.place, n.hash FROM c JOIN n IN c.nodes WHERE {where}"
        values = {"level": level, "start": start, "stop": stop}
        found = {it["place"]: it["hash"] for it in self._asked(sql, start << level, stop << level, values)}
        return [_bytes(found[place]) for place in sorted(found)]

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the hashes of entries."""
        where, values = _condition(Wanted(start=start, stop=stop))
        found = {it["number"]: it["leaf"] for it in self._entries("e.number, e.leaf", where, values, start, stop)}
        yield from (_bytes(found[number]) for number in sorted(found))

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """Return the stored inner nodes, by level and position."""
        sql = "SELECT VALUE n FROM c JOIN n IN c.nodes WHERE c.block = @block"
        return {(it["level"], it["place"]): _bytes(it["hash"]) for it in self._asked(sql, 0, self._size, {})}

    def _entries(self, what: str, where: str, values: Mapping[str, Any], start: int, stop: int) -> Iterator[_Item]:
        """Yield of entries in items that begin before `stop` and end behind `start`."""
        within = "c.block = @block AND c.start < @behind AND c.stop > @first"
        sql = f"SELECT {what} FROM c JOIN e IN c.entries WHERE {within} AND {where}"
        yield from self._asked(sql, start, stop, {**values, "first": start, "behind": min(stop, self._size)})

    def _asked(self, sql: str, start: int, stop: int, values: Mapping[str, Any]) -> Iterator[_Item]:
        for block in range(max(start - _MOST, 0) // _PARTITION, -(-min(stop, self._size) // _PARTITION)):
            yield from _found(self._container, sql, str(block), **values)


class CosmosStore:
    """A trail's container; it holds one trail.

    Parameters
    ----------
    endpoint : str
        Address of the account.
    database, container : str
        Their names.
    credential : str or TokenCredential
        The account's key, or who asks.
    """

    def __init__(self, endpoint: str, database: str, container: str, credential: Any) -> None:
        self._name = f"{endpoint}{database}/{container}"
        self._where = endpoint, database, container, credential
        self._made: tuple[int, ContainerProxy] | None = None
        self._together = Together(_ITEM_BYTES // 2)
        self._newest: State | None = None

    def __str__(self) -> str:
        return self._name

    # --- reading -----------------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether a log was begun here."""
        if self._newest is None:
            with self._reached() as container:
                self._newest = _newest(container, None)
        return self._newest is not None

    @contextmanager
    def view(self) -> Iterator[CosmosView]:
        """Look at the trail as it is now."""
        with self._reached() as container:
            yield CosmosView(container, _newest(container, self._newest))

    def faults(self) -> list[str]:
        """Return nothing: whatever is in an item is part of what was hashed, or is compared with it."""
        return []

    # --- writing -----------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Make sure that the container is there, and is of the right kind."""
        with self._reached() as container:
            paths = container.read()["partitionKey"]["paths"]
        if paths != ["/block"]:
            raise StoreFailed(f"The container {self} has the partition key {paths}: make one with /block.")

    def append(self, events: Sequence[Sealed], make: Make) -> None:
        """Append events, perhaps together with those of other threads, and return when Cosmos DB has them.

        Raises
        ------
        StoreFailed
            If Cosmos DB can't be reached, or refuses: then it is not known whether they are recorded.
        """
        for part in _parts(events):
            self._together.append(part, lambda waiting: self._commit(make, waiting))

    def alone(self, make: Make) -> None:
        """Make a change that nobody else can make."""
        self._together.alone(lambda: self._commit(make, []))

    # --- the one who writes ------------------------------------------------------------------------------------------

    def _commit(self, make: Make, events: Sequence[Sealed]) -> None:
        """Create the item that continues the log; whoever finds it there already begins again."""
        with self._reached() as container:
            state = self._newest or _newest(container, None)
            tried = set[str]()
            for _ in _pauses(f"Others were always quicker at the trail in {self} for {_PATIENCE_S} s. Try again."):
                if not (batch := make(state, events)):
                    return
                item = _item(batch)
                tried.add(item["last"])
                there = item["last"] if _created(container, item) else _at(container, item)
                if there in tried:  # now, or by a try whose answer was lost
                    self._newest = batch.state if there == item["last"] else None
                    _take_out(container, batch.left)
                    return
                state = _newest(container, state) if there else state

    @contextmanager
    def _reached(self) -> Iterator[ContainerProxy]:
        """The container, and Cosmos DB's errors as one of ours, with nothing in it of what was asked."""
        try:
            if self._made is None or self._made[0] != os.getpid():  # a forked child has connections of its own
                endpoint, database, container, credential = self._where
                client = CosmosClient(endpoint, credential)
                self._made = os.getpid(), client.get_database_client(database).get_container_client(container)
            yield self._made[1]
        except AzureError as error:
            code = getattr(error, "status_code", None) or type(error).__name__
            raise StoreFailed(f"The trail in {self}: {_REASONS.get(code, 'it failed')} ({code}).") from None


def _created(container: ContainerProxy, item: _Item) -> bool:
    """Whether an item was created; if not, then it is there, or nobody knows."""
    try:
        container.create_item(item)
    except CosmosHttpResponseError as error:
        if error.status_code not in _TRY_AGAIN:
            raise
        return False
    return True


def _found(container: ContainerProxy, sql: str, block: str, **values: Any) -> Iterable[_Item]:
    """Ask one partition; the query says ``c.block = @block``, too, since emulators go by nothing else."""
    parameters = [{"name": f"@{name}", "value": value} for name, value in {**values, "block": block}.items()]
    return container.query_items(sql, parameters=parameters, partition_key=block)


def _at(container: ContainerProxy, item: _Item) -> str | None:
    """Return the last hash of the item that is in the place of one, None if there is none yet."""
    sql = "SELECT c.last FROM c WHERE c.block = @block AND c.id = @id"
    found = list(_found(container, sql, item["block"], id=item["id"]))
    return str(found[0]["last"]) if found else None


def _newest(container: ContainerProxy, known: State | None) -> State | None:
    """Return where the log stands, looking from a place on where it stood once."""
    state, block = known, known.frontier.size // _PARTITION if known else 0
    what = "c.vkey, c.stop, c.last, c.frontier, c.head"
    sql = f"SELECT TOP 1 {what} FROM c WHERE c.block = @block ORDER BY c.start DESC"
    while found := list(_found(container, sql, str(block))):
        item = found[0]
        frontier = Frontier(item["stop"], [_bytes(it) for it in item["frontier"]])
        state = State(item["vkey"], _bytes(item["last"]), frontier, item["head"])
        if frontier.size < (block + 1) * _PARTITION:
            break
        block += 1
    return state


def _item(batch: Batch) -> _Item:
    state, start = batch.state, batch.rows[0][0]
    return {
        "id": f"{start:012d}",
        "block": str(start // _PARTITION),
        "start": start,
        "stop": state.frontier.size,
        "vkey": state.vkey,
        "last": _text(state.last),
        "frontier": [_text(it) for it in state.frontier.hashes],
        "head": state.head,
        "nodes": [{"level": level, "place": place, "hash": _text(hash_)} for level, place, hash_ in batch.nodes],
        "entries": [
            {"number": number, "leaf": _text(leaf), "entry": json.loads(data), "payload": payload.decode()}
            for number, leaf, data, payload in batch.rows
        ],
    }


def _take_out(container: ContainerProxy, left: Mapping[int, bytes | None]) -> None:
    """Take out of entries all but these disclosures; if None, the entry itself, too."""
    sql = "SELECT * FROM c WHERE c.block = @block AND c.start <= @number AND c.stop > @number"
    numbers = sorted(left)
    while numbers:
        blocks = {str(it // _PARTITION) for it in (numbers[0], max(numbers[0] - _MOST, 0))}
        found = (_found(container, sql, block, number=numbers[0]) for block in blocks)
        item = next(chain.from_iterable(found))
        for entry in item["entries"]:
            if entry["number"] in left:
                payload = left[entry["number"]]
                entry["payload"] = payload if payload is None else payload.decode()
                if payload is None:
                    entry.pop("entry", None)
        try:
            container.replace_item(item["id"], item, etag=item["_etag"], match_condition=MatchConditions.IfNotModified)
        except CosmosAccessConditionFailedError:
            continue
        numbers = [number for number in numbers if number >= item["stop"]]


def _row(entry: _Item) -> _Stored:
    """Return an entry; its bytes are written again, as canonical JSON of texts and whole numbers is by Python, too."""
    try:
        data, payload = entry.get("entry"), entry["payload"]
        text = None if data is None else json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return entry["number"], _bytes(entry["leaf"]), _encoded(text), _encoded(payload)
    except (KeyError, AttributeError) as error:
        raise ValueError(f"an item is not as it was written: {error}") from None


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _condition(wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """Return the condition on an entry `e` for what is wanted, and its named values."""
    conditions, values = ["true"], dict[str, Any]()
    either = []
    for name, among in (("kind", wanted.kinds), ("type", wanted.types)):
        if among:
            names = [f"@{name}{at}" for at in range(len(among))]
            values |= {f"{name}{at}": str(it) for at, it in enumerate(among)}
            either.append(f'e.entry.event["{name}"] IN ({", ".join(names)})')
    if either:
        conditions.append(f"({' OR '.join(either)})")
    for name, test, bound in (
        ("actor", 'e.entry.event["actor"] =', wanted.actor or None),
        ("object", 'e.entry.event["object"] =', wanted.object or None),
        ("id", 'e.entry.event["id"] =', wanted.id or None),
        ("since", "e.entry.recorded >=", wanted.since or None),
        ("until", "e.entry.recorded <", wanted.until or None),
        ("start", "e.number >=", wanted.start),
        ("stop", "e.number <", wanted.stop),
    ):
        if bound is not None:
            conditions.append(f"{test} @{name}")
            values[name] = bound
    return " AND ".join(conditions), values


def _parts(events: Sequence[Sealed]) -> Iterator[Sequence[Sealed]]:
    """Yield events in parts that an item holds."""
    part, size = list[Sealed](), 0
    for event in events:
        bytes_ = len(event[0]) + len(event[1])
        if bytes_ > _ITEM_BYTES:
            raise StoreFailed(f"An event of {bytes_:,} bytes is more than Azure Cosmos DB takes ({_ITEM_BYTES:,}).")
        if part and size + bytes_ > _ITEM_BYTES // 2:
            yield part
            part, size = [], 0
        part.append(event)
        size += bytes_
    if part:
        yield part


def _pauses(message: str) -> Iterator[None]:
    """Yield again and again, after longer and longer pauses, and at last raise Busy."""
    deadline, pause = time.monotonic() + _PATIENCE_S, _SHORTEST_PAUSE_S
    while time.monotonic() < deadline:
        yield
        time.sleep(pause * random.random())  # noqa: S311
        pause = min(2 * pause, _LONGEST_PAUSE_S)
    raise Busy(message)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
