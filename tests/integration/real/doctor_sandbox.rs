//! `doctor` lets the real Codex make a sandbox, and reports the result.

use std::fs;

use crate::kit::cli::{self, parsed, run, wait_nothing_left};
use crate::kit::doctor::{check, text};
use crate::kit::setup::{PROGRAM, home};
use crate::real::escapes::{path_with, program};
use crate::real::no_sandbox::{WITHOUT, can_be_made};
use crate::support::model::{Model, echo};
use crate::support::real_codex::{Release, install_release};

#[test]
fn a_machine_without_sandboxes_is_a_problem_with_a_fix() {
    let model = Model::start(echo);
    for release in Release::ALL {
        let home = home(&model.url());
        let codex = &install_release(release).native;
        let can = run(cli::program(&home, codex, &["doctor", "--json"]));
        let can = parsed(&can.stdout)[0].clone();
        assert_eq!(check(&can, "sandbox")["status"], "ok", "{release:?}: {can:#}");
        let written = home.project().read_dir().expect("it exists").count();
        assert_eq!(written, 0, "nothing is written");
        if !can_be_made(&WITHOUT, &home) {
            return;
        }
        let through = [&WITHOUT[1..], &[PROGRAM, "doctor", "--json"]].concat();
        let cannot = run(cli::command(&home, codex, WITHOUT[0], &through));
        let report = parsed(&cannot.stdout)[0].clone();
        let sandbox = check(&report, "sandbox");
        assert_eq!((cannot.status, text(sandbox, "status")), (Some(1), "problem"), "{sandbox}");
        assert!(text(sandbox, "summary").contains("bwrap: Creating new namespace failed"));
        assert!(text(sandbox, "fix").contains("sysctl user.max_user_namespaces"), "{sandbox}");
        wait_nothing_left(&home);
    }
    assert_eq!(model.requests().len(), 0);
}

#[test]
fn a_sandbox_is_not_tried_with_a_program_that_a_turn_may_have_planted() {
    let model = Model::start(echo);
    for release in Release::ALL {
        let home = home(&model.url());
        let planted = home.project().join(".venv/bin");
        let mark = home.user().join("mark");
        program(&planted.join("bwrap"), &format!("touch '{}'", mark.display()));
        let path = path_with(&[&planted]);
        let codex = &install_release(release).native;
        let mut by_hand = cli::command(
            &home,
            codex,
            codex.to_str().expect("test paths are text"),
            &["sandbox", "-P", ":read-only", "-C", "/", "--", "/bin/sh", "-c", ":"],
        );
        by_hand.env("PATH", &path);
        run(by_hand);
        assert!(mark.exists(), "{release:?}: there is no such danger any more");
        fs::remove_file(&mark).expect("it was made");
        let mut doctor = cli::program(&home, codex, &["doctor", "--json"]);
        doctor.env("PATH", &path);
        let report = parsed(&run(doctor).stdout)[0].clone();
        assert_eq!(check(&report, "sandbox")["status"], "ok", "{report:#}");
        assert!(!mark.exists(), "{release:?}: the planted program was run");
    }
}
