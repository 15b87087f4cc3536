// Checks what Docker would do, without Docker: the source that the image is built from is complete, its command
// serves with a token and not without, and its health check tells whether it does.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

const [program, work] = process.argv.slice(2);
const top = path.join(import.meta.dirname, "../..");
const read = (file) => fs.readFileSync(path.join(top, file), "utf8");
const dockerfile = read("Dockerfile");
const list = (pattern) => JSON.parse(dockerfile.match(pattern)[1]);

const pinned = JSON.parse(read("tests/codex/package.json")).dependencies["@openai/codex"];
assert.match(dockerfile, new RegExp(`^ARG CODEX=${pinned}$`, "m"));

// Each file that Cargo names is in the image's context.
const kept = read(".dockerignore").split("\n").filter((line) => line.startsWith("!"));
const files = execFileSync("git", ["ls-files", "-z", "--", ...kept.map((line) => line.slice(1))], { cwd: top });
for (const file of files.toString().split("\0").filter(Boolean)) {
  const copy = path.join(work, "context", file);
  fs.mkdirSync(path.dirname(copy), { recursive: true });
  fs.copyFileSync(path.join(top, file), copy);
}
execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps", "--locked"], {
  cwd: path.join(work, "context"),
  stdio: ["ignore", "ignore", "inherit"],
});

const command = list(/^CMD (\[.*\])$/m).map((word) => word.replace(/:8765$/, ":0"));
assert.deepEqual(list(/^ENTRYPOINT (\[.*\])$/m), ["tini", "--", "codex-persistent-mcp"]);
const env = { PATH: process.env.PATH, HOME: work };
assert.notEqual(spawnSync(program, command, { env }).status, 0, "it starts without a token");

const server = spawn(program, command, {
  env: { ...env, CODEX_PERSISTENT_MCP_HTTP_TOKEN: "0123456789abcdef" },
  stdio: ["ignore", "ignore", "pipe"],
});
const ended = new Promise((resolve) => server.on("exit", resolve));
let port;
for await (const line of createInterface({ input: server.stderr })) {
  port = line.match(/^Serving MCP on .*:(\d+)\//)?.[1];
  if (port) break;
}
const [node, ...args] = list(/^ +CMD (\[.*\])$/m).map((word) => word.replace(":8765", `:${port}`));
assert.equal(spawnSync(node, args).status, 0, "a server that serves is healthy");
server.kill();
await ended;
assert.notEqual(spawnSync(node, args).status, 0, "a server that is gone is not");
