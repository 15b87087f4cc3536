"""Draws lines of a terminal, with their colors, as SVG."""
import re
from xml.sax.saxutils import escape

import boxes
from ansi import cells_of, runs

CELL, LINE, SIZE, MARGIN, TOP = 8.4, 18, 14, 16, 40
FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
DOTS = ["#ec6a5e", "#f4bf4f", "#61c554"]
# What is drawn as one piece: spaces, shapes, a symbol or several wide letters (which other fonts draw than the
# letters beside them), or words with single spaces between them.
SYMBOLS, WIDE = r"\u2190-\u2bff", r"\u1100-\u1fff\u2e80-\U0001ffff"
WORD = f"[^ {boxes.ALL}{SYMBOLS}{WIDE}]+"
PIECE = re.compile(f" {{2,}}|[{boxes.ALL}]+|[{SYMBOLS}]|[{WIDE}]+|{WORD}(?: {WORD})*| ")


def picture(lines, columns, about, theme):
    """A window with these lines."""
    parts = [part for number, line in enumerate(lines) for part in row(line, TOP + number * LINE, theme)]
    return window(parts, columns, len(lines), about, theme)


def window(parts, columns, rows, about, theme, head=()):
    """A window around parts: its title, and what it says to those who cannot see it, are in `about`."""
    width, height = columns * CELL + 2 * MARGIN, TOP + rows * LINE + MARGIN
    title, caption, description = about
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}"'
            f' height="{height}" role="img" aria-labelledby="t d"',
            f'  font-family="{FONT}" font-size="{SIZE}">',
            f'<title id="t">{escape(caption)}</title>',
            f'<desc id="d">{escape(description)}</desc>',
            *head,
            f'<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8" fill="{theme.background}"/>',
            f'<path d="M.5 28V8.5a8 8 0 0 1 8-8H{width - 8.5:.1f}a8 8 0 0 1 8 8V28Z" fill="{theme.bar}"/>',
            f'<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8" fill="none" stroke="{theme.border}"/>',
            *(f'<circle cx="{16 + at * 18}" cy="14" r="5" fill="{dot}"/>' for at, dot in enumerate(DOTS)),
            f'<text x="50%" y="19" text-anchor="middle" font-size="13" fill="{theme.muted}">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def row(line, top, theme):
    """The parts of a line."""
    behind, texts, column = [], [], 0
    for text, style in runs(line):
        color, back = paint(style, theme)
        for piece in PIECE.findall(text):
            cells = sum(map(cells_of, piece))
            x, length = MARGIN + column * CELL, cells * CELL
            if back:
                behind.append(f'<rect x="{x:.1f}" y="{top}" width="{length:.1f}" height="{LINE}" fill="{back}"/>')
            if piece[0] in boxes.ALL:
                texts.append(shape(piece, x, top, color))
            elif piece.strip():
                texts.append(letters(piece, x, top, length, color, style, theme))
            column += cells
    # A background never covers a letter beside it.
    return behind + texts


def paint(style, theme):
    color, back = (theme.palette[c] if isinstance(c, int) else c for c in (style.color, style.behind))
    color = color or theme.text
    return (back or theme.background, color) if style.inverse else (color, back)


def shape(text, x, top, color):
    fill, stroke = boxes.path(text, x, top, CELL, LINE)
    fill = f'<path d="{fill}" fill="{color}" shape-rendering="crispEdges"/>' if fill else ""
    return fill + (f'<path d="{stroke}" stroke="{color}" fill="none"/>' if stroke else "")


def letters(text, x, top, length, color, style, theme):
    names = [(style.bold, ' font-weight="bold"'), (style.italic, ' font-style="italic"'), (style.dim, f' opacity="{theme.dim}"')]
    names = "".join(name for on, name in names if on)
    # The length keeps columns aligned, whatever font the reader has.
    return (
        f'<text x="{x:.1f}" y="{top + 13.5}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
        f' fill="{color}"{names}>{escape(text)}</text>'
    )
