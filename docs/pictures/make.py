#!/usr/bin/env python3
"""Makes the pictures of the documentation from real runs, without an account.

    cargo build --release && docs/pictures/make.py target/release/codex-persistent-mcp

The real Claude Code runs in tmux and has the real Codex review a plan, through the real server. Only the two models are
stand-ins, with the lines below. A picture is the screen as it was, from the first to the last line that matters, except
that the temporary home is shown as /home/me, and that the last fields of a long answer are left out at a "…". Claude Code
shows answers in full because of --verbose. Needs tmux and npm; Claude Code and Codex are those on the PATH, else npm
gets them.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True
from svg import svg  # noqa: E402

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 100, 70
PROMPT = "Uploads fail with 503 now and then. Plan a fix, and have Codex check the plan before you write code."
PLAN = "1. Retry the POST in upload() up to five times. 2. Wait 1 s between tries. 3. Log each retry."
REQUIREMENTS = "An upload that meets a 503 is tried again. No file is ever stored twice."
REVIEW = {
    "critique": "Step 1 repeats a POST without an idempotency key. If the first answer was lost, the file is stored "
    "twice. Step 2: a fixed second makes all clients come back at once. Use backoff with jitter.",
    "verdict": "revise",
    "findings": [
        {
            "severity": "blocker",
            "title": "A retried POST can store the file twice",
            "where": "step 1; upload.py:5",
            "why": "Nothing tells the server that it is the same upload.",
            "suggestion": "Send an idempotency key.",
        }
    ],
}
SUMMARY = (
    "Codex wants a change before I write code:\n\n"
    "- **Blocker**: a retried POST can store the file twice (upload.py:5). I will send an idempotency key.\n"
    "- It also suggests backoff with jitter instead of a fixed second.\n\n"
    "I have both in the plan now. Shall I build it?"
)
QUESTION = "why do uploads fail now and then?"
REPLY = (
    "upload() sends the file once and never looks at the answer: on a 503 the upload is lost, and nobody is told "
    "(upload.py:5).\n\nNothing in this project retries. I would raise on an error status first, then retry 503 with "
    "backoff and an idempotency key."
)
UPLOAD = "import requests\n\n\ndef upload(path, url):\n    return requests.post(url, data=open(path, 'rb'))\n"


class Handler(BaseHTTPRequestHandler):
    """A stand-in for a model: POST is answered with a stream of events."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")

    def do_HEAD(self):
        self.answer({})

    def do_GET(self):
        self.answer({"object": "list", "data": [], "models": []})

    def answer(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self.close_connection = True


class Codex(Handler):
    """OpenAI's Responses API: looks at the project, then reviews or answers."""

    def do_POST(self):
        request = self.body()
        time.sleep(0.7)
        outputs = sum(str(item.get("type", "")).endswith("_call_output") for item in request.get("input", []))
        is_question = QUESTION in json.dumps(request.get("input", []))
        commands = ["cat upload.py", "grep -rn retry ."] if is_question else ["cat upload.py"]
        tools = [tool.get("name") for tool in request.get("tools", [])]
        if outputs < len(commands):
            name = "exec_command" if "exec_command" in tools else "shell_command"
            command = {"cmd" if name == "exec_command" else "command": commands[outputs]}
            call = {"arguments": json.dumps(command), "call_id": f"call_{outputs}"}
            item = {"type": "function_call", "name": name, **call}
        else:
            said = REPLY if is_question else json.dumps(REVIEW)
            text = {"type": "output_text", "text": said, "annotations": []}
            item = {"type": "message", "role": "assistant", "status": "completed", "content": [text]}
        item["id"] = f"item_{time.time_ns()}"
        usage = {
            "input_tokens": 6200,
            "input_tokens_details": {"cached_tokens": 4100},
            "output_tokens": 210,
            "output_tokens_details": {"reasoning_tokens": 40},
            "total_tokens": 6410,
        }
        response = {"id": f"resp_{time.time_ns()}", "object": "response"}
        self.stream(
            [
                {"type": "response.created", "response": {**response, "status": "in_progress"}},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": {**response, "status": "completed", "output": [item], "usage": usage}},
            ]
        )


class Claude(Handler):
    """Anthropic's Messages API: has Codex review the plan, then says what came out."""

    def do_POST(self):
        request = self.body()
        if self.path.split("?")[0].endswith("/count_tokens"):
            return self.answer({"input_tokens": 1000})
        turn = sum(message["role"] == "assistant" for message in request.get("messages", []))
        time.sleep(0.5)
        if not request.get("tools"):
            blocks = [{"type": "text", "text": "Fix uploads"}]
        elif turn == 0:
            plan = {"requirements": REQUIREMENTS, "plan": PLAN}
            tool = {"type": "tool_use", "id": "toolu_1", "name": "mcp__codex-persistent__codex_guard_plan", "input": plan}
            blocks = [{"type": "text", "text": "I have a plan. Codex looks at it first."}, tool]
        else:
            blocks = [{"type": "text", "text": SUMMARY}]
        stop = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
        usage = {"input_tokens": 900, "output_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        message = {
            "id": f"msg_{time.time_ns()}",
            "type": "message",
            "role": "assistant",
            "model": request.get("model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        if not request.get("stream"):
            return self.answer({**message, "content": blocks, "stop_reason": stop})
        events = [{"type": "message_start", "message": message}]
        for index, block in enumerate(blocks):
            if block["type"] == "text":
                start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                start = {**block, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            events.append({"type": "content_block_start", "index": index, "content_block": start})
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            events.append({"type": "content_block_stop", "index": index})
        delta = {"stop_reason": stop, "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 60}})
        self.stream(events + [{"type": "message_stop"}])


def serve(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    # A client that is stopped leaves its connections.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def npm(folder, package, program):
    """The path of a program that npm has installed."""
    found = shutil.which(program)
    if found:
        return found
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, package], check=True, capture_output=True)
    return str(pathlib.Path(folder) / "node_modules/.bin" / program)


def tmux(*arguments):
    return subprocess.run(["tmux", *arguments], check=True, capture_output=True, text=True).stdout


def run(command, environment, folder, ends):
    """The screen of a command, with colours, once `ends` is on it."""
    exports = [f"{name}={value}" for name, value in environment.items()]
    # Each has a tmux of its own: one that is asked to end is still there for a moment.
    own = ["-L", f"pictures-{os.getpid()}-{time.time_ns()}"]
    tmux(*own, "-f", "/dev/null", "new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), "-c", folder, "env", "-i", *exports, *command)
    try:
        until = time.monotonic() + 60
        while ends not in tmux(*own, "capture-pane", "-p"):
            if time.monotonic() > until:
                sys.exit("this is all that came:\n" + tmux(*own, "capture-pane", "-p"))
            time.sleep(0.2)
        time.sleep(1)
        return tmux(*own, "capture-pane", "-e", "-p")
    finally:
        tmux(*own, "kill-server")


def lines(screen, home, first, last):
    """The lines of a screen from the one with `first` to the one with `last`."""
    found = screen.replace(str(home), "/home/me").split("\n")
    plain = [re.sub(r"\x1b\[[0-9;:]*m", "", line) for line in found]
    start = next(at for at, line in enumerate(plain) if first in line)
    end = next(at for at, line in enumerate(plain) if last in line and at >= start)
    # The rest of a long answer.
    cut = next((at for at, line in enumerate(plain) if line.strip() == '"effective": {'), None)
    if cut is None:
        return found[start : end + 1]
    close = next(at for at, line in enumerate(plain) if line.rstrip() == "     }" and at > cut)
    return found[start:cut] + ["       \x1b[2m…\x1b[0m"] + found[close : end + 1]


def draw(name, title, screen, *which):
    (HERE / f"{name}.svg").write_text(svg(lines(screen, *which), WIDTH, title))


def main():
    server = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as base:
        os.environ["TMUX_TMPDIR"] = base
        home = pathlib.Path(base) / "me"
        bin = home / ".local/bin"
        project = home / "upload"
        for folder in [project, home / ".codex", home / ".claude", bin]:
            folder.mkdir(parents=True)
        (project / "upload.py").write_text(UPLOAD)
        os.symlink(server, bin / "codex-persistent-mcp")
        cache = os.environ.get("PICTURES_CACHE", f"{base}/npm")
        codex, claude = npm(cache, "@openai/codex", "codex"), npm(cache, "@anthropic-ai/claude-code", "claude")
        os.symlink(codex, bin / "codex")
        (home / ".codex/config.toml").write_text(
            'model = "gpt-5.5"\nmodel_provider = "stand-in"\ncheck_for_update_on_startup = false\n'
            f'analytics.enabled = false\nmodel_providers.stand-in.name = "stand-in"\n'
            f'model_providers.stand-in.base_url = "{serve(Codex)}/v1"\nmodel_providers.stand-in.wire_api = "responses"\n'
        )
        entry = {"type": "stdio", "command": "codex-persistent-mcp", "args": []}
        known = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        (home / ".claude.json").write_text(
            json.dumps(
                {
                    "hasCompletedOnboarding": True,
                    "theme": "dark",
                    "customApiKeyResponses": {"approved": ["stand-in-key-0123456789"[-20:]], "rejected": []},
                    "projects": {str(project): known},
                    "mcpServers": {"codex-persistent": entry},
                }
            )
        )
        environment = {
            "HOME": str(home),
            "PATH": f"{bin}:{os.environ['PATH']}",
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": serve(Claude),
            "ANTHROPIC_API_KEY": "stand-in-key-0123456789",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "ENABLE_TOOL_SEARCH": "false",
            "IS_SANDBOX": "1",
        }
        allowed = ["--allowedTools", "mcp__codex-persistent__codex_guard_plan"]
        command = [claude, "--verbose", *allowed, "--", PROMPT]
        screen = run(command, environment, str(project), "Shall I build it?")
        draw("claude-code", "Claude Code", screen, home, PROMPT[:40], "Shall I build it?")
        for name, words, last in [("chat", f"chat '{QUESTION}'", "resume"), ("doctor", "doctor", "problem")]:
            command = f"codex-persistent-mcp {words}"
            shell = f'printf "\\033[2m$\\033[0m %s\\n" "{command}"; {command}; cat'
            screen = run(["bash", "-c", shell], environment, str(project), last)
            draw(name, "~/upload", screen, home, command, last)


if __name__ == "__main__":
    main()
