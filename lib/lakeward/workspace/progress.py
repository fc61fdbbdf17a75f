"""Progress, shown as the place allows: a bar in a terminal, one in a notebook, else a plain line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from html import escape
from typing import Any

Show = Callable[["Progress"], None]


class Progress:
    """A count of work done; `progress` makes one."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.done = 0
        self._start = time.monotonic()
        self._shown = self._start
        self._show: Show = lambda bar: None
        self._every_s = 0.0

    def advance(self, count: int = 1) -> None:
        """Count work as done, and show it if the last time is long enough ago."""
        self.done += count
        if time.monotonic() - self._shown >= self._every_s:
            self.show()

    def show(self) -> None:
        """Show the state as it is now."""
        self._shown = time.monotonic()
        self._show(self)

    def shown_by(self, show: Show, every_s: float) -> None:
        """Choose what shows it, at most every so many seconds."""
        self._show, self._every_s = show, every_s

    def __str__(self) -> str:
        """Return one line: count, share, rate and what is left."""
        seconds = max(time.monotonic() - self._start, 1e-6)
        rate = self.done / seconds
        if self.total is None:
            return f"{self.title}: {self.done:,} {self._units}, {rate:,.1f} a second"
        share = f"{self.done:,} of {self.total:,} {self._units}"
        if self.done < self.total and rate > 0:
            return f"{self.title}: {share}, {rate:,.1f} a second, {(self.total - self.done) / rate:,.0f} s left"
        return f"{self.title}: {share} in {seconds:,.1f} s"

    @property
    def _units(self) -> str:
        return self.unit if self.done == 1 and self.total in (None, 1) else f"{self.unit}s"


@contextmanager
def progress(title: str, total: int | None = None, unit: str = "item") -> Iterator[Progress]:
    """Show how far a piece of work is.

    Parameters
    ----------
    title : str
        What is being done, for example ``Reading``.
    total : int or None
        How much there is to do, if known.
    unit : str
        What is counted, in the singular.

    Examples
    --------
    >>> with progress("Reading", total=3, unit="image") as bar:
    ...     bar.advance()
    """
    bar = Progress(title, total, unit)
    with _chosen(bar):
        try:
            yield bar
        finally:
            bar.show()


def _chosen(bar: Progress) -> AbstractContextManager[None]:
    """Let the bar be shown in the way that fits the place."""
    if not _in_notebook() and sys.stderr.isatty():
        return _terminal(bar)
    if _in_notebook():
        bar.shown_by(_notebook(bar), every_s=0.5)
    else:
        bar.shown_by(lambda bar: print(bar, file=sys.stderr, flush=True), every_s=10.0)
    return nullcontext()


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this; a plain IPython shell has no kernel."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


def _notebook(bar: Progress) -> Show:
    from IPython.display import HTML, display

    def html(bar: Progress) -> Any:
        bound = f'value="{bar.done}" max="{bar.total}"' if bar.total is not None else ""
        return HTML(f"<progress {bound}></progress> {escape(str(bar))}")

    handle: Any = display(html(bar), display_id=True)
    return lambda bar: handle.update(html(bar))


@contextmanager
def _terminal(bar: Progress) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    with Bars(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True)) as bars:
        task = bars.add_task(str(bar), total=bar.total)
        bar.shown_by(lambda bar: bars.update(task, completed=bar.done, description=str(bar)), every_s=0.1)
        yield
