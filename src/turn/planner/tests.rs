//! Plans turns with a stub in place of Codex, and without a queue.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::model::model_name::Model;
use crate::model::operator_config::OperatorConfig;
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

/// Settings of the operator, as the flags before or after `mcp-server` set them.
fn operator(settings: &[&str]) -> OperatorConfig {
    let mut config = OperatorConfig::default();
    for setting in settings {
        config.add(setting).unwrap_or_else(|error| panic!("{setting}: {error}"));
    }
    config
}

/// What Codex makes of the settings on its command line, in their order.
fn in_force(plan: &Plan) -> toml::Table {
    let mut config = OperatorConfig::default();
    for (key, value) in plan.defaults.iter().chain(&plan.imposed) {
        config.set(key, value.clone()).expect("it may be on a command line");
    }
    config.table().clone()
}

#[tokio::test]
async fn the_operators_settings_hold_but_undo_nothing_that_a_turn_imposes() {
    let mut machine = Machine::new("operator", "0.171.0");
    machine.settings.policy.nested_mcp = "ours".parse().expect("a name");
    machine.settings.policy.allowed_models = vec![Model::parse("m").expect("a name")];
    machine.settings.operator_config = operator(&[
        "model=m",
        "model_verbosity=high",
        "sandbox_mode=danger-full-access",
        "approval_policy=on-request",
        "approvals_reviewer=auto_review",
        "default_permissions=\":danger-full-access\"",
        "features={plugins=true,connectors=true,multi_agent=true,multi_agent_v2=true,a=true}",
        "projects={\"/\"={trust_level=\"trusted\"}}",
        "mcp_servers.ours.command=npx",
        "mcp_servers.ours.enabled=true",
        "mcp_servers.theirs={command=\"npx\",enabled=true}",
        "shell_environment_policy={exclude=[\"A\"],set={B=\"c\"}}",
    ]);
    let plan = machine.plan(request()).await.expect("it is allowed");
    assert!(plan.confined);
    assert_eq!(plan.sandbox, Some(Sandbox::WorkspaceWrite));
    assert!(plan.warnings.iter().any(|warning| warning.contains("danger-full-access")));
    let table = in_force(&plan);
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
    assert_eq!((text("model"), text("model_verbosity")), (Some("m"), Some("high")));
    assert_eq!(text("approval_policy"), Some("never"));
    assert_eq!(text("default_permissions"), Some(":workspace"));
    let features = &table["features"];
    for off in ["plugins", "apps", "connectors", "multi_agent", "multi_agent_v2"] {
        assert_eq!(features[off].as_bool(), Some(false), "{off}");
    }
    assert_eq!(features["a"].as_bool(), Some(true));
    let work = plan.working_dir.as_path().to_str().expect("its name is plain");
    for dir in ["/", work] {
        assert_eq!(table["projects"][dir]["trust_level"].as_str(), Some("untrusted"), "{dir}");
    }
    let servers = &table["mcp_servers"];
    assert_eq!(servers["ours"]["command"].as_str(), Some("npx"));
    assert_eq!(servers["ours"]["enabled"].as_bool(), Some(true));
    assert!(servers["ours"]["cwd"].as_str().is_some_and(|dir| dir.ends_with("/empty")));
    assert_eq!(servers["theirs"]["enabled"].as_bool(), Some(false));
    let exclude = table["shell_environment_policy"]["exclude"].as_array().expect("a list");
    assert!(["A", "GIT_DIR"].iter().all(|name| exclude.contains(&(*name).into())), "{exclude:?}");
}

#[tokio::test]
async fn the_operators_sandbox_and_model_are_the_defaults_of_calls() {
    let mut machine = Machine::new("operator-defaults", "0.171.0");
    std::fs::write(machine.dir.join("home/config.toml"), "sandbox_mode = \"workspace-write\"")
        .expect("the scratch folder is writable");
    machine.settings.operator_config = operator(&["sandbox_mode=read-only", "model=other"]);
    let plan = machine.plan(request()).await.expect("it is allowed");
    assert_eq!(plan.sandbox, Some(Sandbox::ReadOnly));
    let choice = SandboxChoice::Set(Sandbox::WorkspaceWrite);
    let plan = machine.plan(request().sandbox(choice)).await.expect("it is allowed");
    assert_eq!(plan.sandbox, Some(Sandbox::WorkspaceWrite));

    // What a flag names is not ambiguous, whatever the files say.
    let config = machine.dir.join("home/config.toml");
    std::fs::write(config, "default_permissions = \":read-only\"")
        .expect("the scratch folder is writable");
    machine.settings.operator_config = operator(&["sandbox_mode=workspace-write", "model=other"]);
    let plan = machine.plan(request()).await.expect("it is allowed");
    assert_eq!(plan.sandbox, Some(Sandbox::WorkspaceWrite));

    machine.settings.policy.allowed_models = vec![Model::parse("m").expect("a name")];
    let refused = machine.plan(request()).await;
    let Err(FailureKind::NotAllowed { field, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(field, "model");
}

#[tokio::test]
async fn the_operators_profile_may_set_anything_and_a_callers_wins() {
    let mut machine = Machine::new("operator-profile", "0.171.0");
    machine.settings.operator_config = operator(&["profile=ours"]);
    machine.settings.operator_config.is_strict = true;
    let home = machine.dir.join("home");
    let refused = machine.plan(request()).await;
    let Err(FailureKind::BadInput { field, problem }) = refused else { panic!("{refused:?}") };
    assert_eq!(field, "profile");
    assert!(problem.to_string().contains("ours.config.toml"), "{problem}");
    for (name, text) in [("ours", "notify = [\"true\"]"), ("theirs", "")] {
        let file = home.join(format!("{name}.config.toml"));
        std::fs::write(file, text).expect("the scratch folder is writable");
    }
    let plan = machine.plan(request()).await.expect("it is the operator's");
    assert_eq!(plan.options.profile.as_ref().map(Profile::as_str), Some("ours"));
    assert_eq!(plan.options.extra_arguments, [Argument::strict_config()]);
    let named = |name: &str| Options { profile: name.parse().ok(), ..Options::default() };
    let plan = machine.plan(request().options(named("theirs"))).await.expect("it is harmless");
    assert_eq!(plan.options.profile.as_ref().map(Profile::as_str), Some("theirs"));
    let refused = machine.plan(request().options(named("ours"))).await;
    assert!(matches!(refused, Err(FailureKind::NotAllowed { .. })), "{refused:?}");
}
