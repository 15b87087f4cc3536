// Has the real Gemini CLI validate and install the extension, connect to its server, and send its commands to a model.
// `npx` is a stand-in that runs the program, because the package is not on npm yet.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const [program, work] = process.argv.slice(2);
const top = path.join(import.meta.dirname, "../..");
const manifest = JSON.parse(fs.readFileSync(path.join(top, "gemini-extension.json"), "utf8"));
const folder = (name) => {
  const made = path.join(work, "gemini", name);
  fs.mkdirSync(made, { recursive: true });
  return made;
};
const [home, source, project, bin] = ["home/.gemini", manifest.name, "project", "bin"].map(folder);
for (const part of ["gemini-extension.json", manifest.contextFileName, "commands"]) {
  fs.cpSync(path.join(top, part), path.join(source, part), { recursive: true });
}
fs.writeFileSync(
  path.join(bin, "npx"),
  `#!/bin/sh\n[ "$*" = "-y codex-persistent-mcp" ] && env >${work}/environment && exec ${program}\n`,
  { mode: 0o755 },
);
// Gemini CLI starts no server in a folder that the user does not trust.
const trusted = Object.fromEntries([source, project].map((it) => [fs.realpathSync(it), "TRUST_FOLDER"]));
fs.writeFileSync(path.join(home, "trustedFolders.json"), JSON.stringify(trusted));
const settings = {
  security: { auth: { selectedType: "gemini-api-key" } },
  privacy: { usageStatisticsEnabled: false },
};
fs.writeFileSync(path.join(home, "settings.json"), JSON.stringify(settings));

// A model that says "done", and keeps what it was sent.
const requests = [];
const model = http.createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  requests.push(body);
  const answer = {
    candidates: [{ content: { role: "model", parts: [{ text: "done" }] }, finishReason: "STOP" }],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
  };
  const streams = request.url.includes("stream");
  response.setHeader("content-type", streams ? "text/event-stream" : "application/json");
  response.end(streams ? `data: ${JSON.stringify(answer)}\n\n` : JSON.stringify(answer));
});
await new Promise((resolve) => model.listen(0, "127.0.0.1", resolve));

// Without a terminal it writes most to standard error.
const gemini = (...args) =>
  new Promise((resolve, reject) => {
    const options = {
      cwd: project,
      env: {
        PATH: `${bin}:${process.env.PATH}`,
        HOME: path.dirname(home),
        CODEX_HOME: work,
        OPENAI_API_KEY: "a key",
        GEMINI_API_KEY: "another",
        GOOGLE_GEMINI_BASE_URL: `http://127.0.0.1:${model.address().port}`,
      },
      timeout: 120_000,
    };
    const program = path.join(import.meta.dirname, "node_modules/.bin/gemini");
    const child = execFile(program, args, options, (error, stdout, stderr) =>
      error ? reject(new Error(`gemini ${args.join(" ")}: ${stdout}${stderr}`)) : resolve(stdout + stderr),
    );
    child.stdin.end();
  });

await gemini("extensions", "validate", top);
await gemini("extensions", "install", source, "--consent");
const listed = await gemini("extensions", "list");
for (const part of [`${manifest.name} (${manifest.version})`, manifest.contextFileName, "codex-persistent"]) {
  assert.ok(listed.includes(part), `${part} is missing in ${listed}`);
}
const servers = await gemini("mcp", "list");
assert.match(servers, /codex-persistent .*: npx -y codex-persistent-mcp \(stdio\) - Connected/);
// It removes secrets from the environment of a server, except for those that the extension names.
const environment = fs.readFileSync(path.join(work, "environment"), "utf8").split("\n");
assert.ok(environment.includes("OPENAI_API_KEY=a key") && environment.includes(`CODEX_HOME=${work}`));

// A command names a tool that the model is given, and the context file is there too.
for (const command of fs.readdirSync(path.join(top, "commands/codex"))) {
  // A named model, because choosing one asks a model; and all tools approved, because the others are not offered.
  await gemini("--model", "gemini-2.5-flash", "--approval-mode", "yolo", "--prompt", `/codex:${path.parse(command).name} what I typed`);
  const sent = requests.find((body) => body.includes("what I typed") && body.includes("functionDeclarations"));
  assert.ok(sent, `/codex:${command} does not reach the model`);
  const { contents, tools, systemInstruction } = JSON.parse(sent);
  const prompt = JSON.stringify(contents.at(-1));
  const [, tool] = prompt.match(/with the tool `(\w+)`/) ?? [];
  const names = tools.flatMap(({ functionDeclarations }) => functionDeclarations.map(({ name }) => name));
  assert.ok(tool && names.some((name) => name.endsWith(tool)), `${command}: ${tool} is not one of ${names}`);
  assert.ok(JSON.stringify([contents, systemInstruction]).includes("a second coding agent on this machine"));
  requests.length = 0;
}
model.close();
