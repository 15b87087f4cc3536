// Unpacks an MCP bundle with the official tools, and starts the server in it as a client would that asked the user.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";

import { ask } from "./mcp.mjs";

const [bundle, work] = process.argv.slice(2);
const mcpb = path.join(import.meta.dirname, "node_modules/.bin/mcpb");
const folder = path.join(work, "bundle");
execFileSync(mcpb, ["unpack", bundle, folder], { stdio: ["ignore", "ignore", "inherit"] });
execFileSync(mcpb, ["validate", path.join(folder, "manifest.json")], { stdio: ["ignore", "ignore", "inherit"] });
const manifest = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8"));

const start = async (answers) => {
  const config = await getMcpConfigForManifest({
    manifest,
    extensionPath: folder,
    systemDirs: { HOME: work },
    userConfig: { cwd: work, ...answers },
    pathSeparator: path.sep,
  });
  const env = { PATH: process.env.PATH, HOME: work, ...config.env };
  return ask(config.command, config.args, env, { method: "tools/list" });
};

const [{ serverInfo }, all] = await start({});
assert.equal(serverInfo.version, manifest.version);
// The answers reach the server.
const [, core] = await start({ tools: "core", list_sessions: true, max_sandbox: "read-only" });
assert.ok(core.tools.length < all.tools.length, "fewer tools are listed");
await assert.rejects(start({ max_sandbox: "none" }), /max-sandbox/);
