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
        1 => "1 command of Codex's did not run".to_owned(),
        count => format!("{count} commands of Codex's did not run"),
    };
    let patches = match patches {
        0 => String::new(),
        1 => " and 1 patch was not made".into(),
        count => format!(" and {count} patches were not made"),
    };
    let what = commands + &patches;
    Some(format!(
        "{what}, because the sandbox cannot be made on this machine ({}): Codex may have seen and changed \
         nothing, whatever it says. A person must {}; or, where the container is sandbox enough, the operator \
         allows danger-full-access by {} and the call asks for it.",
        sanitize(&not_run.message, LineBreaks::Escape),
        sandbox(&not_run.message),
        policy::MAX_SANDBOX
    ))
}

/// How a user can make a sandbox possible, by the message that appeared instead of the output.
pub(crate) fn sandbox(said: &str) -> &'static str {
    let has = |words: &str| said.contains(words);
    if has("bubblewrap is unavailable") {
        "install bubblewrap (the program bwrap), or Codex anew (npm install -g @openai/codex)"
    } else if has("WSL1") {
        "use WSL 2: no sandbox can be made on WSL 1"
    } else if has("use-legacy-landlock") || has("requires bubblewrap") {
        "take use_legacy_landlock out of the features in Codex's config.toml"
    } else if has("SeccompInstall") {
        "let its programs install seccomp filters: the kernel, or what stands in for it, has or allows none"
    } else {
        "let its programs make user namespaces (in a container: a seccomp profile that allows unshare, mount \
         and pivot_root, or --security-opt seccomp=unconfined --security-opt apparmor=unconfined; on the host: \
         sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns)"
    }
}
