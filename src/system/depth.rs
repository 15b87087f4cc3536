//! How deep this process is among Codexes that processes like it have started.
//!
//! Each Codex is started with a variable that says its depth. Its own MCP servers do not get it: Codex
//! filters their environment. But the processes in between are all there, and what they were started
//! with can be read by their user (measured on Codex 0.77, 0.153 and 0.171: an MCP server's parents are
//! Codex and whoever started that).

/// The variable that says how deep a Codex is: 1 if nobody like this started it.
pub(crate) const DEPTH: &str = "CODEX_PERSISTENT_MCP_DEPTH";

/// How many parents are looked at.
const MAX_PARENTS: usize = 64;

/// How many Codexes, started by processes like this one, are around it.
pub(crate) fn depth() -> u32 {
    let own = std::env::var(DEPTH).ok().and_then(|depth| depth.parse().ok());
    let mut deepest = own.unwrap_or(0);
    let mut pid = parent_of(std::process::id());
    for _ in 0..MAX_PARENTS {
        let Some(parent) = pid.filter(|pid| *pid > 1) else { break };
        deepest = deepest.max(started_with(parent).unwrap_or(0));
        pid = parent_of(parent);
    }
    deepest
}

#[cfg(target_os = "linux")]
fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything. After it come the state and the parent.
    stat[stat.rfind(')')? + 1..].split_whitespace().nth(1)?.parse().ok()
}

#[cfg(target_os = "linux")]
fn started_with(pid: u32) -> Option<u32> {
    let variables = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let found = variables.split(|byte| *byte == 0).find_map(|variable| {
        variable.strip_prefix(DEPTH.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec)
    })?;
    String::from_utf8(found).ok()?.parse().ok()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn ps(pid: u32, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("/bin/ps")
        .args(arguments)
        .args(["-p", &pid.to_string()])
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(all(unix, not(target_os = "linux")))]
fn parent_of(pid: u32) -> Option<u32> {
    ps(pid, &["-o", "ppid="])?.parse().ok()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn started_with(pid: u32) -> Option<u32> {
    let line = ps(pid, &["-E", "-ww", "-o", "command="])?;
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(DEPTH))?;
    found.strip_prefix('=')?.parse().ok()
}

/// There the variable alone tells, and Codex's own MCP servers do not get it.
#[cfg(not(unix))]
fn parent_of(_pid: u32) -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn started_with(_pid: u32) -> Option<u32> {
    None
}
