"""The commands ``lakeward audit ...`` do the same, whichever store the trail is in."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_stores import everywhere
from lakeward.cli import main
from lakeward.governance.trail.sink import trail_here, trail_of
from lakeward.workspace.events import Event

Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """What `lakeward audit ... --json` told, in this process."""

    def run_(*arguments: object) -> Any:
        monkeypatch.setattr(sys, "argv", ["lakeward", "audit", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert not ended.value.code, told.out + told.err
        return json.loads(told.out)

    trail_of.cache_clear()
    return run_


@everywhere
def test_a_trail_is_asked_proven_kept_and_verified(
    audit_store: str, run: Run, tmp_path: Path, event: Callable[..., Event]
) -> None:
    (tmp_path / "heads").mkdir()
    run("heartbeat")
    run("anchor", tmp_path / "heads")
    trail_here().append(event(1), event(2, actor="ann"))
    assert [it["object"] for it in run("query", "--event-type", "export")] == ["object-1", "object-2"]
    assert [it["object"] for it in run("query", "--actor", "ann", "--event-type", "export")] == ["object-2"]
    run("rotate-key")
    assert len(run("keys")) == 2
    run("prove", 3, "--output", tmp_path / "proof")
    (tmp_path / "keys").write_text("\n".join(run("keys")))
    assert run("check-proof", tmp_path / "proof", "--key", tmp_path / "keys")["event"]["object"] == "object-1"
    run("hold", "case-1", "--object", "object-1", "--reason", "Litigation")
    run("redact", 4, "--field", "images", "--reason", "Request 17")
    assert run("query", "--object", "object-2")[0]["erased"] == 1
    run("release", "case-1", "--reason", "Settled")
    assert run("retention")["events"] == 0
    assert run("validate-continuity") == []
    assert run("export", tmp_path / "out")["events"] == 10
    done = run("verify", "--anchor", tmp_path / "heads")
    assert (done["ok"], done["anchored_heads"]) == (True, 1)
