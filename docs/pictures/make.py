#!/usr/bin/env python3
"""Makes the pictures of the documentation from real runs, without an account.

    docs/pictures/make.py                 # all, with the debug program, which it builds
    docs/pictures/make.py chat jobs       # these
    docs/pictures/make.py --list          # their names
    docs/pictures/make.py --program P     # with another program

The real program, the real Codex (the one that the tests run) and the real Claude Code run in tmux, in a home of their
own. Only the models are stand-ins (models.py). It needs tmux, npm and Cargo; Claude Code is installed into
target/pictures.

Each picture is there twice: NAME.svg is light, NAME-dark.svg is dark, and pages choose with <picture>. A media query in
one file would follow the browser, not the theme that was chosen on GitHub. Claude Code runs once for each, with its own
light and dark theme; all others have 16 colors, and are drawn twice.

A picture is the screen as it was, except that
- the temporary home is shown as /home/me (its path is as long);
- ids, ports, and how long something took or ago it was, are always the same (NOISE in screen.py), so that a file only
  changes if what it shows has changed;
- some lines are left out: before and after what matters, the last fields of a long answer (at a "…"), empty ones, what
  Claude Code tells new users, and in the demonstration a line of progress that repeats how a reply begins, which is not
  always there;
- the animation shows its lines slowly enough to be read, and in a lower window.
"""
import argparse
import sys
from xml.etree import ElementTree

sys.dont_write_bytecode = True
import animation  # noqa: E402
import parts  # noqa: E402
import scenes  # noqa: E402
import svg  # noqa: E402
from screen import steady  # noqa: E402
from stage import HERE, Stage  # noqa: E402
from theme import DARK, LIGHT  # noqa: E402

# The title of the window, of the picture, and what it shows, for those who cannot see it.
ABOUT = {
    "claude-code": (
        "Claude Code",
        "Claude Code has Codex check a plan",
        "The user asks for a plan that Codex checks. Claude calls codex_guard_plan. The answer has the verdict revise and "
        "a blocker: a retried POST can store the file twice. Claude takes that into the plan.",
    ),
    "claude-code-task": (
        "Claude Code",
        "A background task of Claude Code",
        "The user has Codex port the build. The call is a task in the background, and the task view shows what Codex does, "
        "its session, and that it keeps running when Claude Code exits.",
    ),
    "claude-code-mcp": (
        "Claude Code",
        "The tools of the server in Claude Code",
        "The view of /mcp lists seven tools, and for each whether it only reads.",
    ),
    "chat": (
        "~/upload",
        "chat: a question to Codex in the terminal",
        "The command shows what Codex runs, its reply, a summary, and the commands that go on in the session.",
    ),
    "jobs": (
        "~/upload",
        "jobs: the jobs and their states",
        "One job is running, one was cancelled, one failed because of a usage limit, and two are completed.",
    ),
    "jobs-follow": (
        "~/upload",
        "jobs follow: what a job does",
        "The prompt, the command that Codex ran, the file that it changed, its reply, a summary, and how to go on.",
    ),
    "doctor": (
        "~/upload",
        "doctor: what is wrong, and how to fix it",
        "A warning that Claude Code ends calls after a minute, with its fix, and then all that is fine.",
    ),
    "demo": (
        "~/upload",
        "demo: a session goes on after the server was killed",
        "Codex answers a question. The server is killed. A new one goes on in the same session, and Codex knows the "
        "question.",
    ),
    "conversation": (
        "~/upload",
        "A conversation with Codex, animated",
        "The demonstration: Codex picks a plan apart, answers a question, and after the server was killed goes on in the "
        "same session.",
    ),
    "map": (
        "",
        "The parts, and what outlives what",
        "A client calls the server. The server puts turns into the queue, which starts Codex for one turn at a time in a "
        "session; Codex keeps the sessions in its own store. A job has a process of its own that uses the same queue, and "
        "a folder. If the client or the server dies, its calls are stopped, while jobs go on. Sessions stay, whatever dies.",
    ),
}
# What runs, and what draws it. Those of Claude Code run once for each theme.
RUNS = {
    "claude-code": (scenes.claude_code, svg),
    "claude-code-task": (scenes.claude_code_task, svg),
    "claude-code-mcp": (scenes.claude_code_mcp, svg),
    "chat": (scenes.chat, svg),
    "jobs": (scenes.jobs, svg),
    "jobs-follow": (scenes.jobs_follow, svg),
    "doctor": (scenes.doctor, svg),
    "demo": (scenes.demo, svg),
    "conversation": (animation.demo, animation),
    "map": (None, parts),
}


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("names", nargs="*", metavar="NAME", help="the pictures to make [default: all]")
    options.add_argument("--program", help="the program that they show [default: the debug program, which is built]")
    options.add_argument("--list", action="store_true", help="print the names")
    options = options.parse_args()
    if unknown := set(options.names) - set(RUNS):
        sys.exit(f"there is no picture {', '.join(unknown)}, only: {' '.join(RUNS)}")
    if options.list:
        return print("\n".join(f"{name}: {about[1]}" for name, about in ABOUT.items()))
    for name in options.names or RUNS:
        make(name, options.program)


def make(name, program):
    run, draws = RUNS[name]
    seen = None
    for theme in [LIGHT, DARK]:
        if run and (seen is None or name.startswith("claude-code")):
            with Stage(program) as stage:
                seen = run(stage, theme)
                if isinstance(seen, list):
                    seen = steady(seen, stage.home)
        text = draws.picture(seen, scenes.COLUMNS, ABOUT[name], theme)
        # Nothing is written that a browser would refuse.
        ElementTree.fromstring(text)
        path = HERE / f"{name}{'-dark' if theme is DARK else ''}.svg"
        path.write_text(text)
        print(f"{path.name}: {len(text.encode()) // 1024} KiB")


if __name__ == "__main__":
    main()
