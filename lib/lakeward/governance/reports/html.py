"""A report as one HTML page that needs nothing from elsewhere."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from lakeward.governance.reports import charts, style
from lakeward.governance.reports.document import Bars, Block, Code, Document, Section, Table, Text

_STYLE = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
html {{ font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: {style.TEXT};
  background: {style.GROUND}; }}
body {{ max-width: 1080px; margin: 0 auto; padding: 32px 40px 64px; background: #fff;
  border-top: 6px solid {style.ACCENT}; }}
h1 {{ font-size: 30px; line-height: 1.25; margin: 0; color: {style.ACCENT}; }}
h2 {{ font-size: 21px; margin: 44px 0 10px; padding-top: 14px;
  border-top: 1px solid {style.LINE}; color: {style.ACCENT}; }}
h3 {{ font-size: 16px; margin: 26px 0 8px; color: {style.ACCENT}; }}
p {{ max-width: 80ch; margin: 0 0 12px; }}
.lead {{ color: {style.FAINT}; font-size: 17px; margin: 2px 0 22px; }}
.figures {{ display: flex; flex-wrap: wrap; gap: 10px; margin: 0 0 22px; }}
.figures div {{ flex: 1 1 120px; background: {style.ACCENT_GROUND}; padding: 10px; text-align: center; }}
.figures b {{ display: block; font-size: 24px; }}
.figures span {{ color: {style.FAINT}; font-size: 13px; }}
nav ol {{ columns: 2; padding-left: 1.4em; }}
nav a {{ color: {style.ACCENT}; text-decoration: none; }}
nav a:hover, nav a:focus {{ text-decoration: underline; }}
.wide {{ overflow-x: auto; margin: 0 0 16px; }}
table {{ border-collapse: collapse; width: 100%; font-size: 13px; }}
th, td {{ text-align: left; vertical-align: top; padding: 5px 8px; border-bottom: 1px solid {style.LINE};
  overflow-wrap: anywhere; }}
thead th {{ background: {style.ACCENT_GROUND}; color: {style.ACCENT}; }}
tbody th {{ font-weight: 400; color: {style.FAINT}; }}
code, pre {{ font: 12px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
pre {{ background: {style.GROUND}; padding: 10px 12px; white-space: pre-wrap; overflow-wrap: anywhere; }}
.wide table {{ min-width: 640px; }}
svg {{ width: 100%; height: auto; display: block; margin: 6px 0 14px; }}
.none {{ color: {style.FAINT}; font-style: italic; }}
footer {{ margin-top: 44px; color: {style.FAINT}; font-size: 13px; }}
@media print {{ html, body {{ background: #fff; padding: 0; border: 0; }} tr, svg {{ break-inside: avoid; }} }}
"""


def write(document: Document, path: Path) -> None:
    """Write a report as a page; the same report gives the same bytes."""
    path.write_text("\n".join(_page(document)) + "\n", encoding="utf-8")


def _page(document: Document) -> Iterator[str]:
    title = escape(document.title)
    yield f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>'
    yield f'<body>\n<header>\n<h1>{title}</h1>\n<p class="lead">{escape(document.subtitle)}</p>'
    if document.figures:
        yield f'<div class="figures">{"".join(_figure(*it) for it in document.figures.items())}</div>'
    yield _about(document)
    yield "</header>\n<main>"
    yield _contents(document.sections)
    for number, section in enumerate(document.sections):
        level = section.level + 2
        yield f'<h{level} id="part-{number}">{escape(section.title)}</h{level}>'
        yield from (block_html(block) for block in section.blocks)
    yield f"</main>\n<footer>Made {document.made:%Y-%m-%d %H:%M} UTC by Lakeward.</footer>\n</body>\n</html>"


def _figure(name: str, value: str) -> str:
    color = style.WORDS.get(name, style.ACCENT)
    return f'<div><b style="color: {color}">{escape(value)}</b><span>{escape(name)}</span></div>'


def _about(document: Document) -> str:
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in document.about.items()
    ]
    return f"<table>\n<tbody>{''.join(rows)}</tbody>\n</table>"


def _contents(sections: Sequence[Section]) -> str:
    links = [
        f'<li><a href="#part-{number}">{escape(section.title)}</a></li>'
        for number, section in enumerate(sections)
        if section.level == 0
    ]
    return f'<nav aria-label="Contents">\n<h2>Contents</h2>\n<ol>{"".join(links)}</ol>\n</nav>'


def block_html(block: Block) -> str:
    """Return a block as HTML."""
    match block:
        case Text():
            return f"<p>{escape(block.text)}</p>"
        case Code():
            return f"<pre>{escape(block.text)}</pre>"
        case Bars():
            return charts.svg(block).replace("<svg", f'<svg role="img" aria-label="{escape(block.title)}"', 1)
        case Table() if block.rows:
            return _table(block)
        case Table():
            return f'<p class="none">{escape(block.empty)}</p>'


def _table(table: Table) -> str:
    whole = sum(table.widths)
    columns = "".join(f'<col style="width: {100 * width / whole:.1f}%">' for width in table.widths)
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    rows = "\n".join(f"<tr>{''.join(_cells(table, row))}</tr>" for row in table.rows)
    return (
        f'<div class="wide"><table>\n<colgroup>{columns}</colgroup>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _cells(table: Table, row: Sequence[str]) -> Iterator[str]:
    for name, cell in zip(table.columns, row, strict=True):
        text = escape(cell).replace("\n", "<br>")
        if name == table.marked:
            yield f'<td><b style="color: {style.WORDS.get(cell, style.TEXT)}">{text}</b></td>'
        else:
            yield f"<td><code>{text}</code></td>" if name == table.exact else f"<td>{text}</td>"
