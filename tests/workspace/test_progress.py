import pytest

from lakeward.workspace.progress import Progress, progress


def test_a_log_gets_a_line_at_the_end_not_one_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Reading", total=1500, unit="image") as bar:
        for _ in range(1500):
            bar.advance()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Reading: 1,500 of 1,500 images in ")


def test_work_that_stops_halfway_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    def stop_halfway() -> None:
        with progress("Reading", total=4, unit="image") as bar:
            bar.advance(3)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_halfway()
    assert "3 of 4 images" in capsys.readouterr().err


def test_the_line_tells_what_is_left() -> None:
    bar = Progress("Reading", total=4, unit="image")
    bar.advance(2)
    assert "2 of 4 images" in str(bar)
    assert str(bar).endswith("s left")


@pytest.mark.parametrize(("done", "text"), [(1, "1 image,"), (2, "2 images,")])
def test_an_unknown_total_is_left_out(done: int, text: str) -> None:
    bar = Progress("Reading", total=None, unit="image")
    bar.advance(done)
    assert text in str(bar)
