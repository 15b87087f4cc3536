"""Draws lines of a terminal, with their colors, as SVG."""
import re
from unicodedata import combining, east_asian_width
from xml.sax.saxutils import escape

# The background is dark, so that a picture is the same in light and dark pages.
BACKGROUND, BAR, FOREGROUND = "#181a1f", "#21252b", "#dcdfe4"
BASIC = ["#3f4451", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#dcdfe4"]
BRIGHT = ["#7f848e", "#f07178", "#a9dc76", "#ffd580", "#82c4ff", "#dd99ff", "#76d6e2", "#ffffff"]
CELL, LINE, SIZE, MARGIN, TOP = 8.4, 18, 14, 16, 44


def svg(lines, columns, title):
    width, height = columns * CELL + 2 * MARGIN, TOP + len(lines) * LINE + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}"',
        f'  font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="{SIZE}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<path d="M0 28V8a8 8 0 0 1 8-8H{width - 8:.0f}a8 8 0 0 1 8 8V28Z" fill="{BAR}"/>',
        *(f'<circle cx="{16 + at * 18}" cy="14" r="5" fill="{color}"/>' for at, color in enumerate(BASIC[1:4:2] + BASIC[2:3])),
        f'<text x="50%" y="19" text-anchor="middle" font-size="13" fill="{BRIGHT[0]}">{escape(title)}</text>',
    ]
    texts, style = [], Style()
    for number, line in enumerate(lines):
        column = 0
        for text, style in runs(line, style):
            for word in re.finditer(r"\S+(?: \S+)*|\s+", text):
                cells = sum(map(cells_of, word[0]))
                x, top, length = MARGIN + column * CELL, TOP + number * LINE, cells * CELL
                if style.behind:
                    parts.append(f'<rect x="{x:.1f}" y="{top}" width="{length:.1f}" height="{LINE}" fill="{style.behind}"/>')
                if word[0].strip():
                    texts.append(drawn(word[0], x, top, length, style))
                column += cells
    # A background never covers a letter beside it.
    return "\n".join([*parts, *texts, "</svg>\n"])


def drawn(text, x, top, length, style):
    # Few fonts have the first of these. The length keeps columns aligned, whatever font the reader has.
    text = escape(text.replace("⎿", "└"))
    return (
        f'<text x="{x:.1f}" y="{top + 13.5}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
        f' fill="{style.color or FOREGROUND}"{style.attributes()}>{text}</text>'
    )


def cells_of(char):
    return 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1


class Style:
    def __init__(self):
        self.color = self.behind = None
        self.bold = self.dim = self.italic = False

    def attributes(self):
        names = [(self.bold, ' font-weight="bold"'), (self.italic, ' font-style="italic"'), (self.dim, ' opacity="0.6"')]
        return "".join(name for on, name in names if on)

    def after(self, codes):
        """The style after an escape sequence with these numbers."""
        new = Style()
        new.__dict__.update(self.__dict__)
        while codes:
            code = codes.pop(0)
            if code == 0:
                new = Style()
            elif code in (1, 2, 3):
                setattr(new, ["bold", "dim", "italic"][code - 1], True)
            elif code == 22:
                new.bold = new.dim = False
            elif code == 23:
                new.italic = False
            elif code in (38, 48):
                setattr(new, "color" if code == 38 else "behind", color(codes))
            elif code in (39, 49):
                setattr(new, "color" if code == 39 else "behind", None)
            elif code in (*range(30, 38), *range(90, 98)):
                new.color = (BASIC if code < 90 else BRIGHT)[code % 10]
        return new


def color(codes):
    if codes.pop(0) == 2:
        red, green, blue = codes[:3]
        del codes[:3]
        return f"#{red:02x}{green:02x}{blue:02x}"
    number = codes.pop(0)
    if number < 16:
        return (BASIC + BRIGHT)[number]
    if number > 231:
        return "#" + f"{8 + (number - 232) * 10:02x}" * 3
    parts = [(number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6]
    return "#" + "".join(f"{55 + part * 40 if part else 0:02x}" for part in parts)


def runs(line, style):
    """The parts of a line that have one style."""
    parts = re.split(r"\x1b\[([0-9;:]*)m", line)
    for at, part in enumerate(parts):
        if at % 2:
            style = style.after([int(code or 0) for code in re.split("[;:]", part)])
        elif part:
            yield part, style
    # The style goes on in the next line.
    yield "", style
