"""Parts of a report as a notebook shows them."""

from lakeward.governance.reports.document import Document
from lakeward.governance.reports.html import block_html
from lakeward.workspace.errors import ConfigurationError

_LOOK = """<style>
.report-part th, .report-part td { text-align: left !important; white-space: normal !important; }
.report-part svg { max-width: 900px; height: auto; display: block; }
</style>"""


def show(document: Document, *titles: str) -> None:
    """Show what parts of a report say.

    Raises
    ------
    ConfigurationError
        If it has no part of that title.
    """
    from IPython.display import HTML, display

    parts = {section.title: section for section in document.sections}
    for title in titles:
        if title not in parts:
            raise ConfigurationError(f"The report has no part {title!r}; it has {', '.join(parts)}.")
        blocks = "\n".join(block_html(block) for block in parts[title].blocks)
        display(HTML(f'{_LOOK}<div class="report-part">{blocks}</div>'))
