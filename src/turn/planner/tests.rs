//! Plans turns with a stub in place of Codex, and without a queue.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::model::prompt::Prompt;
use crate::testing::scratch;

/// A machine with a Codex that only reports its version.
struct Machine {
    dir: PathBuf,
    settings: Settings,
    config_files: ConfigFiles,
    versions: Versions,
    watchdog: Watchdog,
}

impl Machine {
    fn new(name: &str, version: &str) -> Self {
        let dir = scratch().join(format!("planner-{name}-{}", std::process::id()));
        for folder in ["program", "home", "work", "work/inner"] {
            std::fs::create_dir_all(dir.join(folder)).expect("the scratch folder is writable");
        }
        let dir = dir.canonicalize().expect("it was just created");
        let program = dir.join("program/codex");
        let script = format!("#!/bin/sh\necho codex-cli {version}\n");
        std::fs::write(&program, script).expect("the scratch folder is writable");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).expect("it is ours");
        let settings = Settings {
            codex_bin: program.into(),
            working_dir: WorkingDir::unchecked(dir.join("work")),
            state_dir: Some(dir.join("state")),
            ..Settings::default()
        };
        let (versions, watchdog) = (Versions::default(), Watchdog::default());
        Self { dir, settings, config_files: ConfigFiles::default(), versions, watchdog }
    }

    async fn plan(&self, request: TurnRequest) -> Result<Plan> {
        self.plan_in(request, SessionInfo::default()).await
    }

    async fn plan_in(&self, request: TurnRequest, known: SessionInfo) -> Result<Plan> {
        let home = self.dir.join("home");
        let planner = Planner {
            request: &request,
            policy: &self.settings.policy,
            settings: &self.settings,
            codex_home: Some(&home),
            config_files: &self.config_files,
            versions: &self.versions,
            watchdog: &self.watchdog,
            depth: 0,
        };
        planner.plan(known).await
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

fn request() -> TurnRequest {
    TurnRequest::new(Prompt::new("hello").expect("it is a prompt"))
}

#[tokio::test]
async fn a_turn_that_may_write_gets_its_directory_and_no_more() {
    let machine = Machine::new("write", "0.171.0");
    let work = machine.dir.join("work");
    let choice = SandboxChoice::Set(Sandbox::WorkspaceWrite);
    let plan = machine.plan(request().sandbox(choice)).await.expect("it is allowed");
    assert_eq!(plan.program.path, machine.dir.join("program/codex"));
    assert_eq!(plan.version, Some(crate::codex::version::Version(0, 171)));
    assert_eq!(plan.sandbox, Some(Sandbox::WorkspaceWrite));
    assert_eq!(plan.most, Sandbox::WorkspaceWrite);
    assert!(plan.confined);
    let roots = plan.roots.expect("it may write");
    assert_eq!(roots.own, [work.to_str().expect("its name is plain")]);
}

#[tokio::test]
async fn a_looser_sandbox_of_the_session_is_lowered_with_a_warning() {
    let machine = Machine::new("lowered", "0.171.0");
    let known = SessionInfo {
        working_dir: Some(machine.dir.join("work/inner")),
        sandbox: Some(Sandbox::DangerFullAccess),
        settled: true,
        ..SessionInfo::default()
    };
    let plan = machine.plan_in(request(), known).await.expect("it is allowed");
    assert_eq!(plan.sandbox, Some(Sandbox::WorkspaceWrite));
    assert_eq!(plan.working_dir.as_path(), machine.dir.join("work/inner"));
    let [warning] = &plan.warnings[..] else { panic!("{:?}", plan.warnings) };
    assert!(warning.contains("danger-full-access"), "{warning}");
}

#[tokio::test]
async fn a_turn_that_only_reads_shares_no_folders() {
    let machine = Machine::new("read", "0.171.0");
    let plan = machine.plan(request().sandbox(SandboxChoice::Once(Sandbox::ReadOnly))).await;
    let plan = plan.expect("it is allowed");
    assert_eq!((plan.sandbox, plan.roots), (Some(Sandbox::ReadOnly), None));
}

#[tokio::test]
async fn what_this_codex_lacks_is_refused() {
    let machine = Machine::new("old", "0.120.0");
    let session = "0199a213-81c0-7800-8aa1-bbab2a0350aa".parse().ok();
    let refused = machine.plan(request().resume(session).fork(true)).await;
    let Err(FailureKind::NeedsNewerCodex { field, found, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((field.as_str(), found.as_str()), ("fork", "0.120"));
}

#[tokio::test]
async fn a_missing_program_is_refused() {
    let mut machine = Machine::new("missing", "0.171.0");
    machine.settings.codex_bin = machine.dir.join("program/other").into();
    let refused = machine.plan(request()).await;
    assert!(matches!(refused, Err(FailureKind::CodexNotFound { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_directory_around_the_working_directory_is_refused() {
    let mut machine = Machine::new("around", "0.171.0");
    machine.settings.working_dir = WorkingDir::unchecked(machine.dir.join("work/inner"));
    let around = WorkingDir::unchecked(machine.dir.join("work"));
    let options = Options { add_dirs: vec![around], ..Options::default() };
    let choice = SandboxChoice::Set(Sandbox::WorkspaceWrite);
    let refused = machine.plan(request().options(options).sandbox(choice)).await;
    let Err(FailureKind::BadInput { field, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(field, "add_dirs");
}
