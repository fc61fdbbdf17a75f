"""Parts of a report as a notebook shows them."""

from lakeward.governance.reports import charts
from lakeward.governance.reports.document import Bars, Block, Code, Document, Table, Text
from lakeward.workspace.errors import ConfigurationError


def show(document: Document, *titles: str) -> None:
    """Show what parts of a report say.

    Raises
    ------
    ConfigurationError
        If it has no part of that title.
    """
    parts = {section.title: section for section in document.sections}
    for title in titles:
        if title not in parts:
            raise ConfigurationError(f"The report has no part {title!r}; it has {', '.join(parts)}.")
        for block in parts[title].blocks:
            _show(block)


def _show(block: Block) -> None:
    import pandas as pd
    from IPython.display import Image, Markdown, display

    match block:
        case Bars():
            display(Image(charts.png(block), alt=block.title, width=900))
        case Table() if block.rows:
            display(pd.DataFrame(list(block.rows), columns=list(block.columns)))
        case Table():
            print(block.empty)
        case Text() | Code():
            display(Markdown(block.text))
