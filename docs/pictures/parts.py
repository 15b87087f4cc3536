"""The map: which parts there are, which of them works for which, and what outlives what."""
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 560, 700
SANS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
# Name, what it is, and where: left, top, width.
BOXES = {
    "client": ("client", "Claude Code, Cursor, Codex, …", 16, 16, 256),
    "server": ("server", "one for each client", 16, 110, 256),
    "job": ("job's process", "one for each job", 336, 110, 208),
    "folder": ("job's folder", "prompts, events, results", 336, 220, 208),
    "queue": ("queue", "shared by all servers and jobs", 16, 220, 256),
    "codex": ("codex exec", "your Codex, one process per turn", 16, 320, 256),
    "watchdog": ("watchdog", "one for each Codex", 336, 320, 208),
    "store": ("session store", "Codex's own", 16, 414, 256),
}
HIGH = 54
# From, to, and what is said on the way. Dashed: not on the way of a prompt.
ARROWS = [
    ("client", "server", "call ↓   ↑ answer", False),
    ("server", "queue", "turn", False),
    ("server", "job", "starts", True),
    ("job", "queue", "turn", False),
    ("job", "folder", "every event", False),
    ("queue", "codex", "one turn at a time in a session", False),
    ("watchdog", "codex", "stops", True),
    ("codex", "store", "", False),
]
NOTE = ["if the server or the job's", "process that started it dies"]
GOOD, BAD = "good", "bad"
HEADS = ["When this dies,", "its calls", "its jobs", "sessions"]
DEATHS = [
    ("client", (BAD, "are stopped"), (GOOD, "go on"), (GOOD, "stay")),
    ("server", (BAD, "are stopped"), (GOOD, "go on"), (GOOD, "stay")),
    ("job's process", (GOOD, "go on"), (BAD, "are interrupted"), (GOOD, "stay")),
    ("codex exec", (BAD, "fail"), (BAD, "fail"), (GOOD, "stay")),
    ("the machine", (BAD, "are lost"), (BAD, "are interrupted"), (GOOD, "stay")),
]
LAST = "An interrupted job goes on when it is sent its next prompt."
COLUMNS, TABLE, ROW = [16, 176, 316, 466], 504, 28


def picture(_, __, about, theme):
    _, caption, description = about
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
            f' role="img" aria-labelledby="t d" font-family="{SANS}" font-size="14">',
            f'<title id="t">{escape(caption)}</title>',
            f'<desc id="d">{escape(description)}</desc>',
            f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8" fill="{theme.background}" stroke="{theme.border}"/>',
            f'<marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
            f'<path d="M0 0l8 4l-8 4z" fill="{theme.muted}"/></marker>',
            *(arrow(*which, theme) for which in ARROWS),
            *(box(*which, theme) for which in BOXES.values()),
            *(text(348, 390 + at * 19, line, theme.muted) for at, line in enumerate(NOTE)),
            *table(theme),
            text(16, HEIGHT - 18, LAST, theme.muted),
            "</svg>\n",
        ]
    )


def box(name, what, left, top, width, theme):
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{HIGH}" rx="6" fill="{theme.bar}" stroke="{theme.border}"/>'
        + text(left + 12, top + 22, name, theme.text, f' font-weight="bold" font-family="{MONO}"')
        + text(left + 12, top + 43, what, theme.muted)
    )


def arrow(start, end, label, is_aside, theme):
    (_, _, x1, y1, w1), (_, _, x2, y2, w2) = BOXES[start], BOXES[end]
    if x1 == x2:
        middle = x1 + 40
        way, at = f"M{middle} {y1 + HIGH}V{y2}", (middle + 12, (y1 + HIGH + y2) / 2 + 5)
    elif y1 == y2:
        edges = (x1 + w1, x2) if x1 < x2 else (x1, x2 + w2)
        way, at = f"M{edges[0]} {y1 + 22}H{edges[1]}", (min(edges) + 13, y1 + 15)
    else:
        # From the job to the queue, below the server.
        way, at = f"M{x1 + 18} {y1 + HIGH}V{y2 - 28}H{x2 + w2 - 40}V{y2}", (x1 - 50, y2 - 34)
    dashes = ' stroke-dasharray="4 3"' if is_aside else ""
    line = f'<path d="{way}" fill="none" stroke="{theme.muted}" stroke-width="1.5" marker-end="url(#a)"{dashes}/>'
    return line + (text(*at, label, theme.muted) if label else "")


def table(theme):
    for at, head in enumerate(HEADS):
        yield text(COLUMNS[at], TABLE, head, theme.muted, ' font-weight="bold"')
    for number, (what, *ends) in enumerate(DEATHS):
        top = TABLE + 12 + number * ROW
        yield f'<path d="M16 {top}H{WIDTH - 16}" stroke="{theme.border}"/>'
        yield text(COLUMNS[0], top + 20, what, theme.text)
        for at, (kind, end) in enumerate(ends):
            mark, color = ("✓", theme.good) if kind == GOOD else ("✗", theme.bad)
            yield text(COLUMNS[at + 1], top + 20, f"{mark} {end}", color)


def text(x, y, words, color, more=""):
    return f'<text x="{x}" y="{y:g}" fill="{color}"{more}>{escape(words)}</text>'
