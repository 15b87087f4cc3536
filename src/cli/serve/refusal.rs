//! What becomes of a server with wrong settings: a client that started it gets the error as its answer.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::pin::pin;

use clap::error::ErrorKind;

use crate::cli::command;
use crate::cli::runtime::listening;
use crate::server::refuse;
use crate::transport::stdio;

/// Answers a client that waits on standard input with this error, until it leaves. Does nothing if a user
/// started the program, or another command. Returns the exit status.
pub(in crate::cli) fn answer(error: &clap::Error, exit_status: u8) -> u8 {
    if !is_for_client(error.kind(), std::env::args_os().skip(1)) || io::stdin().is_terminal() {
        return exit_status;
    }
    let problem = sentence(&error.render().to_string());
    listening(|mut signals| async move {
        let mut refusing = pin!(refuse(stdio(), problem));
        tokio::select! {
            biased;
            signal = signals.next() => signal.exit_status,
            () = &mut refusing => exit_status,
        }
    })
}

/// Whether these arguments start a server on standard input.
fn is_for_client(kind: ErrorKind, mut arguments: impl Iterator<Item = OsString>) -> bool {
    let is_question = matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let is_over_http = |argument: &str| argument == "--http" || argument.starts_with("--http=");
    let is_other = |argument: OsString| {
        let argument = argument.to_string_lossy();
        command::is_for_user(&argument) || is_over_http(&argument)
    };
    !is_question && kind != ErrorKind::InvalidSubcommand && !arguments.any(is_other)
}

fn sentence(message: &str) -> String {
    format!("{} cannot start: {}", env!("CARGO_PKG_NAME"), one_line(message))
}

/// What clap says, on one line, without the advice that is for a terminal.
pub(in crate::cli) fn one_line(message: &str) -> String {
    let is_advice =
        |line: &&str| line.starts_with("Usage:") || line.starts_with("For more information");
    let lines = message.lines().map(str::trim).take_while(|line| !is_advice(line));
    let words: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let sentence = words.join(" ").replace(" tip: ", "; ");
    sentence.strip_prefix("error: ").unwrap_or(&sentence).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_one_sentence() {
        let message = "error: invalid value 'x' for '--timeout <DURATION>': must be a duration\n\n  \
                       tip: it is set by this flag\n\nUsage: program [OPTIONS]\n\nFor more information";
        assert_eq!(
            sentence(message),
            "codex-persistent-mcp cannot start: invalid value 'x' for '--timeout <DURATION>': must be a \
             duration; it is set by this flag"
        );
    }

    #[test]
    fn only_a_server_on_standard_input_answers() {
        let answers =
            |arguments: &[&str], kind| is_for_client(kind, arguments.iter().map(Into::into));
        let wrong = ErrorKind::ValueValidation;
        for arguments in
            [&["--timeout", "x"][..], &["serve", "--bogus"], &["mcp-server", "-m", "-"]]
        {
            assert!(answers(arguments, wrong), "{arguments:?}");
        }
        for arguments in
            [&["chat", "--bogus"][..], &["--debug=x", "jobs"], &["serve", "--http", "x"]]
        {
            assert!(!answers(arguments, wrong), "{arguments:?}");
        }
        assert!(!answers(&["-h"], ErrorKind::DisplayHelp));
        assert!(!answers(&["sevre"], ErrorKind::InvalidSubcommand));
    }
}
