"""Reads what a terminal shows: characters, their width and their style."""
import re
from unicodedata import combining, east_asian_width

ESCAPE = r"\x1b\[[0-9;:]*m"


def plain(text):
    return re.sub(ESCAPE, "", text)


def complete(lines):
    """The lines, each with the style that the one before leaves to it: a line can be left out without harm."""
    carried, whole = "", []
    for line in lines:
        whole.append(carried + line)
        for code in re.findall(ESCAPE, line):
            carried = code if code in ("\x1b[m", "\x1b[0m") else carried + code
    return whole


def cells_of(char):
    return 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1


def runs(line):
    """The parts of a line that have one style."""
    style = Style()
    for at, part in enumerate(re.split(r"\x1b\[([0-9;:]*)m", line)):
        if at % 2:
            style = style.after([int(code or 0) for code in re.split("[;:]", part)])
        elif part:
            yield part, style


class Style:
    """Colors are a number of the terminal's palette, or "#rrggbb"."""

    def __init__(self):
        self.color = self.behind = None
        self.bold = self.dim = self.italic = self.inverse = False

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
            elif code in (7, 27):
                new.inverse = code == 7
            elif code == 22:
                new.bold = new.dim = False
            elif code == 23:
                new.italic = False
            elif code in (38, 48):
                setattr(new, "color" if code == 38 else "behind", color(codes))
            elif code in (39, 49):
                setattr(new, "color" if code == 39 else "behind", None)
            elif code in (*range(30, 38), *range(90, 98)):
                new.color = code % 10 + (8 if code >= 90 else 0)
            elif code in (*range(40, 48), *range(100, 108)):
                new.behind = code % 10 + (8 if code >= 100 else 0)
        return new


def color(codes):
    if codes.pop(0) == 2:
        red, green, blue = codes[:3]
        del codes[:3]
        return f"#{red:02x}{green:02x}{blue:02x}"
    number = codes.pop(0)
    if number < 16:
        return number
    if number > 231:
        return "#" + f"{8 + (number - 232) * 10:02x}" * 3
    parts = [(number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6]
    return "#" + "".join(f"{55 + part * 40 if part else 0:02x}" for part in parts)
