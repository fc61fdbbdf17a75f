"""A report as PDF: A4, with embedded fonts, bookmarks, contents and page numbers."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any

from fpdf import FPDF, ViewerPreferences
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace, TextStyle
from fpdf.outline import TableOfContents

from lakeward.governance.reports import charts, style
from lakeward.governance.reports.document import Bars, Block, Code, Document, Section, Table, Text

_MARGIN, _FOOT = 18, 18
_SANS, _MONO = "DejaVu", "DejaVuMono"
_FONTS = (
    (_SANS, "", "DejaVuSans.ttf"),
    (_SANS, "B", "DejaVuSans-Bold.ttf"),
    (_SANS, "I", "DejaVuSans-Oblique.ttf"),
    (_MONO, "", "DejaVuSansMono.ttf"),
)
_PAGES = "§§"
"""Stands for the number of pages until it is known; about as wide as it."""

_LETTER, _MOST_LINES = 1.9, 24
"""Width of a wide letter in a table, in millimeters, and lines that a cell may have there before it goes on."""

_BODY, _CELL, _SMALL = 9, 7.5, 7
_HEADING_NEEDS = 34
"""Millimeters that must be left under a heading, else it starts the next page."""


class _Page(FPDF):
    """A4 pages with the title above and the number below."""

    def __init__(self, document: Document) -> None:
        super().__init__(unit="mm", format="A4")
        self._document = document
        self.set_creation_date(document.made)
        self.set_title(document.title)
        self.set_subject(document.subtitle)
        self.set_creator("Lakeward")
        self.set_lang("en")
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(True, _FOOT)
        self.c_margin = 0
        self.alias_nb_pages(_PAGES)
        for family, emphasis, file in _FONTS:
            self.add_font(family, emphasis, _fonts() / file)

    def header(self) -> None:
        """Print the title on every page but the first."""
        if self.page_no() == 1:
            return
        self.set_y(9)
        self._small(f"{self._document.title} · {self._document.subtitle}", "L")
        self.set_y(_MARGIN)

    def footer(self) -> None:
        """Print when it was made, and the number of the page."""
        self.set_y(-12)
        self._small(f"Made {self._document.made:%Y-%m-%d %H:%M} UTC", "L")
        self.set_y(-12)
        self._small(f"Page {self.page_no()} of {_PAGES}", "R")

    def _small(self, text: str, align: str) -> None:
        self.set_font(_SANS, size=_SMALL)
        self.set_text_color(style.FAINT)
        self.cell(0, 4, text, align=align)
        self.set_text_color(style.TEXT)


def rendered(document: Document) -> bytes:
    """Return a report as PDF; the same report gives the same bytes."""
    page = _Page(document)
    page.add_page()
    _first_page(page, document)
    _contents(page)
    page.set_section_title_styles(_heading(15, 4, 3), _heading(11, 3, 2))
    for number, section in enumerate(document.sections):
        _section(page, section, new_page=section.level == 0 and (number == 0 or _filled(page)))
    return bytes(page.output())


def _first_page(page: FPDF, document: Document) -> None:
    page.set_fill_color(style.ACCENT)
    page.rect(0, 0, 210, 5, style="F")
    page.set_y(26)
    page.set_text_color(style.ACCENT)
    page.set_font(_SANS, "B", 22)
    page.multi_cell(0, 10, document.title, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.set_text_color(style.FAINT)
    page.set_font(_SANS, size=12)
    page.multi_cell(0, 7, document.subtitle, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(5)
    if document.figures:
        _figures(page, document)
    page.set_text_color(style.TEXT)
    rows = [(name, value) for name, value in document.about.items()]
    _table(page, Table(("", ""), rows, (28, 72)), heads=False)


def _figures(page: FPDF, document: Document) -> None:
    """Print numbers in large, side by side."""
    gap, height, top = 4, 19, page.get_y()
    width = (page.epw - gap * (len(document.figures) - 1)) / len(document.figures)
    page.set_fill_color(style.ACCENT_GROUND)
    for place, (name, value) in enumerate(document.figures.items()):
        left = _MARGIN + place * (width + gap)
        page.rect(left, top, width, height, style="F")
        page.set_xy(left, top + 2.5)
        page.set_font(_SANS, "B", 15)
        page.set_text_color(style.WORDS.get(name, style.ACCENT))
        page.cell(width, 8, value, align="C")
        page.set_xy(left, top + 11)
        page.set_font(_SANS, size=_CELL)
        page.set_text_color(style.FAINT)
        page.cell(width, 5, name, align="C")
    page.set_xy(_MARGIN, top + height + 6)


def _contents(page: FPDF) -> None:
    page.add_page()
    page.set_font(_SANS, "B", 15)
    page.set_text_color(style.ACCENT)
    page.cell(0, 10, "Contents", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    contents = TableOfContents(
        TextStyle(font_family=_SANS, font_style="", font_size_pt=_BODY, color=style.TEXT),
        use_section_title_styles=False,
    )
    page.insert_toc_placeholder(contents.render_toc, 1, allow_extra_pages=True, reset_page_indices=False)


def _filled(page: FPDF) -> bool:
    """Whether more than two fifths of the page are used, so that a new part starts a new one."""
    return page.get_y() > _MARGIN + 0.4 * page.eph


def _section(page: FPDF, section: Section, new_page: bool) -> None:
    if (new_page and page.get_y() > _MARGIN + 1) or page.get_y() + _HEADING_NEEDS > page.h - _FOOT:
        page.add_page()
    page.start_section(section.title, section.level)
    for block in section.blocks:
        _block(page, block)


def _block(page: FPDF, block: Block) -> None:
    page.set_text_color(style.TEXT)
    match block:
        case Text():
            page.set_font(_SANS, size=_BODY)
            page.multi_cell(0, 4.9, block.text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        case Code():
            page.set_font(_MONO, size=_CELL)
            page.set_fill_color(style.GROUND)
            options: dict[str, Any] = {"align": "L", "fill": True, "padding": 2, "wrapmode": "CHAR"}
            page.multi_cell(0, 4.2, block.text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, **options)
        case Bars():
            width = page.epw
            page.image(charts.png(block), w=width, alt_text=f"Chart: {block.title}", title=block.title)
        case Table() if block.rows:
            _table(page, block)
        case Table():
            page.set_font(_SANS, "I", _BODY)
            page.set_text_color(style.FAINT)
            page.multi_cell(0, 4.9, block.empty, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(3)


def _table(page: FPDF, table: Table, heads: bool = True) -> None:
    page.set_font(_SANS, size=_CELL)
    page.set_draw_color(style.LINE)
    head = FontFace(emphasis="BOLD", color=style.ACCENT, fill_color=style.ACCENT_GROUND)
    with page.table(
        col_widths=tuple(table.widths),
        text_align="LEFT",
        v_align="TOP",
        borders_layout="HORIZONTAL_LINES",
        headings_style=head,
        first_row_as_headings=heads,
        num_heading_rows=1 if heads else 0,
        line_height=3.9,
        padding=(1.1, 1.4, 1.1, 1.4),
    ) as drawn:
        if heads:
            drawn.row(table.columns)
        for cells in _short_rows(table, page.epw):
            row = drawn.row(style=FontFace(fill_color="#ffffff"))
            for number, (name, cell) in enumerate(zip(table.columns, cells, strict=True)):
                row.cell(cell, style=_face(table, name, cell, number == 0 and not heads))


def _short_rows(table: Table, width: float) -> Iterator[Sequence[str]]:
    """Yield rows, of which one that would not fit on a page goes on in further ones."""
    letters = [int(width * part / sum(table.widths) / _LETTER) or 1 for part in table.widths]
    for row in table.rows:
        pieces = [_pieces(cell, per_line) for cell, per_line in zip(row, letters, strict=True)]
        yield from zip_longest(*pieces, fillvalue="")


def _pieces(cell: str, letters: int) -> list[str]:
    """Cut a cell into pieces of `_MOST_LINES`, between words where it can be."""
    if len(cell) <= letters * _MOST_LINES and cell.count("\n") < _MOST_LINES:
        return [cell]
    lines = [part for line in cell.split("\n") for part in wrap(line, letters) or [""]]
    return ["\n".join(lines[start : start + _MOST_LINES]) for start in range(0, len(lines), _MOST_LINES)]


def _face(table: Table, name: str, cell: str, label: bool) -> FontFace | None:
    if label:
        return FontFace(color=style.FAINT, fill_color="#ffffff")
    if name and name == table.marked:
        return FontFace(emphasis="BOLD", color=style.WORDS.get(cell, style.TEXT))
    if name and name == table.exact:
        return FontFace(family=_MONO, size_pt=_SMALL)
    return None


def _heading(size: float, before: float, after: float) -> TextStyle:
    return TextStyle(
        font_family=_SANS, font_style="B", font_size_pt=size, color=style.ACCENT, t_margin=before, b_margin=after
    )


def _fonts() -> Path:
    """Folder of the DejaVu fonts, which matplotlib ships."""
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf"
