//! The server over HTTP with clients that we did not write: the official TypeScript SDK, and Codex.

use std::process::Command;

use serde_json::json;

use super::clients::{assert_plan_done, plan, run_sdk_with};
use crate::kit::http::serve;
use crate::kit::setup::{home, scripted};
use crate::kit::wait::wait_for;
use crate::support::environment::clean;
use crate::support::model::{Model, Request, Response, echo};
use crate::support::real_codex::{Release, install_release};
use crate::support::scripted_codex;

/// Uses everything that the SDK's script uses, over this transport.
fn use_by_sdk(transport: &str) {
    let home = home("http://127.0.0.1:9/v1");
    let site = serve(scripted(&home).arg("--transport").arg(transport));
    let (plan, stopped) = plan(&home);
    let url = format!("http://{}{}", site.address, site.path);
    let report = run_sdk_with(&home, &scripted_codex(), &url, &plan);
    assert_plan_done(&report);
    wait_for(&stopped);
}

#[test]
fn the_typescript_sdk_uses_the_server_over_streamable_http() {
    use_by_sdk("streamable-http");
}

#[test]
fn the_typescript_sdk_uses_the_server_over_sse() {
    use_by_sdk("sse");
}

/// A model that lists the jobs, and replies with the list.
fn list_jobs(request: &Request) -> Response {
    if request.has_tool_output() {
        return Response::message(request.tool_outputs().join("\n"));
    }
    if request.last_user_text().contains("[list]") {
        return Response::call("mcp__persistent/codex_jobs", json!({}));
    }
    echo(request)
}

#[test]
fn codex_uses_the_server_over_http_with_its_token() {
    const TOKEN: &str = "0123456789abcdef0123";
    let model = Model::start(list_jobs);
    let home = home(&model.url());
    let builder = scripted(&home).env("CODEX_PERSISTENT_MCP_HTTP_TOKEN", TOKEN);
    let site = serve(builder);
    home.append_config(&format!(
        "[mcp_servers.persistent]\nurl = \"http://{}{}\"\nbearer_token_env_var = \"TOKEN\"\n",
        site.address, site.path,
    ));
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let run = |token: &str| {
            let mut command = Command::new(&install_release(release).native);
            let output = clean(&mut command, home.user())
                .args(["exec", "--skip-git-repo-check", "[list]"])
                .env("CODEX_HOME", home.path())
                .env("TOKEN", token)
                .current_dir(home.project())
                .output()
                .expect("Codex is installed");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let reply = run(TOKEN);
        assert!(reply.contains("\"jobs\""), "{release:?}: {reply}");
        let reply = run("0123456789abcdef0124");
        assert!(!reply.contains("\"jobs\""), "{release:?}: {reply}");
    }
}
