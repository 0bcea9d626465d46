"""Draws a table on numbered A4 pages as PDF. It takes seconds for thousands of lines: use a thread."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

FONT: Final = "Helvetica"
STRONG: Final = "Helvetica-Bold"
SIZE: Final = 8.0
TITLE_SIZE: Final = 16.0
LEADING: Final = 12.5
MARGIN: Final = 36.0
WIDTH: Final = A4[0] - 2 * MARGIN
TOP: Final = A4[1] - MARGIN
BOTTOM: Final = MARGIN + 2 * LEADING
"""Below it is the number of the page."""
GAP: Final = 6.0
GREY: Final = 0.45
_ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    share: float
    """Of the width of the page; those of all columns add up to 1."""
    is_amount: bool = False
    """Amounts stand at the right, and are never cut off."""


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """One line of the table."""

    cells: Sequence[str]
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """What is drawn. Texts may have any characters; those that the fonts lack are shown as `?`."""

    title: str
    business: str
    facts: Sequence[tuple[str, str]]
    """What the reader should know first: a name and a value each."""
    columns: Sequence[Column]
    lines: Sequence[DrawnLine]
    footnote: str


def draw(document: Document) -> bytes:
    """The document as PDF."""
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=A4, pageCompression=1)
    canvas.setTitle(document.title)
    canvas.setAuthor(_shown(document.business))
    pages = list(_paged(document))
    for number, lines in enumerate(pages, start=1):
        top = _draw_front(canvas, document) if number == 1 else _draw_head(canvas, document)
        _draw_table(canvas, document.columns, lines, top)
        _draw_foot(canvas, document.footnote, f"Page {number} of {len(pages)}")
        canvas.showPage()
    canvas.save()
    return written.getvalue()


def _paged(document: Document) -> Iterator[Sequence[DrawnLine]]:
    """The lines of each page; a document without lines has one page."""
    begin, room = 0, _room(_front_height(document))
    while begin == 0 or begin < len(document.lines):
        yield document.lines[begin : begin + room]
        begin, room = begin + room, _room(_head_height())


def _room(height: float) -> int:
    """How many lines fit below a head of this height and the names of the columns."""
    return int((TOP - height - LEADING - GAP - BOTTOM) // LEADING)


def _front_height(document: Document) -> float:
    return TITLE_SIZE + LEADING * (len(document.facts) + 2) + GAP


def _head_height() -> float:
    return LEADING + GAP


def _draw_front(canvas: Canvas, document: Document) -> float:
    """The head of the first page; gives where the table begins."""
    y = TOP - TITLE_SIZE
    canvas.setFont(STRONG, TITLE_SIZE)
    canvas.drawString(MARGIN, y, _shown(document.title))
    y -= LEADING * 1.5
    canvas.setFont(STRONG, SIZE + 2)
    canvas.drawString(MARGIN, y, _shown(document.business))
    for name, value in document.facts:
        y -= LEADING
        canvas.setFont(FONT, SIZE)
        canvas.setFillGray(GREY)
        canvas.drawString(MARGIN, y, _shown(name))
        canvas.setFillGray(0)
        canvas.drawString(MARGIN + WIDTH / 6, y, _fitting(value, FONT, WIDTH * 5 / 6))
    return TOP - _front_height(document)


def _draw_head(canvas: Canvas, document: Document) -> float:
    """The head of every other page; gives where the table begins."""
    canvas.setFont(FONT, SIZE)
    canvas.setFillGray(GREY)
    canvas.drawString(MARGIN, TOP - SIZE, _shown(document.title))
    canvas.drawRightString(MARGIN + WIDTH, TOP - SIZE, _shown(document.business))
    canvas.setFillGray(0)
    return TOP - _head_height()


def _draw_table(canvas: Canvas, columns: Sequence[Column], lines: Sequence[DrawnLine], top: float) -> None:
    y = top - LEADING
    _draw_cells(canvas, columns, [column.name for column in columns], STRONG, y)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, y - GAP / 2, MARGIN + WIDTH, y - GAP / 2)
    y -= GAP
    for line in lines:
        y -= LEADING
        _draw_cells(canvas, columns, line.cells, STRONG if line.is_strong else FONT, y)


def _draw_cells(canvas: Canvas, columns: Sequence[Column], cells: Sequence[str], font: str, y: float) -> None:
    canvas.setFont(font, SIZE)
    x = MARGIN
    for column, cell in zip(columns, cells, strict=True):
        width = WIDTH * column.share
        if cell and column.is_amount:
            canvas.drawRightString(x + width, y, cell)
        elif cell:
            canvas.drawString(x, y, _fitting(cell, font, width - GAP))
        x += width


def _draw_foot(canvas: Canvas, footnote: str, number: str) -> None:
    canvas.setFont(FONT, SIZE - 1)
    canvas.setFillGray(GREY)
    canvas.drawString(MARGIN, MARGIN, _fitting(footnote, FONT, WIDTH * 0.8))
    canvas.drawRightString(MARGIN + WIDTH, MARGIN, number)
    canvas.setFillGray(0)


def _fitting(text: str, font: str, width: float) -> str:
    """As much of a text as there is room for."""
    shown = _shown(text)
    if stringWidth(shown, font, SIZE) <= width:
        return shown
    while shown and stringWidth(shown + _ELLIPSIS, font, SIZE) > width:
        shown = shown[: -max(1, len(shown) // 20)]
    return shown + _ELLIPSIS


def _shown(text: str) -> str:
    """Without characters that the built-in fonts of PDF lack: they hold those of Western languages."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return printable.encode("cp1252", "replace").decode("cp1252")
