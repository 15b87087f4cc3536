"""Takes the lines of a screen that matter, and replaces what is different in each run."""
import re

from ansi import ESCAPE, plain
from stage import SHOWN_HOME

IDS = [
    "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "0199a213-b4d1-7c02-93f6-5e0c71d86b2f",
    "0199a213-c7e8-7391-a2d4-18f9e3b06c7a",
    "0199a213-d90f-7b64-8e15-a7c24d5f9013",
    "0199a213-e2a6-7d58-b7c3-6f1e80b29d45",
]
GAP = f"(?: |{ESCAPE})*"
# What is different in each run (the group "noise", or all), and what is shown instead: the first value in the first
# place and so on, and the last in all others.
NOISE = [
    (r"(?<=127\.0\.0\.1:)\d+", ["43210"]),
    (rf"answered in(?:\s|{ESCAPE})+(?P<noise>\d+) ms", ["5"]),
    # A turn: its summary, the line of a command, the line that shows it is working.
    (r"(?<= turn · )[\d.]+s", ["2.8s"]),
    (r"(?<= · )\d\.\ds$", ["1.1s"]),
    (r"(?<![\d.])0\.\ds(?=\x1b|$)", ["0.0s"]),
    (rf"^{GAP}(?P<noise>[⠁-⣿])", ["⠙"]),
    # The table of jobs.
    (r"(?<=  ) *[\d.]+s(?=  )", ["6.2s", "9.0s", "1.1s", "2.8s", "2.3s"]),
    (r"(?<=  )\d+[smh] ago", ["6s ago", "24s ago", "41s ago", "2m ago", "5m ago"]),
    # Claude Code: how long its turn took, a task.
    (rf"✻{GAP}(?P<noise>\w+ for (?:\d+m )?\d+s(?: · done [\d:]+ [AP]M)?)", ["Worked for 2s"]),
    (rf"Runtime:{GAP}(?P<noise>\d+s)", ["7s"]),
    (rf"Task:{GAP}(?P<noise>\w{{9}})$", ["kfsmn5wtw"]),
]


def steady(lines, home):
    """The lines without what is different in each run."""
    text = "\n".join(lines).replace(str(home), SHOWN_HOME)
    for pattern, values in NOISE:
        left = list(values)

        def value(match):
            new = left.pop(0) if len(left) > 1 else left[0]
            group = "noise" if "noise" in match.re.groupindex else 0
            old, start = match[group], match.start(group) - match.start()
            # Numbers of a table are at the right.
            new = new.rjust(len(old)) if old.startswith(" ") else new
            return match[0][:start] + new + match[0][start + len(old) :]

        text = re.sub(pattern, value, text, flags=re.MULTILINE)
    return ids(text).split("\n")


def ids(text):
    """Each id becomes one that is always the same. A short one is the end of a long one."""
    hexes = r"(?<![-0-9a-f])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8})(?![-0-9a-f])"
    seen = {}

    def value(match):
        new = seen.setdefault(match[0][-8:], IDS[len(seen) % len(IDS)])
        return new[-len(match[0]) :]

    return re.sub(hexes, value, text)


def between(lines, first, last):
    """The lines from the one with `first` to the one with `last`."""
    shown = [plain(line) for line in lines]
    start = next(at for at, line in enumerate(shown) if first in line)
    end = next(at for at, line in enumerate(shown) if last in line and at >= start)
    return lines[start : end + 1]


def without_previews(lines, everything):
    """Leaves out the progress that says how a reply begins: it is only there if the reply and the end come apart."""
    begins = {plain(line)[4:24] for line in everything if plain(line).startswith("  │ ")}
    return [line for line in lines if not (plain(line).startswith("  · ") and plain(line)[4:24] in begins)]


def without_gaps(lines):
    """Of several empty lines, one stays."""
    empty = [not plain(line).strip() for line in lines]
    return [line for at, line in enumerate(lines) if not (empty[at] and at and empty[at - 1])]


def shortened(lines, first, last):
    """Leaves out the lines from the one with `first` to before the one that is `last`."""
    shown = [plain(line).rstrip() for line in lines]
    cut = next(at for at, line in enumerate(shown) if first in line)
    close = next(at for at, line in enumerate(shown) if line == last and at > cut)
    indent = len(shown[cut]) - len(shown[cut].lstrip())
    return lines[:cut] + [" " * indent + "\x1b[2m…\x1b[0m"] + lines[close:]
