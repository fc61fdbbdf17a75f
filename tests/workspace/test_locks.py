import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lakeward.workspace.errors import Busy
from lakeward.workspace.locks import exclusive

HOLD = """
import sys, time
from pathlib import Path
from lakeward.workspace.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "imaging.images.lock"


def _holder(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_process_is_refused_and_told_who_holds_the_lock(path: Path) -> None:
    with _holder(path) as holder:
        with pytest.raises(Busy, match=f"process {holder.pid} "), exclusive(path, wait_s=0):
            pytest.fail("two hold one lock")
        holder.kill()


def test_a_lock_ends_with_its_killed_holder(path: Path) -> None:
    with _holder(path) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        with exclusive(path, wait_s=10):
            pass


def test_a_lock_is_free_after_an_error(path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), exclusive(path):
        raise RuntimeError("inside")
    with exclusive(path, wait_s=0):
        pass
