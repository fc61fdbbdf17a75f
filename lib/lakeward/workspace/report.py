"""Executed notebooks as one HTML page that needs no network: what is drawn and said in them, with or without code."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

_CHART = "application/vnd.plotly.v1+json"
# JupyterLab's own look, less the scripts that it would load from elsewhere.
_TEMPLATE = """
{% extends 'lab/index.html.j2' %}
{% block html_head_js_requirejs %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
"""


def write_report(notebooks: Iterable[Path], title: str, path: Path, *, code: bool = False) -> Path:
    """Write executed notebooks, one after the other, as a page.

    Parameters
    ----------
    notebooks : iterable of Path
        Notebooks that have run.
    title : str
        The page's title.
    path : Path
        The HTML file.
    code : bool
        Whether to show the cells' code, too.

    Returns
    -------
    Path
        `path`.
    """
    import nbformat
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    pages = [nbformat.read(notebook, as_version=4) for notebook in notebooks]
    cells = [cell for page in pages for cell in page.cells]
    whole = nbformat.v4.new_notebook(metadata={**pages[0].metadata, "title": title})
    whole.cells = [nbformat.from_dict(cell | {"id": f"cell-{number}"}) for number, cell in enumerate(cells)]
    _draw_charts(whole)
    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"page.html.j2": _TEMPLATE})],
        template_file="page.html.j2",
        exclude_input=not code,
        exclude_input_prompt=not code,
        exclude_output_prompt=not code,
    )
    html, _ = exporter.from_notebook_node(whole)
    path.write_text(html, encoding="utf-8")
    return path


def _draw_charts(notebook: "NotebookNode") -> None:
    """Turn charts, which JupyterLab draws itself, into HTML; the first brings the script along that draws them all."""
    from plotly.io import to_html

    outputs: list[Any] = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    charts = [output.data for output in outputs if _CHART in output.get("data", {})]
    for number, data in enumerate(charts):
        figure = {key: value for key, value in data.pop(_CHART).items() if key != "config"}
        data["text/html"] = to_html(figure, full_html=False, include_plotlyjs=number == 0, validate=False)
