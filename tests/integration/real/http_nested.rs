//! Codex with a server over HTTP among its own MCP servers: the one that started it.

use serde_json::json;

use super::nested::delegate;
use crate::kit::http::serve;
use crate::kit::setup::{field, home, real_release};
use crate::support::model::Model;
use crate::support::real_codex::Release;

/// What the innermost call of two answers, with this largest depth.
fn delegated(release: Release, depth: &str) -> String {
    let model = Model::start(delegate);
    let home = home(&model.url());
    let builder = real_release(&home, release)
        .env("CODEX_PERSISTENT_MCP_MAX_DEPTH", depth)
        .env("CODEX_PERSISTENT_MCP_MAX_SANDBOX", "danger-full-access");
    let site = serve(builder);
    home.append_config(&format!(
        "[mcp_servers.inner]\nurl = \"http://{}{}\"\ndefault_tools_approval_mode = \"approve\"\n",
        site.address, site.path,
    ));
    let answer = site.connect().call("codex_chat", &json!({"prompt": "[delegate]"}));
    field(&answer, "reply").to_owned()
}

#[test]
fn a_codex_cannot_start_another_by_the_server_that_started_it() {
    for release in [Release::Newest, Release::V0_169, Release::V0_153] {
        let reply = delegated(release, "1");
        assert!(reply.contains("not_allowed: ") && reply.contains("MAX_DEPTH"), "{reply}");
    }
}

#[test]
fn where_two_levels_are_allowed_it_can() {
    let reply = delegated(Release::Newest, "2");
    assert!(reply.contains("the innermost"), "{reply}");
}
