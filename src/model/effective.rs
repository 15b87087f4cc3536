//! The settings that were in force during a turn, according to Codex's own record.

use std::path::PathBuf;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::sandbox::Sandbox;

/// The settings that were in force during a turn, from the `turn_context` in Codex's record. A field is
/// absent if that Codex version does not record it, or records a value unknown to this crate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Effective {
    /// The working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// The sandbox that commands ran in.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "name")]
    pub sandbox: Option<Sandbox>,
    /// When Codex asks for approval before it runs a command. It is `never` in a `codex exec` unless
    /// something can answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_policy: Option<String>,
    /// Who approves commands, if that is not the user: `auto_review` is a model that may allow a command to
    /// run outside the sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals_reviewer: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Folders that commands could write to in addition to the working directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub writable_roots: Vec<PathBuf>,
    /// Whether commands had network access.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub network_access: bool,
}

/// The same of settings that were written as JSON.
pub(crate) fn writes(effective: &Value) -> bool {
    let sandbox = effective["sandbox"].as_str().and_then(|name| name.parse::<Sandbox>().ok());
    sandbox.is_some_and(|sandbox| sandbox > Sandbox::ReadOnly)
}

fn name<S: Serializer>(sandbox: &Option<Sandbox>, serializer: S) -> Result<S::Ok, S::Error> {
    sandbox.map(Sandbox::as_str).serialize(serializer)
}

impl Effective {
    /// Whether commands could change files, as far as that is known.
    pub(crate) fn may_write(&self) -> bool {
        self.sandbox.is_some_and(|sandbox| sandbox > Sandbox::ReadOnly)
    }

    /// Reads the payload of a `turn_context` as written by Codex 0.77 to 0.171.
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

/// The sandbox named by a `turn_context`, or the one its permission profile amounts to, whichever allows
/// more.
pub(crate) fn sandbox(context: &Value) -> Option<Sandbox> {
    let named = context["sandbox_policy"]["type"].as_str().and_then(|policy| policy.parse().ok());
    let profile = &context["permission_profile"];
    // From 0.169 on, this may be the only place that says a session runs without a sandbox.
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
    fn missing_fields_of_a_context_are_absent() {
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
    fn a_profile_that_allows_more_writes_than_the_named_sandbox_wins() {
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
