//! What was in force in a turn, from Codex's own record of it.

use std::path::PathBuf;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::sandbox::Sandbox;

/// What was in force in a turn: the `turn_context` of Codex's record. A field that a version does not
/// record, or records in words that are not known here, is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Effective {
    /// The directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// What commands could do.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "name")]
    pub sandbox: Option<Sandbox>,
    /// When Codex asks before it runs a command: `never` in every `codex exec` that nobody answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_policy: Option<String>,
    /// Who is asked, if that is not a person: `auto_review` is a model that may let a command run
    /// outside of the sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals_reviewer: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Folders that commands could write in, beside the directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub writable_roots: Vec<PathBuf>,
    /// Whether commands had the network.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub network_access: bool,
}

fn name<S: Serializer>(sandbox: &Option<Sandbox>, serializer: S) -> Result<S::Ok, S::Error> {
    sandbox.map(Sandbox::as_str).serialize(serializer)
}

impl Effective {
    /// Reads a `turn_context`'s payload, as Codex 0.77 to 0.171 write it.
    pub(crate) fn read(context: &Value) -> Self {
        let text = |name: &str| context[name].as_str().map(str::to_owned);
        let policy = &context["sandbox_policy"];
        let roots = policy["writable_roots"].as_array().into_iter().flatten();
        let sandbox = sandbox(context);
        Self {
            cwd: text("cwd").map(PathBuf::from),
            sandbox,
            approval_policy: text("approval_policy"),
            approvals_reviewer: text("approvals_reviewer").filter(|reviewer| reviewer != "user"),
            model: text("model"),
            writable_roots: roots.filter_map(Value::as_str).map(PathBuf::from).collect(),
            network_access: policy["network_access"] == true
                || sandbox == Some(Sandbox::DangerFullAccess),
        }
    }
}

/// The sandbox that a `turn_context` names, or the one that its permission profile comes to where that
/// is more.
pub(crate) fn sandbox(context: &Value) -> Option<Sandbox> {
    let named = context["sandbox_policy"]["type"].as_str().and_then(|policy| policy.parse().ok());
    let profile = &context["permission_profile"];
    // From 0.169 on a session without a sandbox may say so here alone.
    let disabled = (profile["type"] == "disabled").then_some(Sandbox::DangerFullAccess);
    let entries = profile["file_system"]["entries"].as_array().into_iter().flatten();
    let written = entries.filter(|entry| entry["access"] == "write").map(|entry| {
        match entry["path"]["value"]["kind"] == "root" {
            true => Sandbox::DangerFullAccess,
            false => Sandbox::WorkspaceWrite,
        }
    });
    [named, disabled].into_iter().flatten().chain(written).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_context_is_read_and_what_is_not_there_is_absent() {
        let read = Effective::read(&json!({
            "cwd": "/a",
            "approval_policy": "never",
            "approvals_reviewer": "user",
            "sandbox_policy": {"type": "workspace-write", "writable_roots": ["/b"], "network_access": true},
            "model": "m",
        }));
        assert_eq!(
            json!(read),
            json!({
                "cwd": "/a", "sandbox": "workspace-write", "approval_policy": "never", "model": "m",
                "writable_roots": ["/b"], "network_access": true,
            })
        );
        assert_eq!(json!(Effective::read(&json!({}))), json!({}));
        let open = Effective::read(&json!({"permission_profile": {"type": "disabled"}}));
        assert_eq!(json!(open), json!({"sandbox": "danger-full-access", "network_access": true}));
    }

    #[test]
    fn a_profile_that_lets_more_be_written_than_the_sandbox_s_name_says_counts() {
        let with = |entries: Value| {
            sandbox(&json!({
                "sandbox_policy": {"type": "read-only"},
                "permission_profile": {"type": "managed", "file_system": {"entries": entries}},
            }))
        };
        let root = |access: &str| json!({"path": {"value": {"kind": "root"}}, "access": access});
        assert_eq!(with(json!([root("read")])), Some(Sandbox::ReadOnly));
        let folder = json!({"path": {"type": "path", "path": "/a"}, "access": "write"});
        assert_eq!(with(json!([root("read"), folder])), Some(Sandbox::WorkspaceWrite));
        assert_eq!(with(json!([root("write")])), Some(Sandbox::DangerFullAccess));
    }
}
