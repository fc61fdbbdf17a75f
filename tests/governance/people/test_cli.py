"""The commands on people, as a program calls them: secrets come by standard input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PASSWORD = "correct horse battery"


def _run(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lakeward", "people", *arguments, "--json"]
    return subprocess.run(command, input=said, capture_output=True, text=True)


@pytest.mark.usefixtures("home")
def test_people_are_added_listed_and_get_other_roles(home: Path) -> None:
    assert _run("add", "root", "--name", "Rita Root", said=f"{PASSWORD}\n").returncode == 0
    person = ("ann", "--name", "Dr. Ann", "--role", "data_scientist", "--by", "root")
    added = _run("add", *person, said=f"{PASSWORD}\na first password\n")
    assert json.loads(added.stdout)["roles"] == ["data_scientist"]
    assert _run("password", "ann", said="a first password\nanother good password\n").returncode == 0
    changed = _run("roles", "ann", "--role", "ml_engineer", "--by", "root", said=f"{PASSWORD}\n")
    assert json.loads(changed.stdout)["roles"] == ["ml_engineer"]
    assert [person["user"] for person in json.loads(_run("list").stdout)] == ["ann", "root"]
    refused = _run("deactivate", "root", "--by", "ann", said="another good password\n")
    assert (refused.returncode, json.loads(refused.stdout)["error"]) == (8, "NotAllowed")
    wrong = _run("roles", "ann", "--by", "root", said="not the password\n")
    assert (wrong.returncode, json.loads(wrong.stdout)["error"]) == (7, "NotLetIn")
    assert PASSWORD not in wrong.stdout + refused.stdout + changed.stdout
