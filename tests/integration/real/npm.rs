//! The npm packages, from packed tarballs and a registry on loopback, with the real Codex, on a Node that replaces
//! itself by the program and on one that cannot.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::call::call;
use crate::kit::jobs::{self, gate, wait_started};
use crate::kit::npm::{Node, install, registry};
use crate::kit::real::obey;
use crate::kit::setup::{home, real, real_command};
use crate::support::client::{Builder, wait_no_descendants_of};
use crate::support::environment::{clean, patient};
use crate::support::model::Model;
use crate::support::real_codex::Home;

use crate::kit::life::assert_none_left;

const SOON: Duration = Duration::from_secs(5);

macro_rules! on_each_node {
    ($($check:ident)+) => {$(
        mod $check {
            use super::Node;

            #[test]
            fn on_node_20() {
                super::check::$check(Node::V20);
            }

            #[test]
            fn on_node_24() {
                super::check::$check(Node::V24);
            }
        }
    )+};
}

on_each_node! {
    a_global_install_serves_a_client
    npx_serves_a_client
    a_killed_launcher_leaves_nothing
    a_job_outlives_a_killed_launcher
    signals_reach_the_program
    the_exit_status_is_that_of_the_program
    a_missing_program_is_explained
    setup_writes_a_command_that_stays
}

/// The installed program as a server.
fn installed(node: Node, home: &Home) -> Builder {
    real_command(home, &install(node, home)).env("PATH", node.path())
}

mod check {
    use super::*;

    pub fn a_global_install_serves_a_client(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let server = installed(node, &home).start();
        call(&server).prompt("Say it.").succeeds().says("Say it.");

        let process = fs::read_link(format!("/proc/{}/exe", server.pid()));
        if let Ok(process) = process {
            let is_the_program = process.ends_with("codex-persistent-mcp");
            assert_eq!(is_the_program, node == Node::V24, "{} runs", process.display());
        }
    }

    pub fn npx_serves_a_client(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let server = real_command(&home, Path::new("npx"))
            .arg("-y")
            .arg("codex-persistent-mcp")
            .env("PATH", node.path())
            .env("npm_config_registry", registry().url())
            .start();
        call(&server).prompt("Say it.").succeeds().says("Say it.");
        server.close_stdin();
        assert!(server.wait_exit(SOON).success());
        assert_none_left(wait_no_descendants_of(server.marker(), SOON));
    }

    pub fn a_killed_launcher_leaves_nothing(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let server = installed(node, &home).start();
        let (path, prompt) = gate(&home, "gate");
        server.begin_call("codex_chat", &json!({"prompt": prompt, "sandbox": "workspace-write"}));
        wait_started(&path);
        // Standard input stays open: only the end of the launcher tells the program.
        server.kill();
        assert_none_left(wait_no_descendants_of(server.marker(), patient(SOON)));
    }

    pub fn a_job_outlives_a_killed_launcher(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let server = installed(node, &home).start();
        let (path, prompt) = gate(&home, "gate");
        let job = jobs::start(&server, &prompt);
        wait_started(&path);
        server.kill();
        fs::write(&path, "").expect("writable");

        let server = real(&home).start();
        let (ended, _) = jobs::wait(&server, jobs::text(&job, "job_id"), &json!(0));
        assert_eq!(ended["status"], "completed", "{ended}");
    }

    pub fn signals_reach_the_program(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let program = install(node, &home);
        for (signal, status) in
            [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)]
        {
            let server = real_command(&home, &program).env("PATH", node.path()).start();
            let (path, prompt) = gate(&home, &format!("gate-{status}"));
            let arguments = json!({"prompt": prompt, "sandbox": "workspace-write"});
            server.begin_call("codex_chat", &arguments);
            wait_started(&path);
            server.signal(signal);
            assert_eq!(server.wait_exit(SOON).code(), Some(status));
            assert_none_left(wait_no_descendants_of(server.marker(), patient(SOON)));
        }
    }

    pub fn the_exit_status_is_that_of_the_program(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let program = install(node, &home);
        let run = |argument: &str| {
            let mut command = Command::new(&program);
            clean(&mut command, home.user()).arg(argument).env("PATH", node.path());
            command.output().expect("it was installed")
        };
        let version = run("--version");
        assert_eq!(version.status.code(), Some(0));
        let expected = concat!("codex-persistent-mcp ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!(String::from_utf8_lossy(&version.stdout), expected);
        assert_eq!(String::from_utf8_lossy(&version.stderr), "", "Node says nothing of its own");
        assert_eq!(run("--no-such-flag").status.code(), Some(2));
    }

    pub fn a_missing_program_is_explained(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let program = install(node, &home);
        let modules = home.user().join("npm/lib/node_modules/codex-persistent-mcp/node_modules");
        fs::remove_dir_all(&modules).expect("the program was installed");
        let mut command = Command::new(program);
        clean(&mut command, home.user()).env("PATH", node.path());
        let ran = command.output().expect("the launcher was installed");
        assert_eq!(ran.status.code(), Some(1));
        let text = String::from_utf8_lossy(&ran.stderr);
        let version = env!("CARGO_PKG_VERSION");
        assert!(text.contains("npm install codex-persistent-mcp-"), "{text}");
        assert!(text.trim_end().ends_with(&format!("@{version}")), "{text}");
    }

    pub fn setup_writes_a_command_that_stays(node: Node) {
        let model = Model::start(obey);
        let home = home(&model.url());
        let program = install(node, &home);
        let bin = program.parent().expect("it is in a folder").display();
        let entry = |command: &mut Command| {
            let output = clean(command, home.user())
                .env("PATH", format!("{bin}:{}", node.path()))
                .env("npm_config_registry", registry().url())
                .current_dir(home.project())
                .output()
                .expect("it was installed");
            let text = String::from_utf8_lossy(&output.stdout);
            let (_, json) = text.split_once("\n\n").unwrap_or_else(|| panic!("{output:?}"));
            let file: Value = serde_json::from_str(json).expect("the rest is the file");
            file["mcpServers"]["codex-persistent"].clone()
        };
        let setup = ["setup", "cursor", "--print"];
        let installed = entry(Command::new(&program).args(setup));
        assert_eq!(installed, json!({"command": "codex-persistent-mcp", "args": []}));
        // The version lets npx not take the installed one.
        let package = concat!("codex-persistent-mcp@", env!("CARGO_PKG_VERSION"));
        let by_npx = entry(Command::new("npx").args(["-y", package]).args(setup));
        assert_eq!(by_npx, json!({"command": "npx", "args": ["-y", "codex-persistent-mcp"]}));
    }
}
