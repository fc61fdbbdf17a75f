"""What the audit trail tells about people: it, not the store's file, says who had which roles and key, and when."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from lakeward.governance.people import changes
from lakeward.governance.people.changes import History
from lakeward.governance.people.store import PeopleStore, Person
from lakeward.governance.trail import entries
from lakeward.governance.trail.errors import NoSuchEvent
from lakeward.governance.trail.notes import Verifier
from lakeward.governance.trail.query import query
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import View, Wanted
from lakeward.governance.trail.trail import Trail

SIGNED = "governance.signature.made"


class Register(NamedTuple):
    """People as the trail tells, and the events about them that don't hold."""

    told: History
    forged: tuple[dict[str, Any], ...]


class _Read(NamedTuple):
    """What was read of a trail, how many entries it had then, and the hash of the last of them."""

    register: Register
    size: int
    last: bytes


_NOTHING = _Read(Register({}, ()), 0, b"")
_READ: WeakKeyDictionary[Trail, _Read] = WeakKeyDictionary()


def register() -> Register:
    """Return what the trail tells of people; what nobody signed who might do it counts for nothing.

    What this process has read already is kept, and only what came after it is read. Each entry names the hash of the
    one before, so where the last entry that was read is in its place, all that was read is the beginning of this log;
    a trail that was put back, cut or begun anew is read anew. Who changes an entry in its place afterwards changes
    nobody's rights here; a new process, and `forget`, reads that, too.
    """
    trail = trail_here()
    try:
        with trail.view() as view:
            read = _READ[trail] = _grown(view, _READ.get(trail, _NOTHING))
    except NoSuchEvent:
        return _NOTHING.register
    return read.register


def forget() -> None:
    """Keep nothing of what was read: who verifies looks at the trail as it is."""
    _READ.clear()


def _grown(view: View, read: _Read) -> _Read:
    """Return what was read together with what has come since; all of it anew if it is not of this log."""
    state = view.state()
    size, last = (state.frontier.size, state.last) if state else (0, b"")
    if read.size > size or (read.size and list(view.leaves(read.size - 1, read.size)) != [read.last]):
        read = _NOTHING
    told, forged = dict(read.register.told), list(read.register.forged)
    for event in filter(None, map(entries.told_by, view.select(Wanted(types=changes.TYPES, start=read.size)))):
        user = event["object"]
        if change := changes.read(event, told):
            told[user] = (*told.get(user, ()), change)
        else:
            forged.append(event)
    return _Read(Register(told, tuple(forged)), size, last)


def told() -> History:
    """Return what the trail tells of each person, in its order."""
    return register().told


def now(user: str) -> dict[str, Any]:
    """Return the facts of a person that are in force, none if the trail tells none."""
    states = told().get(user)
    return states[-1].facts if states else {}


def differences(person: Person, known: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return in what a stored person is not as is told: the trail's word, the store's."""
    stored = changes.facts(person).items()
    return {name: (known.get(name), value) for name, value in stored if known.get(name) != value}


def settled(store: PeopleStore, user: str) -> Person | None:
    """Return a person, None if there is none; a change that was cut short is ended as the trail tells."""
    person = store.person(user)
    if person is None or not differences(person, now(user)):
        return person
    with store.alone():
        settle(store, user)
    return store.person(user)


def settle(store: PeopleStore, user: str) -> None:
    """End a change of a person that was cut short, by who is alone: others are not in the middle of one."""
    person, known = store.person(user), now(user)
    if person and differences(person, known):
        store.settle(user, lambda coming: not differences(coming, known))


def environment() -> str:
    """Return which deployment the trail was begun as; its signed heads name it, so no setting of a shell changes it."""
    try:
        with trail_here().view() as view:
            state = view.state()
    except NoSuchEvent:
        return ""
    return Verifier.parse(state.vkey).name.split("/")[1] if state else ""


def events(*types: str, object_: str = "") -> list[dict[str, Any]]:
    """Return the events of some types, of one object or of all, in the trail's order; none where there is no trail."""
    try:
        with trail_here().view() as view:
            found = query(view, types=types, object_=object_)
    except NoSuchEvent:
        return []
    return sorted(found, key=lambda event: int(event["sequence"]))
