//! Which version of Codex a program is. Asked only where an old one may be at work.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::locate::Program;

/// How long the answer may take. It takes some 10 ms, through the npm package's script 100 ms.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The major and minor number, from `codex --version` (`codex-cli 0.169.0`).
pub(crate) async fn of(program: &Program) -> Option<(u64, u64)> {
    let answer = Command::new(&program.path)
        .arg("--version")
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(ANSWER_WITHIN, answer).await.ok()?.ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_whitespace().last()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_last_word() {
        assert_eq!(super::parse("codex-cli 0.77.0\n"), Some((0, 77)));
        assert_eq!(super::parse("codex-cli 0.170.0-alpha.2\n"), Some((0, 170)));
        assert_eq!(super::parse("what?"), None);
    }
}
