// Has the real Gemini CLI validate and install the extension, and connect to its server. `npx` is a stand-in that
// runs the program, because the package is not on npm yet.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

const [program, work] = process.argv.slice(2);
const top = path.join(import.meta.dirname, "../..");
const manifest = JSON.parse(fs.readFileSync(path.join(top, "gemini-extension.json"), "utf8"));
const folder = (name) => {
  const made = path.join(work, "gemini", name);
  fs.mkdirSync(made, { recursive: true });
  return made;
};
const [home, source, project, bin] = ["home", manifest.name, "project", "bin"].map(folder);
for (const file of ["gemini-extension.json", manifest.contextFileName]) {
  fs.mkdirSync(path.dirname(path.join(source, file)), { recursive: true });
  fs.copyFileSync(path.join(top, file), path.join(source, file));
}
fs.writeFileSync(
  path.join(bin, "npx"),
  `#!/bin/sh\n[ "$*" = "-y codex-persistent-mcp" ] && env >${work}/environment && exec ${program}\n`,
  { mode: 0o755 },
);
// Gemini CLI starts no server in a folder that the user does not trust.
folder("home/.gemini");
const trusted = Object.fromEntries([source, project].map((it) => [fs.realpathSync(it), "TRUST_FOLDER"]));
fs.writeFileSync(path.join(home, ".gemini/trustedFolders.json"), JSON.stringify(trusted));

// Without a terminal it writes everything to standard error.
const gemini = (...args) => {
  const { status, stdout, stderr } = spawnSync(path.join(import.meta.dirname, "node_modules/.bin/gemini"), args, {
    cwd: project,
    env: { PATH: `${bin}:${process.env.PATH}`, HOME: home, CODEX_HOME: work, OPENAI_API_KEY: "a key" },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 120_000,
  });
  assert.equal(status, 0, `gemini ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout + stderr;
};

gemini("extensions", "validate", top);
gemini("extensions", "install", source, "--consent");
const listed = gemini("extensions", "list");
for (const part of [`${manifest.name} (${manifest.version})`, manifest.contextFileName, "codex-persistent"]) {
  assert.ok(listed.includes(part), `${part} is missing in ${listed}`);
}
const servers = gemini("mcp", "list");
assert.match(servers, /codex-persistent .*: npx -y codex-persistent-mcp \(stdio\) - Connected/);
// It removes secrets from the environment of a server, except for those that the extension names.
const environment = fs.readFileSync(path.join(work, "environment"), "utf8").split("\n");
assert.ok(environment.includes("OPENAI_API_KEY=a key") && environment.includes(`CODEX_HOME=${work}`));
