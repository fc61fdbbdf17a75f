"""What the trail tells of people is read once, and then only what is new; never from another log than the one there."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lakeward.governance.people import register
from lakeward.governance.people.errors import NotLetIn
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.governance.people.store import Person
from lakeward.governance.people.verify import verify
from lakeward.governance.trail.findings import Fault
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.verify import verify as trail_verify
from lakeward.workspace.events import Event, record

PASSWORD = "correct horse battery"
Join = Callable[..., Person]


def _change(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file)) as store, store:
        store.execute(sql)


def test_what_is_new_is_known_at_once_and_what_was_handed_out_stays(people: People, root: Person, join: Join) -> None:
    join("ann")
    before = register.register()
    people.set_roles(root, "ann", [Role.DATA_SCIENTIST])
    record(Event(type="governance.user.roles_changed", object="ann", details={"roles": ["administrator"]}))
    after = register.register()
    assert [it.change for it in after.told["ann"]] == ["added", "password_changed", "roles_changed"]
    assert (len(before.told["ann"]), len(before.forged), len(after.forged)) == (2, 0, 1)
    assert after.told["ann"][:2] == before.told["ann"]


def test_a_trail_that_was_put_back_or_begun_anew_is_read_anew(
    people: People, root: Person, join: Join, home: Path, tmp_path: Path
) -> None:
    join("ann", Role.DATA_SCIENTIST)
    shutil.copytree(home / "events", tmp_path / "copy")
    people.set_roles(root, "ann", [])
    assert people.let_in("ann", PASSWORD).roles == frozenset()
    shutil.rmtree(home / "events")
    shutil.copytree(tmp_path / "copy", home / "events")
    for number in range(9):  # it grows beyond where the other ended
        record(Event(type="governance.heartbeat.beaten", object=str(number)))
    assert register.now("ann")["roles"] == ["data_scientist"]
    with pytest.raises(NotLetIn, match="audit trail"):
        people.let_in("ann", PASSWORD)


def test_who_edits_what_was_read_already_gains_nothing_and_is_found(
    people: People, root: Person, join: Join, home: Path
) -> None:
    join("ann")
    people.set_active(root, "ann", False)
    with pytest.raises(NotLetIn, match="taken away"):
        people.let_in("ann", PASSWORD)
    _change(home / "events" / "trail.sqlite", "UPDATE recent SET data = replace(data, 'deactivated', 'forgotten')")
    _change(home / "governance" / "people.sqlite", "UPDATE people SET active = 1")
    with pytest.raises(NotLetIn, match="audit trail"):
        people.let_in("ann", PASSWORD)
    (found,) = trail_verify(trail_here().store).findings
    assert found.fault is Fault.EDIT
    assert verify(people).findings == [], "which has read it anew, as a new process would"
    assert register.now("ann")["active"] is True
