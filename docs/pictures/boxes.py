"""Characters that join those beside them. Fonts leave gaps between lines, so they are drawn as shapes."""

# Which sides of the cell a line leads to: left, right, up, down.
LINES = {
    "─": "lr", "━": "lr", "╌": "lr", "│": "ud", "┃": "ud", "╎": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu",
    "├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru", "┼": "lrud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu",
    # Few fonts have it.
    "⎿": "ru",
}
# Parts of the cell that are filled, in eighths: left, top, right, bottom.
BLOCKS = {
    "▔": [(0, 0, 8, 1)], "▁": [(0, 7, 8, 8)], "▀": [(0, 0, 8, 4)], "▄": [(0, 4, 8, 8)], "█": [(0, 0, 8, 8)],
    "▌": [(0, 0, 4, 8)], "▐": [(4, 0, 8, 8)], "▎": [(0, 0, 2, 8)], "▍": [(0, 0, 3, 8)], "▏": [(0, 0, 1, 8)],
}
UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT = (0, 0, 4, 4), (4, 0, 8, 4), (0, 4, 4, 8), (4, 4, 8, 8)
BLOCKS |= {
    "▘": [UPPER_LEFT], "▝": [UPPER_RIGHT], "▖": [LOWER_LEFT], "▗": [LOWER_RIGHT],
    "▚": [UPPER_LEFT, LOWER_RIGHT], "▞": [UPPER_RIGHT, LOWER_LEFT],
    "▛": [UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT], "▜": [UPPER_LEFT, UPPER_RIGHT, LOWER_RIGHT],
    "▙": [UPPER_LEFT, LOWER_LEFT, LOWER_RIGHT], "▟": [UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT],
}
ALL = "".join([*LINES, *BLOCKS])


def path(text, x, y, cell, line):
    """The outline to fill for characters from (x, y) on, and the one to stroke."""
    fill, stroke = [], []
    if set(text) <= {"─", "━"}:
        return "", f"M{x:.1f} {y + line / 2:.1f}h{len(text) * cell:.1f}"
    for at, char in enumerate(text):
        left = x + at * cell
        for x1, y1, x2, y2 in BLOCKS.get(char, []):
            wide, high = (x2 - x1) * cell / 8, (y2 - y1) * line / 8
            fill.append(f"M{left + x1 * cell / 8:.1f} {y + y1 * line / 8:.1f}h{wide:.1f}v{high:.1f}h{-wide:.1f}z")
        ends = {"l": (-cell / 2, 0), "r": (cell / 2, 0), "u": (0, -line / 2), "d": (0, line / 2)}
        for side in LINES.get(char, ""):
            across, down = ends[side]
            stroke.append(f"M{left + cell / 2:.1f} {y + line / 2:.1f}l{across:.1f} {down:.1f}")
    return "".join(fill), "".join(stroke)
