//! The prompt: the words of the command line, and what is piped into the program.

use std::io::{self, IsTerminal, Read};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use uuid::Uuid;

use crate::cli::output::note;
use crate::model::value::InvalidValue;

/// The most that is read from standard input, in bytes: more than Codex accepts.
const MAX_STDIN: u64 = 8 << 20;

/// After this time the user is told what is being waited for.
const SAY_AFTER: Duration = Duration::from_secs(2);

/// Joins the words. `-` stands for standard input; without it, what is piped in or redirected from a file comes after
/// the words. Other input, such as a terminal, is not read.
pub(super) fn read(words: &[String]) -> Result<String, InvalidValue> {
    let is_dash = |word: &&String| *word == "-";
    let spoken: Vec<&str> =
        words.iter().filter(|word| !is_dash(word)).map(String::as_str).collect();
    let spoken = spoken.join(" ");
    let is_named = words.iter().any(|word| is_dash(&word));
    if !is_named && !has_input() {
        return match spoken.is_empty() {
            false => Ok(spoken),
            true => Err(InvalidValue("is missing: what is Codex to do?".into())),
        };
    }
    if is_named && io::stdin().is_terminal() {
        note("Type the prompt, and end it with Ctrl-D on a line of its own.");
    }
    Ok(joined(&spoken, &standard_input()?))
}

/// The words, then the input between two lines that it cannot contain.
fn joined(spoken: &str, input: &str) -> String {
    match (spoken.is_empty(), input.trim().is_empty()) {
        (true, _) => input.to_owned(),
        (false, true) => spoken.to_owned(),
        (false, false) => {
            let fence = &Uuid::new_v4().simple().to_string()[..8];
            let input = input.strip_suffix('\n').unwrap_or(input);
            format!("{spoken}\n\n--- {fence} standard input ---\n{input}\n--- {fence} end ---\n")
        }
    }
}

/// Whether something was piped in, or is redirected from a file.
#[cfg(unix)]
fn has_input() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;
    let file = io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let kind = file.and_then(|file| file.metadata()).map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_file() || kind.is_socket())
}

#[cfg(not(unix))]
fn has_input() -> bool {
    !io::stdin().is_terminal()
}

fn standard_input() -> Result<String, InvalidValue> {
    let (done, finished) = mpsc::channel::<()>();
    if !io::stdin().is_terminal() {
        // A pipe may have been inherited from a program that never ends it.
        thread::spawn(move || {
            if let Err(mpsc::RecvTimeoutError::Timeout) = finished.recv_timeout(SAY_AFTER) {
                note("reading the rest of the prompt from standard input (</dev/null: without it)");
            }
        });
    }
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(MAX_STDIN + 1).read_to_end(&mut bytes);
    drop(done);
    read.map_err(|error| InvalidValue(format!("cannot be read from standard input: {error}")))?;
    if bytes.len() as u64 > MAX_STDIN {
        let bound = MAX_STDIN >> 20;
        return Err(InvalidValue(format!(
            "is longer than {bound} MiB on standard input; put it into a file, and name the file"
        )));
    }
    String::from_utf8(bytes).map_err(|_| InvalidValue("must be UTF-8 text".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_piped_in_comes_after_the_words_between_fences() {
        assert_eq!(joined("ask", " \n"), "ask");
        assert_eq!(joined("", "all\n"), "all\n");
        let both = joined("review this", "+a\n--- end ---\n");
        let lines: Vec<&str> = both.lines().collect();
        assert_eq!((lines[0], lines[3], lines[4]), ("review this", "+a", "--- end ---"));
        assert!(lines[2].ends_with(" standard input ---") && lines[5].ends_with(" end ---"));
        assert_eq!(lines[2].split(' ').nth(1), lines[5].split(' ').nth(1));
    }
}
