//! The server with clients that we did not write: rmcp's own, and the official TypeScript SDK.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rmcp::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ErrorCode, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, RoleClient, RunningService,
    ServiceError,
};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::protocol::LISTED;
use crate::kit::setup::{PROGRAM, home, scratch, script};
use crate::kit::wait::{WAIT, wait_for};
use crate::support::environment::{clean, patient};
use crate::support::model::{Model, echo};
use crate::support::real_codex::{self, Home};
use crate::support::{real_codex::install_npm, scripted_codex};

/// A client that keeps its progress messages.
#[derive(Clone, Default)]
struct Listener {
    progress: Arc<Mutex<Vec<ProgressNotificationParam>>>,
    reported: Arc<Notify>,
}

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.progress.lock().expect("nothing panics while it holds this lock").push(progress);
        self.reported.notify_one();
    }
}

impl Listener {
    /// Waits for a message that contains this: rmcp delivers notifications in tasks of their
    /// own.
    async fn wait_for(&self, part: &str) {
        let waited = timeout(patient(WAIT), async {
            while !self.has(part) {
                self.reported.notified().await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{part:?} is not in {:?}", self.progress));
    }

    fn has(&self, part: &str) -> bool {
        let progress = self.progress.lock().expect("nothing panics while it holds this lock");
        progress.iter().flat_map(|progress| &progress.message).any(|text| text.contains(part))
    }
}

type Client = RunningService<RoleClient, Listener>;

/// The server as a process of rmcp's own transport.
fn server(home: &Home, codex: &Path) -> TokioChildProcess {
    let mut command = std::process::Command::new(PROGRAM);
    clean(&mut command, home.user())
        .env("CODEX_BIN", codex)
        .env("CODEX_HOME", home.path())
        .current_dir(home.project());
    let process = TokioChildProcess::builder(tokio::process::Command::from(command))
        .stderr(Stdio::null())
        .spawn();
    process.expect("the program starts").0
}

async fn with_handshake(home: &Home, codex: &Path) -> Client {
    let mode = ClientLifecycleMode::Initialize;
    let client = Listener::default().serve_with_lifecycle(server(home, codex), mode);
    client.await.expect("the handshake succeeds")
}

async fn without_handshake(home: &Home, codex: &Path) -> Client {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    let mode = ClientLifecycleMode::Discover { preferred_versions };
    let client = Listener::default().serve_with_lifecycle(server(home, codex), mode);
    client.await.expect("the server is discovered")
}

fn call(tool: &'static str, arguments: &Value) -> CallToolRequestParams {
    let arguments = arguments.as_object().expect("arguments are an object").clone();
    CallToolRequestParams::new(tool).with_arguments(arguments)
}

fn structure(result: &CallToolResult) -> &Value {
    assert_ne!(result.is_error, Some(true), "{result:?}");
    result.structured_content.as_ref().expect("a success has a structure")
}

fn error_text(result: &CallToolResult) -> &str {
    assert_eq!(result.is_error, Some(true), "{result:?}");
    &result.content[0].as_text().expect("an error is text").text
}

/// Everything that a client usually does.
async fn use_all(client: Client) {
    let tools = client.list_all_tools().await.expect("the tools are listed");
    assert_eq!(tools.iter().map(|tool| tool.name.as_ref()).collect::<Vec<_>>(), LISTED);

    let first = client.call_tool(call("codex_chat", &json!({"prompt": "What is this?"}))).await;
    let first = first.expect("the call is answered");
    let session = structure(&first)["session_id"].as_str().expect("an id is text").to_owned();
    client.service().wait_for(&format!("session {session} started")).await;

    let plan = json!({"requirements": "a", "plan": "b", "session_id": session});
    let second = client.call_tool(call("codex_guard_plan", &plan)).await;
    let second = second.expect("the call is answered");
    assert_eq!(structure(&second)["session_id"], session);
    assert!(structure(&second)["critique"].is_string(), "{second:?}");

    let bad = client.call_tool(call("codex_chat", &json!({"prompt": ""}))).await;
    assert!(error_text(&bad.expect("the call is answered")).starts_with("bad_input: prompt"));
    let unknown = client.call_tool(call("codex_chta", &json!({}))).await;
    let Err(ServiceError::McpError(error)) = unknown else { panic!("no error: {unknown:?}") };
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    client.cancel().await.expect("the server exits");
}

#[tokio::test]
async fn rmcp_s_client_uses_the_server() {
    let home = home("http://127.0.0.1:9/v1");
    use_all(with_handshake(&home, &scripted_codex()).await).await;
}

#[tokio::test]
async fn rmcp_s_client_uses_the_server_without_a_handshake() {
    let home = home("http://127.0.0.1:9/v1");
    use_all(without_handshake(&home, &scripted_codex()).await).await;
}

#[tokio::test]
async fn rmcp_s_client_uses_the_server_and_the_real_codex() {
    let model = Model::start(echo);
    let home = home(&model.url());
    use_all(with_handshake(&home, &real_codex::install().native).await).await;
    assert!(model.requests()[0].last_user_text().contains("What is this?"));
}

#[tokio::test]
async fn a_call_that_rmcp_s_client_abandons_is_stopped() {
    let home = home("http://127.0.0.1:9/v1");
    let client = with_handshake(&home, &scripted_codex()).await;
    let stopped = home.project().join("stopped");
    let prompt = script(&hanging(&stopped));
    tokio::select! {
        answer = client.call_tool(call("codex_chat", &json!({"prompt": prompt}))) => {
            panic!("it hangs: {answer:?}");
        }
        // Dropping the call cancels it.
        () = client.service().wait_for(" started") => {}
    }
    let waited = tokio::task::spawn_blocking(move || wait_for(&stopped));
    waited.await.expect("Codex was stopped");
    client.cancel().await.expect("the server exits");
}

/// A turn that lasts until it is interrupted, which makes a file.
pub fn hanging(stopped: &Path) -> Value {
    json!([{"on_interrupt": [{"touch": stopped}]}, {"started": {}}, {"hang": {}}])
}

/// The expected report of the script that uses the TypeScript SDK.
fn run_sdk(home: &Home, codex: &Path, plan: &Value) -> Value {
    run_sdk_with(home, codex, PROGRAM, plan)
}

/// The same with a server that is a program or a URL.
pub fn run_sdk_with(home: &Home, codex: &Path, server: &str, plan: &Value) -> Value {
    install_npm("sdk");
    let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/client.mjs");
    let output = clean(&mut Command::new("node"), home.user())
        .args([client, server, &plan.to_string()])
        .env("CODEX_BIN", codex)
        .env("CODEX_HOME", home.path())
        .current_dir(home.project())
        .output()
        .expect("node starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// Expects the SDK to have had the right answers to the calls that both Codexes can play.
pub fn assert_used(report: &Value) {
    assert_eq!(report["server"]["name"], "codex-persistent-mcp");
    assert!(report["instructions"].as_str().is_some_and(|text| text.contains("codex_chat")));
    assert_eq!(report["tools"], json!(LISTED));
    let session = &report["answer"]["structuredContent"]["session_id"];
    let session = session.as_str().unwrap_or_else(|| panic!("no session in {report}"));
    assert_eq!(report["again"]["structuredContent"]["session_id"], session);
    let progress = report["progress"].as_array().expect("progress is a list");
    let first = progress.first().expect("there was progress");
    assert!(first["message"].as_str().is_some_and(|text| text.contains(session)), "{first}");
    assert!(
        progress.is_sorted_by(|one, two| one["progress"].as_f64() < two["progress"].as_f64()),
        "{progress:?}"
    );
    assert_eq!(report["bad"]["isError"], true, "{report}");
    let text = report["bad"]["content"][0]["text"].as_str().expect("an error is text");
    assert!(text.starts_with("bad_input: "), "{text}");
    // The SDK checks this against the tool's output schema, although it is an error.
    assert_eq!(report["bad"]["structuredContent"]["error"]["kind"], "bad_input", "{report}");
    let help = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors.md#bad_input");
    assert_eq!(report["bad"]["structuredContent"]["error"]["help"], help, "{report}");
    assert!(!text.contains("http"), "an address costs the model tokens: {text}");
    assert_eq!(report["unknown"], -32602);
    assert_eq!(report["errors"], json!([]), "the SDK had nothing to complain about");
}

/// What the SDK does with a scripted Codex, and the file that appears when its cancelled call has stopped.
pub fn plan(home: &Home) -> (Value, PathBuf) {
    let stopped = home.project().join("stopped");
    let seen = home.project().join("seen");
    let steps = json!([{"started": {}}, {"wait_for": seen}, {"reply": "finished"}]);
    let plan = json!({
        "arguments": {"prompt": script(&steps)},
        "seen": seen,
        "bad": {"prompt": "hello", "cwd": "src"},
        "hanging": {"prompt": script(&hanging(&stopped))},
    });
    (plan, stopped)
}

/// Expects the SDK to have had the right answers to that plan.
pub fn assert_plan_done(report: &Value) {
    assert_used(report);
    assert_eq!(report["answer"]["structuredContent"]["reply"], "finished");
    let error = report["cancelled"]["error"].as_str().expect("it was cancelled");
    assert!(error.contains("the test says so"), "{error}");
}

#[test]
fn the_typescript_sdk_uses_the_server() {
    let home = home("http://127.0.0.1:9/v1");
    let (plan, stopped) = plan(&home);
    let report = run_sdk(&home, &scripted_codex(), &plan);
    assert_plan_done(&report);
    assert!(stopped.exists(), "Codex was interrupted before the server left");
}

#[test]
fn the_typescript_sdk_uses_the_server_and_the_real_codex() {
    let seen = scratch().join(format!("seen-{}", std::process::id()));
    let progress = seen.clone();
    let model = Model::start(move |request| {
        wait_for(&progress);
        echo(request)
    });
    let home = home(&model.url());
    let plan = json!({
        "arguments": {"prompt": "What is this?"}, "bad": {"prompt": " "}, "seen": seen,
    });
    let report = run_sdk(&home, &real_codex::install().native, &plan);
    assert_used(&report);
    let again = &report["again"]["structuredContent"];
    assert!(again["reply"].as_str().is_some_and(|text| text.contains("What is this?")), "{again}");
    assert_eq!(again["usage"]["input_tokens"], 100);
    assert_eq!(again["session_usage"]["input_tokens"], 200);
    fs::remove_file(&seen).expect("there was progress");
}
