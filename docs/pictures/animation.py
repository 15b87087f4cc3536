"""An animated picture of a command, made from what its terminal showed at each change.

It shows the lines in the order in which they came, but takes the time that a reader needs: the real run is faster. With
reduced motion, and where nothing is animated, it is the last screen.
"""
import re
import time

import svg
from ansi import plain
from scenes import COLUMNS, command_line
from screen import steady, without_previews

ROWS = 28
# Seconds that the first screen stays, a line, one that says it is working, and the last screen.
INTRO, LINE, WORKING, END = 3, 0.4, 0.9, 7
# And after a reply: a second, and this for each of its characters.
READING = 0.013
SPINNER = re.compile("[⠁-⣿] (session |thinking|running: )?")


def demo(stage, _):
    """The lines that the demonstration printed, and those that it replaced by others: where they were, and what."""
    frames = record(stage, "codex-persistent-mcp demo", "ask   ")
    frames = [without_previews(frame, frames[-1]) for frame in frames]
    final = frames[-1]
    passing = {}
    for frame in frames:
        working = SPINNER.match(plain(frame[-1]))
        printed = len(frame) - bool(working)
        # The last line may be incomplete.
        if [*map(plain, frame[: printed - 1])] != [*map(plain, final[: printed - 1])]:
            raise SystemExit("a line changed after it was printed:\n" + "\n".join(map(plain, frame)))
        if working and lasts(working[1], plain(final[printed])):
            passing[printed] = frame[-1]
    lines = steady([*final, *passing.values()], stage.home)
    return lines[: len(final)], dict(zip(passing, lines[len(final) :]))


def lasts(work, following):
    """Whether something is always done for long enough to be seen. Codex does not think long before a reply."""
    return bool(work) and not (work == "thinking" and is_reply(following))


def record(stage, command, last):
    """Each screen that the command showed, until `last` is on it."""
    frames = []
    until = time.monotonic() + 90
    with stage.terminal(command_line(command), COLUMNS, 90) as terminal:
        while time.monotonic() < until:
            frame = terminal.screen()
            if frames[-1:] != [frame]:
                frames.append(frame)
            if last in plain(frame[-1]):
                return frames
            time.sleep(0.04)
    raise SystemExit("this is all that came:\n" + "\n".join(frames[-1]))


def picture(recorded, columns, about, theme):
    lines, passing = recorded
    times, working, end = timeline([*map(plain, lines)], passing)
    rules, parts, scrolls = Rules(end), [], {}
    for at, line in enumerate(lines):
        top = svg.TOP + at * svg.LINE
        if at in passing:
            drawn = svg.row(passing[at], top, theme)
            parts.append(f'<g class="w" style="animation-name:{rules.passing(*working[at])}">{"".join(drawn)}</g>')
        drawn = svg.row(line, top, theme)
        if drawn and times[at]:
            parts.append(f'<g class="l" style="animation-name:{rules.from_then_on(times[at])}">{"".join(drawn)}</g>')
        else:
            parts += drawn
        # A line that says it is working needs a row, too.
        scrolls[working[at][0] if at in passing else times[at]] = min(0, ROWS - at - 1) * svg.LINE
    head = [
        f"<style>.l,.w,.s{{animation:{end:.1f}s step-end infinite}}.w{{visibility:hidden}}",
        f".s{{transform:translateY({min(scrolls.values())}px)}}",
        "@media (prefers-reduced-motion:reduce){.l,.w,.s{animation:none!important}}",
        *rules.text(scrolls),
        "</style>",
        f'<clipPath id="c"><rect y="{svg.TOP}" width="100%" height="{ROWS * svg.LINE}"/></clipPath>',
    ]
    body = ['<g clip-path="url(#c)"><g class="s" style="animation-name:s">', *parts, "</g></g>"]
    return svg.window(body, columns, ROWS, about, theme, head)


def timeline(lines, passing):
    """When each line appears; when those that are replaced appear and go; and when all is over."""
    intro = next(at for at, line in enumerate(lines) if line.startswith("== "))
    now, times, working = 0, [], {}
    for at, line in enumerate(lines):
        if at in passing:
            working[at] = now, now + WORKING
            now += WORKING
        times.append(now)
        if at == intro - 1:
            now += INTRO
        elif at >= intro and line:
            now += pause(lines, at)
    return times, working, now + END


def pause(lines, at):
    """How long it takes until something follows a line. A reply comes as a whole."""
    line = lines[at]
    if not is_reply(line):
        return LINE + READING * len(line) * line.startswith("> ")
    if at + 1 < len(lines) and is_reply(lines[at + 1]):
        return 0
    start = at
    while is_reply(lines[start - 1]):
        start -= 1
    return 1 + READING * sum(map(len, lines[start : at + 1]))


def is_reply(line):
    return line.startswith("  │")


class Rules:
    """The animations, each once."""

    def __init__(self, end):
        self.end = end
        self.names = {}

    def name(self, rule):
        return self.names.setdefault(rule, f"a{len(self.names)}")

    def percent(self, moment):
        return f"{100 * moment / self.end:.2f}%"

    def from_then_on(self, moment):
        return self.name(f"0%{{visibility:hidden}}{self.percent(moment)}{{visibility:visible}}")

    def passing(self, start, stop):
        return self.name(self.steps("visibility", {0: "hidden", start: "visible", stop: "hidden"}))

    def steps(self, name, values):
        return "".join(f"{self.percent(moment)}{{{name}:{value}}}" for moment, value in values.items())

    def text(self, scrolls):
        yield f"@keyframes s{{{self.steps('transform', {m: f'translateY({to}px)' for m, to in scrolls.items()})}}}"
        for rule, name in self.names.items():
            yield f"@keyframes {name}{{{rule}}}"
