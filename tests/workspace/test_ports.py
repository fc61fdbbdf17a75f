from importlib.metadata import entry_points

import pytest

from lakeward.workspace import ports
from lakeward.workspace.errors import PrerequisiteMissing


def test_an_installation_answers_each() -> None:
    named = {port.name: port.load() for port in entry_points(group=ports.PORTS)}
    assert {name: callable(answer) for name, answer in named.items()} == {"as_person": True, "holds": True}


def test_where_nobody_answers_nothing_is_done() -> None:
    with pytest.raises(PrerequisiteMissing, match="make setup"):
        ports._port("none")
