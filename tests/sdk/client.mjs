// Drives the server as a program does that uses the official TypeScript SDK, and prints one line of
// JSON with all that came of it.
//
// node client.mjs SERVER PLAN, where SERVER is a program or a URL, which may end with /sse, and PLAN is JSON: {"arguments": ..., "bad": ..., "hanging": ...},
// each the arguments of a codex_chat; the last one is taken back when its session has begun. The
// file that "seen" names is made when there was progress: the turn has to wait for it, since the SDK
// drops progress that it reads together with the answer.

import { writeFileSync } from "node:fs";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";

const [server, plan] = process.argv.slice(2);
const calls = JSON.parse(plan);

const client = new Client({ name: "sdk", version: "0" });
const errors = [];
client.onerror = (error) => errors.push(String(error));
const transport = connection();
await client.connect(transport);

function connection() {
  if (!server.startsWith("http://")) {
    return new StdioClientTransport({ command: server, env: process.env });
  }
  const Transport = server.endsWith("/sse") ? SSEClientTransport : StreamableHTTPClientTransport;
  return new Transport(new URL(server));
}

// The client checks structured content against the output schemas of the tools it has listed.
const { tools } = await client.listTools();

function call(args, options = {}) {
  const params = { name: "codex_chat", arguments: args };
  return client.callTool(params, CallToolResultSchema, { timeout: 60_000, ...options });
}

const progress = [];
const answer = await call(calls.arguments, {
  onprogress: (told) => {
    progress.push(told);
    writeFileSync(calls.seen, "");
  },
});

const session_id = answer.structuredContent?.session_id;
const again = await call({ ...calls.arguments, session_id });

const bad = await call(calls.bad);

const unknown = await client
  .callTool({ name: "codex_chta", arguments: {} })
  .then(() => "no error", (error) => error.code);

const controller = new AbortController();
const onprogress = ({ message }) => {
  if (message?.startsWith("session ")) controller.abort("the test says so");
};
const cancelled = calls.hanging
  ? await call(calls.hanging, { onprogress, signal: controller.signal })
      .then((answer) => ({ answer }), (error) => ({ error: String(error) }))
  : null;

await client.ping();
const report = {
  server: client.getServerVersion(),
  instructions: client.getInstructions(),
  tools: tools.map((tool) => tool.name),
  progress, answer, again, bad, unknown, cancelled, errors,
};
await client.close();
console.log(JSON.stringify(report));
