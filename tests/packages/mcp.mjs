// A client of MCP over standard input and output, for a few requests.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

// Starts a server, sends it these requests, and returns their results.
export async function ask(command, args, env, ...requests) {
  const server = spawn(command, args, { env, stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise((resolve, reject) => {
    server.on("exit", resolve);
    server.on("error", reject);
  });
  const initialize = {
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "packages", version: "1" },
    },
  };
  [initialize, ...requests].forEach((request, id) =>
    server.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...request })}\n`),
  );
  const results = [];
  try {
    for await (const line of createInterface({ input: server.stdout })) {
      const { id, result, error } = JSON.parse(line);
      if (error) throw new Error(error.message);
      if (id !== undefined) results[id] = result;
      if (results.filter(Boolean).length > requests.length) break;
    }
  } finally {
    server.stdin.end();
    await ended;
  }
  return results;
}
