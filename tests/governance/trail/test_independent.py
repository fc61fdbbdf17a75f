"""What the trail hands out is verified by another program, in another language, with other people's libraries."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_stores import everywhere
from lakeward.governance.trail.proofs import prove, prove_consistency
from lakeward.governance.trail.query import export
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event

Make = Callable[..., Event]
Verify = Callable[[], subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(trail: Trail, event: Make, tmp_path: Path) -> Path:
    """An export of 301 events under two keys, with proofs, and an older head."""
    trail.append(*(event(number) for number in range(200)))
    with trail.view() as view:
        older = view.state()
    trail.rotate_key()
    trail.append(*(event(number) for number in range(97)))
    export(trail, tmp_path / "out")
    (tmp_path / "out" / "proofs").mkdir()
    with trail.view() as view:
        state = view.state()
        assert older
        assert state
        for number in (0, 1, 137, 255, 256, state.frontier.size - 1):
            (tmp_path / "out" / "proofs" / f"{number}.json").write_text(json.dumps(prove(view, str(number))))
        proof = prove_consistency(view, older.head, state.head)
    (tmp_path / "out" / "consistency.json").write_text(json.dumps(proof))
    return tmp_path / "out"


@pytest.fixture
def verify(verifier: Path, folder: Path) -> Verify:
    return lambda: subprocess.run([verifier, folder], capture_output=True, text=True, check=False)


@everywhere
def test_entries_heads_and_proofs_hold_for_another_program(verify: Verify) -> None:
    done = verify()
    assert done.stderr == ""
    assert done.stdout == "300 entries, 6 proofs\n"


@pytest.mark.parametrize(
    ("name", "before", "after", "says"),
    [
        ("entries.jsonl", "object-7", "object-8", "chain"),
        ("checkpoint", "\n300\n", "\n299\n", "signed note"),
        ("proofs/137.json", "object-136", "object-137", "137.json"),
        ("proofs/137.json", "index 137", "index 138", "137.json"),
        ("consistency.json", r"\n201\n", r"\n200\n", "signed note"),
        ("consistency.json", '"hashes": ["', '"hashes": ["AAAA', "consistency"),
    ],
)
def test_it_refuses_what_was_changed(
    verify: Verify, folder: Path, name: str, before: str, after: str, says: str
) -> None:
    text = (folder / name).read_text()
    assert before in text
    (folder / name).write_text(text.replace(before, after, 1))
    done = verify()
    assert done.returncode == 1
    assert says in done.stderr
