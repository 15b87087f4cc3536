"""Stand-ins for the two models: they answer with the lines below, and all else that a picture shows is real."""
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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

# What a user asks Claude Code: the tool that Claude calls, its arguments, what it says before and after.
ASK_REVIEW = "Uploads fail with 503 now and then. Plan a fix, and have Codex check the plan before you write code."
ASK_TASK = "Have Codex port the build to just. I will do something else in the meantime."
CLAUDE = {
    ASK_REVIEW: (
        "codex_guard_plan",
        {"requirements": REQUIREMENTS, "plan": PLAN},
        "I have a plan. Codex looks at it first.",
        "Codex wants a change before I write code:\n\n"
        "- **Blocker**: a retried POST can store the file twice (upload.py:5). I will send an idempotency key.\n"
        "- It also suggests backoff with jitter instead of a fixed second.\n\n"
        "I have both in the plan now. Shall I build it?",
    ),
    ASK_TASK: (
        "codex_chat",
        {"prompt": "Port the Makefile to a justfile. Keep the names of the targets.", "sandbox": "workspace-write"},
        "I hand that to Codex.",
        "Codex is working on it in the background. I will tell you when it is done.",
    ),
}

# What Codex is asked (a part of the prompt): the commands it runs, and its reply. A reply of None never comes, and an
# exception is the error that the model's API answers with.
PATCH = """*** Begin Patch
*** Update File: upload.py
@@
-def upload(path, url):
+def upload(path: str, url: str):
*** End Patch"""
QUESTION = "why do uploads fail now and then?"


class Refusal(Exception):
    """An answer of the API with an error: what OpenAI sends when a plan's limit is reached."""


CODEX = {
    QUESTION: (
        ["cat upload.py", "grep -rn retry ."],
        "upload() sends the file once and never looks at the answer: on a 503 the upload is lost, and nobody is told "
        "(upload.py:5).\n\nNothing in this project retries. I would raise on an error status first, then retry 503 "
        "with backoff and an idempotency key.",
    ),
    "Port the Makefile to a justfile": (["cat Makefile", "printf 'test:\\n    pytest -q\\n' > justfile"], None),
    "add type hints": (
        ["cat upload.py", f"apply_patch <<'EOF'\n{PATCH}\nEOF"],
        "upload() has type hints now: upload(path: str, url: str).",
    ),
    "find dead code": (["grep -rn def ."], "There is none: upload() is the only function, and main.py calls it."),
    "write a changelog": ([], Refusal()),
    "speed up the tests": (["cat Makefile"], None),
    "": (["cat upload.py"], json.dumps(REVIEW)),
}


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

    def answer(self, value, status=200):
        data = json.dumps(value).encode()
        self.send_response(status)
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
    """OpenAI's Responses API: runs the commands, one in each request, then replies."""

    def do_POST(self):
        request = self.body()
        time.sleep(0.7)
        items = request.get("input", [])
        said = json.dumps([item for item in items if item.get("role") == "user"])
        commands, reply = next(answer for asked, answer in CODEX.items() if asked in said)
        outputs = sum(str(item.get("type", "")).endswith("_call_output") for item in items)
        if outputs < len(commands):
            item = self.call(request, commands[outputs], outputs)
        elif isinstance(reply, Refusal):
            error = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}
            return self.answer({"error": {**error, "resets_in_seconds": 7200}}, status=429)
        elif reply is None:
            # Until the picture is taken, and this program ends.
            threading.Event().wait()
        else:
            text = {"type": "output_text", "text": reply, "annotations": []}
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
        completed = {**response, "status": "completed", "output": [item], "usage": usage}
        self.stream(
            [
                {"type": "response.created", "response": {**response, "status": "in_progress"}},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": completed},
            ]
        )

    def call(self, request, command, number):
        tools = [tool.get("name") for tool in request.get("tools", [])]
        name = "exec_command" if "exec_command" in tools else "shell_command"
        arguments = json.dumps({"cmd" if name == "exec_command" else "command": command})
        return {"type": "function_call", "name": name, "arguments": arguments, "call_id": f"call_{number}"}


class Claude(Handler):
    """Anthropic's Messages API: calls the tool that fits the prompt, then says what came out."""

    def do_POST(self):
        request = self.body()
        if self.path.split("?")[0].endswith("/count_tokens"):
            return self.answer({"input_tokens": 1000})
        time.sleep(0.5)
        messages = request.get("messages", [])
        asked = next((asked for asked in CLAUDE if asked in json.dumps(messages)), None)
        if not request.get("tools") or not asked:
            blocks = [{"type": "text", "text": "Uploads"}]
        else:
            tool, arguments, before, after = CLAUDE[asked]
            call = {"type": "tool_use", "id": "toolu_1", "name": f"mcp__codex-persistent__{tool}", "input": arguments}
            called = any(message["role"] == "assistant" for message in messages)
            blocks = [{"type": "text", "text": after if called else before}, *([] if called else [call])]
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
    """The address of a stand-in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # A client that is stopped leaves its connections.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
