//! How deep this process is among Codexes that processes like it have started.
//!
//! Each Codex is started with a variable that says its depth. Its own MCP servers do not get it: Codex
//! filters their environment. But the processes in between are all there, and what they were started
//! with can be read by their user (measured on Codex 0.77, 0.153 and 0.171: an MCP server's parents are
//! Codex and whoever started that).

use std::sync::{Arc, OnceLock};

/// The variable that says how deep a Codex is: 1 if nobody like this started it.
pub(crate) const DEPTH: &str = "CODEX_PERSISTENT_MCP_DEPTH";

/// The header that says the same in requests of a Codex to its MCP servers over HTTP: those are not its
/// children.
pub(crate) const DEPTH_HEADER: &str = "x-codex-persistent-mcp-depth";

/// How many parents are read.
const MAX_PARENTS: usize = 64;

/// How many Codexes, started by processes like this one, this process runs inside of. Read once, while
/// its parents are still there. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Depth(Arc<OnceLock<u32>>);

impl Depth {
    /// Starts to read it, on a thread of its own.
    pub(crate) fn start() -> Self {
        let depth = Self(Arc::default());
        let reading = depth.clone();
        let read = move || {
            reading.get();
        };
        // Without a thread the first turn reads it.
        drop(std::thread::Builder::new().name("depth".into()).spawn(read));
        depth
    }

    /// Waits until it is read.
    pub(crate) fn get(&self) -> u32 {
        *self.0.get_or_init(find)
    }
}

fn find() -> u32 {
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
    let stat = read(&format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything. After it come the state and the parent.
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// Reads a file of the kernel with few calls: such a file does not report its size.
#[cfg(target_os = "linux")]
fn read(path: &str) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut content = Vec::with_capacity(8 << 10);
    std::fs::File::open(path).ok()?.read_to_end(&mut content).ok()?;
    Some(content)
}

#[cfg(target_os = "linux")]
fn started_with(pid: u32) -> Option<u32> {
    let variables = read(&format!("/proc/{pid}/environ"))?;
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
