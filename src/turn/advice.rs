//! What to do if commands did not run because their sandbox could not be created. Pure. Advice about
//! errors is in [`crate::model::advice`].

use crate::codex::sandbox_failure::SandboxFailures;
use crate::model::policy;
use crate::model::text::{LineBreaks, sanitize};

/// The warning that commands did not run because their sandbox could not be created. `None` if all ran.
/// `patches` were not applied either: Codex does not say why, but they need the same sandbox.
pub(crate) fn not_run(not_run: &SandboxFailures, patches: u64) -> Option<String> {
    let commands = match not_run.count {
        0 => return None,
        1 => "1 command did not run".to_owned(),
        count => format!("{count} commands did not run"),
    };
    let patches = match patches {
        0 => String::new(),
        1 => " and 1 patch was not applied".into(),
        count => format!(" and {count} patches were not applied"),
    };
    let what = commands + &patches;
    Some(format!(
        "{what}, because this machine cannot create the sandbox ({}). Codex may have seen and changed \
         nothing, whatever its reply says. The user must {}. If the machine is itself an isolated \
         container, the operator can instead allow danger-full-access with {}, and the call can request \
         it.",
        sanitize(&not_run.message, LineBreaks::Escape),
        sandbox(&not_run.message),
        policy::MAX_SANDBOX
    ))
}

/// How a user can make a sandbox possible, by the message that appeared instead of the output.
pub(crate) fn sandbox(said: &str) -> &'static str {
    let has = |words: &str| said.contains(words);
    if has("bubblewrap is unavailable") {
        "install bubblewrap (the program bwrap), or reinstall Codex (npm install -g @openai/codex)"
    } else if has("WSL1") {
        "use WSL 2, because WSL 1 cannot create a sandbox"
    } else if has("use-legacy-landlock") || has("requires bubblewrap") {
        "remove use_legacy_landlock from the features in Codex's config.toml"
    } else if has("SeccompInstall") {
        "allow programs to install seccomp filters, which the kernel (or its emulation) lacks or denies"
    } else {
        "allow programs to create user namespaces (in a container: a seccomp profile that allows unshare, \
         mount and pivot_root, or --security-opt seccomp=unconfined --security-opt apparmor=unconfined; on \
         the host: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns)"
    }
}
