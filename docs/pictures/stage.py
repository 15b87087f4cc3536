"""Where the pictures are taken: a home of its own, with Codex, Claude Code and the server, in tmux."""
import json
import os
import pathlib
import random
import shutil
import string
import subprocess
import sys
import tempfile
import time

from ansi import complete
from models import Claude, Codex, serve

HERE = pathlib.Path(__file__).parent
CHECKOUT = HERE.parent.parent
SHOWN_HOME = "/home/me"
CLAUDE_CODE = "@anthropic-ai/claude-code@2.1.332"
KEY = "stand-in-key-0123456789"
FILES = {
    "upload.py": "import requests\n\n\ndef upload(path, url):\n    return requests.post(url, data=open(path, 'rb'))\n",
    "main.py": "import sys\n\nfrom upload import upload\n\nupload(*sys.argv[1:])\n",
    "Makefile": "test:\n\tpytest -q\n",
}


class Stage:
    """Made for each picture, and removed after it."""

    def __init__(self, program):
        self.program = pathlib.Path(program).resolve() if program else built()
        self.home = short_home()
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="pictures-"))
        self.models = {Codex: serve(Codex), Claude: serve(Claude)}
        self.project = self.home / "upload"
        self.bin = self.home / ".local/bin"
        for folder in [self.project, self.bin, self.home / ".codex", self.home / ".claude"]:
            folder.mkdir(parents=True)
        for name, text in FILES.items():
            (self.project / name).write_text(text)
        os.symlink(self.program, self.bin / "codex-persistent-mcp")
        os.symlink(pinned_codex(), self.bin / "codex")
        (self.home / ".codex/config.toml").write_text(
            'model = "gpt-5.5"\nmodel_provider = "stand-in"\ncheck_for_update_on_startup = false\n'
            'analytics.enabled = false\nmodel_providers.stand-in.name = "stand-in"\n'
            f'model_providers.stand-in.base_url = "{self.models[Codex]}/v1"\n'
            'model_providers.stand-in.wire_api = "responses"\n'
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Jobs outlive their server, and so would the ones that wait for a model.
        for job in self.jobs("--status running"):
            self.sh(f"codex-persistent-mcp jobs cancel {job['job_id']}")
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.base, ignore_errors=True)

    def environment(self):
        return {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": self.models[Claude],
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "ENABLE_TOOL_SEARCH": "false",
            "IS_SANDBOX": "1",
        }

    def sh(self, line):
        """What a command prints that prepares a picture."""
        run = ["bash", "-c", line]
        return subprocess.run(run, env=self.environment(), cwd=self.project, capture_output=True, text=True).stdout

    def jobs(self, words=""):
        return [json.loads(line) for line in self.sh(f"codex-persistent-mcp jobs --json {words}").splitlines()]

    def claude(self, theme):
        """The path of Claude Code, which is set up for a theme."""
        known = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        entry = {"type": "stdio", "command": "codex-persistent-mcp", "args": []}
        about = {
            "hasCompletedOnboarding": True,
            "theme": theme,
            "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
            "projects": {str(self.project): known},
            "mcpServers": {"codex-persistent": entry},
        }
        (self.home / ".claude.json").write_text(json.dumps(about))
        # Else it picks other words and tips each time.
        settings = {
            "theme": theme,
            "spinnerTipsEnabled": False,
            "spinnerVerbs": {"mode": "replace", "verbs": ["Working"]},
        }
        (self.home / ".claude/settings.json").write_text(json.dumps(settings))
        return claude_code()

    def terminal(self, command, columns, rows=70):
        return Terminal(self, command, columns, rows)


class Terminal:
    """A command in a tmux of its own: one that was asked to end is still there for a moment."""

    def __init__(self, stage, command, columns, rows):
        self.socket = str(stage.base / f"tmux-{time.time_ns()}")
        exports = [f"{name}={value}" for name, value in stage.environment().items()]
        size = ["-x", str(columns), "-y", str(rows)]
        start = ["new-session", "-d", *size, "-c", str(stage.project), "env", "-i", *exports, *command]
        self.tmux("-f", "/dev/null", *start)

    def tmux(self, *arguments):
        run = ["tmux", "-S", self.socket, *arguments]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        program = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        self.tmux("kill-server")
        # It may still write into its home.
        until = time.monotonic() + 20
        while is_alive(program) and time.monotonic() < until:
            time.sleep(0.1)

    def screen(self):
        """The lines, with their colors."""
        return complete(self.tmux("capture-pane", "-e", "-p").rstrip().split("\n"))

    def wait(self, *texts):
        """The lines, once all these texts are on the screen and it does not change for a moment."""
        until = time.monotonic() + 90
        last = None
        while True:
            plain = self.tmux("capture-pane", "-p")
            if plain == last and all(text in plain for text in texts):
                return self.screen()
            if time.monotonic() > until:
                sys.exit(f"{texts} did not come. This is all that came:\n{plain}")
            last = plain
            time.sleep(0.7)

    def type(self, text, *keys):
        self.tmux("send-keys", "-l", text)
        self.press(*keys)

    def press(self, *keys):
        for key in keys:
            # A program takes keys that come at once for pasted text.
            time.sleep(0.7)
            self.tmux("send-keys", key)


def is_alive(process):
    try:
        os.kill(process, 0)
        return True
    except ProcessLookupError:
        return False


def short_home():
    """A new folder whose path is as long as the one that is shown instead, so that lines break at the same words."""
    while True:
        name = random.choices(string.ascii_lowercase + string.digits, k=len(SHOWN_HOME) - len("/tmp/"))
        home = pathlib.Path("/tmp") / "".join(name)
        try:
            home.mkdir(mode=0o700)
            return home
        except FileExistsError:
            pass


def built():
    """The debug program of this checkout."""
    subprocess.run(["cargo", "build", "--quiet", "--bin", "codex-persistent-mcp"], cwd=CHECKOUT, check=True)
    return target() / "debug/codex-persistent-mcp"


def pinned_codex():
    """The Codex that the tests run, which they or this install."""
    folder = CHECKOUT / "tests/codex"
    program = folder / "node_modules/.bin/codex"
    if not program.exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True)
    return program


def claude_code():
    """The path of Claude Code, which npm installs once."""
    folder = target() / "pictures"
    program = folder / "node_modules/.bin/claude"
    marker = folder / CLAUDE_CODE.replace("/", "-")
    if not marker.exists():
        run = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), CLAUDE_CODE]
        subprocess.run(run, check=True, capture_output=True)
        marker.touch()
    return str(program)


def target():
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target"))
