"""The real runs that the pictures show: what is typed, and which lines matter."""
import json
import time

from ansi import plain
from models import ASK_REVIEW, ASK_TASK, QUESTION
from screen import between, shortened, without_gaps, without_previews

COLUMNS = 84


def claude_code(stage, theme):
    """A call of a guard, with its answer."""
    allowed = ["--allowedTools", "mcp__codex-persistent"]
    with stage.terminal([stage.claude(theme.name), "--verbose", *allowed, "--", ASK_REVIEW], COLUMNS) as terminal:
        lines = terminal.wait("Shall I build it?")
    return shortened(between(lines, ASK_REVIEW[:40], "Shall I build it?"), '"effective": {', "     }")


def claude_code_task(stage, theme):
    """The view of a background task."""
    allowed = ["--allowedTools", "mcp__codex-persistent"]
    with stage.terminal([stage.claude(theme.name), *allowed, "--", ASK_TASK], COLUMNS, 36) as terminal:
        terminal.wait("1 MCP task", "when it is done.")
        wait_until(stage, "running: printf")
        terminal.press("Down")
        terminal.wait("enter to view tasks")
        terminal.press("Enter")
        lines = terminal.wait("Server task:", "x to stop")
    return without_gaps(between(lines, ASK_TASK[:30], "x to stop"))


def claude_code_mcp(stage, theme):
    """The list of the server's tools."""
    with stage.terminal([stage.claude(theme.name)], COLUMNS, 36) as terminal:
        terminal.wait("❯")
        terminal.type("/mcp", "Enter")
        terminal.wait("7 tools", "Enter to view")
        terminal.press("Enter")
        terminal.wait("View tools")
        terminal.press("Enter")
        lines = terminal.wait("Find Codex sessions")
    # Without what it tells new users.
    shown = [line for line in between(lines, "Claude Code v", "to navigate") if not plain(line).startswith("▎")]
    return without_gaps(shown)


def chat(stage, _):
    return shell(stage, f"codex-persistent-mcp chat '{QUESTION}'", "take over:")


def jobs(stage, _):
    """Jobs in several states."""
    ended(stage, "chat --detach 'find dead code'")
    ended(stage, "chat --detach -s workspace-write 'add type hints to upload()'")
    ended(stage, "chat --detach 'write a changelog for 0.2'")
    stage.sh("codex-persistent-mcp chat --detach 'speed up the tests'")
    wait_until(stage, "running: cat")
    stage.sh(f"codex-persistent-mcp jobs cancel {stage.jobs()[0]['job_id']}")
    stage.sh("codex-persistent-mcp chat --detach -s workspace-write 'Port the Makefile to a justfile'")
    wait_until(stage, "running: printf")
    return shell(stage, "codex-persistent-mcp jobs", "show one:")


def jobs_follow(stage, _):
    """What a job does, from its start to its end."""
    stage.sh("codex-persistent-mcp chat --detach -s workspace-write 'add type hints to upload()'")
    return shell(stage, "codex-persistent-mcp jobs follow", "take over:")


def doctor(stage, _):
    """With an entry of a client that needs a fix."""
    stage.sh("codex-persistent-mcp setup claude")
    entries = stage.home / ".claude.json"
    about = json.loads(entries.read_text())
    about["mcpServers"]["codex-persistent"]["timeout"] = 60_000
    entries.write_text(json.dumps(about))
    return shell(stage, "codex-persistent-mcp doctor", "problem")


def demo(stage, _):
    """The end of the demonstration: the server is killed, and the session goes on."""
    lines = shell(stage, "codex-persistent-mcp demo", "ask   ")
    return between(without_previews(lines, lines), "== codex_chat", "not exact.")


def shell(stage, command, last):
    """The screen of a command, from its line to the one with `last`."""
    with stage.terminal(command_line(command), COLUMNS) as terminal:
        return between(terminal.wait(last), "$ codex-persistent-mcp", last)


def command_line(command):
    """Shows a command as if it was typed, and runs it. The terminal stays."""
    return ["bash", "-c", f'printf "\\033[2m$\\033[0m %s\\n" "$0"; {command}; cat', command]


def ended(stage, words):
    """Starts a job, and waits for its end."""
    stage.sh(f"codex-persistent-mcp {words}; codex-persistent-mcp jobs follow")


def wait_until(stage, activity):
    """Waits until the newest job does this, after all commands that it runs."""
    until = time.monotonic() + 60
    now = before = None
    while time.monotonic() < until:
        job = stage.jobs()[0]
        now = (job.get("last_activity"), job.get("cursor"))
        if activity in str(now[0]) and now == before:
            return
        before = now
        time.sleep(1)
    raise SystemExit(f"the job did not get to: {activity}, but to {before}")
