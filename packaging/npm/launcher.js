#!/usr/bin/env node
// Runs the program from the package for this platform.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const { isatty } = require("node:tty");

const name = "codex-persistent-mcp";
const windows = process.platform === "win32";

function find() {
  const platform = `${name}-${process.platform}-${process.arch}`;
  try {
    return require.resolve(`${platform}/bin/${name}${windows ? ".exe" : ""}`);
  } catch {
    const { optionalDependencies, version } = require("./package.json");
    console.error(
      platform in optionalDependencies
        ? `${name}: the package ${platform} is missing. npm installs it with ${name}, unless optional ` +
            "dependencies are off (--omit=optional) or node_modules is from another platform. Install it with: " +
            `npm install ${platform}@${version}`
        : `${name}: there is no package for ${process.platform} on ${process.arch}. With Rust you can build ` +
            `the program yourself: cargo install ${name}`,
    );
    process.exit(1);
  }
}

// Replaces Node, where Node can.
function become(program) {
  if (windows || !process.execve) return;
  try {
    process.execve(program, [program, ...process.argv.slice(2)], process.env);
  } catch {
    // Such as a permission that a policy denies: a child is the other way.
  }
}

// Stays as the parent, passes signals on, and ends as the program ends.
function wait(program) {
  // The program watches its launcher, so that it does not outlive one that is killed. On Windows, Node's job object
  // ends it.
  const env = { ...process.env, CODEX_MCP_LAUNCHER: String(process.pid) };
  const child = spawn(program, process.argv.slice(2), { stdio: "inherit", env });
  // A terminal sends these to the program too.
  const both = [0, 1, 2].some((descriptor) => isatty(descriptor)) ? ["SIGINT", "SIGQUIT"] : [];
  for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"]) {
    if (windows && !["SIGHUP", "SIGINT", "SIGTERM"].includes(signal)) continue;
    process.on(signal, () => both.includes(signal) || child.kill(signal));
  }
  child.on("error", (error) => {
    console.error(`${name}: cannot start ${program}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Should the signal not end Node.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1000);
  });
}

const program = find();
become(program);
wait(program);
