//! The tables of limits in `docs/limits.md` and `docs/http.md` against the constants that enforce them.

use std::fs;
use std::path::Path;

/// A bound, and where the pages must say it.
struct Bound {
    page: &'static str,
    /// How the row of the table begins.
    row: &'static str,
    /// The constant, as its file below `src/` and its name.
    file: &'static str,
    name: &'static str,
}

const fn bound(row: &'static str, file: &'static str, name: &'static str) -> Bound {
    Bound { page: "docs/limits.md", row, file, name }
}

const fn http(row: &'static str, file: &'static str, name: &'static str) -> Bound {
    Bound { page: "docs/http.md", row, file, name }
}

const BOUNDS: [Bound; 75] = [
    bound("options of a call", "model/options/bounds.rs", "MAX_OPTION_ENTRIES"),
    bound("options of a call", "model/options/bounds.rs", "MAX_OPTION_BYTES"),
    bound("options of a call", "model/command_line.rs", "MAX_LINE_BYTES"),
    bound("flags of `mcp-server`", "model/options/bounds.rs", "MAX_OPTIONS_BYTES"),
    bound("flags of `mcp-server`", "model/command_line.rs", "MAX_LINE_BYTES"),
    bound("text of a call", "tool/arguments.rs", "MAX_TEXT_CHARS"),
    bound("a prompt from a pipe", "cli/chat/prompt.rs", "MAX_STDIN"),
    bound("a message from the client", "transport/stdio.rs", "MAX_LINE"),
    bound("a message from the client", "transport/stdio/message.rs", "MAX_VALUES"),
    bound("the next line of a message", "transport/stdio.rs", "NEXT_LINE_WITHIN"),
    bound("a message without a line end", "transport/stdio/lines.rs", "MAX_UNFINISHED"),
    bound("cancelled requests", "transport/ids.rs", "MAX_CANCELLED"),
    bound("a reply", "tool/reply.rs", "MAX_REPLY_CHARS"),
    bound("a partial reply", "tool/details.rs", "MAX_PARTIAL_CHARS"),
    bound("`files_changed`", "model/changed_files.rs", "MAX_FILES"),
    bound("`files_changed`", "model/changed_files.rs", "MAX_BYTES"),
    bound("`files_changed`", "model/changed_files.rs", "MAX_KNOWN"),
    bound("a whole answer", "tool/size_limit.rs", "MAX_CHARS"),
    bound("waiting for a disk", "turn/paths.rs", "ANSWERS_WITHIN"),
    bound("waiting for a disk", "job/blocking.rs", "DISK_TIMEOUT"),
    bound("waiting for a disk", "tool/sessions.rs", "DISK_TIMEOUT"),
    bound("operations blocked", "turn/planner.rs", "PLANNED_AT_ONCE"),
    bound("operations blocked", "job/blocking.rs", "THREADS"),
    bound("operations blocked", "session/table.rs", "PATIENCE"),
    bound("text from outside", "model/text.rs", "MAX_MESSAGE_CHARS"),
    bound("text from outside", "model/text.rs", "MAX_EXCERPT_CHARS"),
    bound("text from outside", "system/log.rs", "LINE_CHARS"),
    bound("a line of Codex's output", "codex/event_stream.rs", "MAX_LINE"),
    bound("Codex's standard error", "codex/stderr.rs", "KEPT"),
    bound("git, which checks", "codex/git.rs", "TIMEOUT"),
    bound("git, which checks", "codex/helper.rs", "MAX_OUTPUT_BYTES"),
    bound("`codex --version`", "codex/version.rs", "TIMEOUT"),
    bound("`codex --version`", "codex/helper.rs", "MAX_OUTPUT_BYTES"),
    bound("`read`", "codex/reading/source.rs", "MAX_LINE"),
    bound("`read`", "cli/read.rs", "MAX_JUDGED"),
    bound("`read`", "cli/read/select.rs", "MAX_ITEMS"),
    bound("`read`", "cli/read/select.rs", "MAX_CHARACTERS"),
    bound("`read`", "codex/reading/entry.rs", "MAX_TEXT"),
    bound("`read`", "codex/reading/entry.rs", "MAX_OUTPUT"),
    bound("completion of an id", "cli/complete.rs", "MAX_IDS"),
    bound("completion of an id", "cli/complete.rs", "READ_WITHIN"),
    bound("a client's file", "cli/clients/file.rs", "MAX_BYTES"),
    bound("a client's file", "cli/clients/file.rs", "LOCK_WITHIN"),
    bound("a hook of the plugin", "cli/hook.rs", "MAX_INPUT"),
    bound("a hook of the plugin", "cli/hook/jobs.rs", "MAX_TOLD"),
    bound("a hook of the plugin", "cli/hook/review.rs", "WITHIN"),
    bound("answers that nobody reads", "transport/outbox.rs", "MAX_WAITING"),
    bound("answers that nobody reads", "transport/inbox.rs", "MAX_MESSAGES"),
    bound("answers that nobody reads", "transport/inbox.rs", "MAX_BYTES"),
    bound("a `codex/event` notification", "codex/core_event.rs", "MAX_BYTES"),
    bound("events of a call", "transport/outbox.rs", "MAX_EVENTS"),
    bound("events of a call", "transport/outbox.rs", "MAX_EVENT_BYTES"),
    bound(
        "what is read of a turn's record for its events",
        "codex/core_event/tail.rs",
        "MAX_BYTES",
    ),
    bound("what is read of a turn's record for its events", "tool/compat/events.rs", "READ_WITHIN"),
    bound(
        "what is read of a turn's record for its events",
        "tool/compat/events.rs",
        "RECORD_STARTS_WITHIN",
    ),
    bound("running and queued jobs", "job.rs", "MAX_UNFINISHED"),
    bound("queued prompts", "job.rs", "MAX_WAITING"),
    bound("a page of `codex_jobs`", "tool/job.rs", "MAX_ENTRIES"),
    bound("a page of `codex_jobs`", "job/view.rs", "PAGE_BYTES"),
    bound("a page of `codex_jobs`", "job/view.rs", "MAX_LINES"),
    bound("a page of `codex_jobs`", "job/view.rs", "MAX_BYTES"),
    bound("notifications in one answer", "tool/job/notifications.rs", "MAX_NOTIFICATIONS"),
    bound("concurrent `codex_job_wait`", "tool/job/wait.rs", "MAX_OPEN"),
    bound("one `codex_job_wait`", "tool/job/wait.rs", "MAX_MS"),
    bound("jobs of a client", "tool/job/client_jobs.rs", "MAX_JOBS"),
    bound("a page of `codex_sessions` |", "tool/sessions.rs", "MAX_ENTRIES"),
    bound("a page of `codex_sessions` with", "codex/sessions/transcript.rs", "MAX_LINES"),
    bound("what is read of a turn's record for warnings", "codex/turn_record.rs", "MAX_BYTES"),
    bound("a line of a session's record", "codex/sessions/lines.rs", "MAX_KEPT"),
    bound("Codex after its last event", "turn/attempt.rs", "LEAVE_WITHIN"),
    bound("a turn's folders", "session/table/slots.rs", "SLOT"),
    bound("sessions whose directory", "session/info.rs", "REMEMBERED"),
    http("headers", "transport/http.rs", "MAX_HEADER_BYTES"),
    http("requests that are being received", "transport/http/body.rs", "MAX_TOGETHER"),
    http("what is kept for clients", "transport/http/outgoing.rs", "MAX_KEPT"),
];

/// What the pages say otherwise than the source, in order.
pub fn wrong(read: impl Fn(&str) -> String) -> Vec<String> {
    let problem = |bound: &Bound| {
        let Bound { page, row, file, name } = bound;
        let source = read(&format!("src/{file}"));
        let Some(value) = value_of(&source, name) else {
            return Some(format!("src/{file} has no plain constant {name}"));
        };
        let text = read(page);
        let Some(line) = text.lines().find(|line| line.starts_with(&format!("| {row}"))) else {
            return Some(format!("{page} has no row \"{row}\""));
        };
        let said = ways_to_say(value);
        let found = said.iter().any(|said| mentions(line, said));
        (!found)
            .then(|| format!("{page}, \"{row}\": {name} in src/{file} is {}", said.join(" or ")))
    };
    BOUNDS.iter().filter_map(problem).collect()
}

/// The rows of a page's table that no bound is about.
pub fn unchecked(page: &str, text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    let rows = rows.filter(|row| {
        let is_about = |bound: &&Bound| row.starts_with(&format!("| {}", bound.row));
        !BOUNDS.iter().filter(|bound| bound.page == page).any(|bound| is_about(&bound))
    });
    rows.filter_map(|row| Some(row.split('|').nth(1)?.trim().to_owned())).collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Number(u64),
    Milliseconds(u64),
}

/// The value of a constant whose expression is a product, a shift or a duration of numbers.
pub fn value_of(source: &str, name: &str) -> Option<Value> {
    let is_it = |line: &&str| {
        let words = line.split(':').next().unwrap_or_default().split_whitespace();
        words.clone().any(|word| word == "const" || word == "static") && words.last() == Some(name)
    };
    let line = source.lines().find(is_it)?;
    let expression = line.split_once(" = ")?.1.split(';').next()?;
    let Some((function, rest)) = expression.split_once('(') else {
        return number(expression).map(Value::Number);
    };
    let argument = number(rest.trim_end_matches(')'))?;
    match function.rsplit("::").next()? {
        "from_millis" => Some(Value::Milliseconds(argument)),
        "from_secs" => Some(Value::Milliseconds(argument * 1_000)),
        "from_mins" => Some(Value::Milliseconds(argument * 60_000)),
        "const_new" => Some(Value::Number(argument)),
        _ => None,
    }
}

fn number(expression: &str) -> Option<u64> {
    if let Some((left, right)) = expression.split_once("<<") {
        return Some(number(left)? << number(right)?);
    }
    let factors = expression.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>());
    factors.map(Result::ok).product()
}

fn ways_to_say(value: Value) -> Vec<String> {
    match value {
        Value::Milliseconds(value) if value % 1_000 == 0 => vec![format!("{} s", value / 1_000)],
        Value::Milliseconds(value) => {
            vec![format!("{} s", value as f64 / 1_000.0), format!("{value} ms")]
        }
        Value::Number(value) => {
            let mut said = vec![with_commas(value)];
            if value.is_multiple_of(1 << 20) {
                said.push(format!("{} MiB", value >> 20));
            } else if value.is_multiple_of(1 << 10) {
                said.push(format!("{} KiB", value >> 10));
            }
            said
        }
    }
}

fn with_commas(value: u64) -> String {
    let digits = value.to_string();
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// Whether the text has this, and not as a part of a longer number.
fn mentions(text: &str, said: &str) -> bool {
    text.match_indices(said).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + said.len()..].chars();
        let ends = match after.next() {
            Some(',') => !after.next().is_some_and(|next| next.is_ascii_digit()),
            Some(next) => !next.is_alphanumeric(),
            None => true,
        };
        !before.is_some_and(|before| before.is_ascii_digit() || before == ',') && ends
    })
}

/// The text of a file in the checkout.
pub fn in_checkout(checkout: &Path) -> impl Fn(&str) -> String {
    move |name| fs::read_to_string(checkout.join(name)).unwrap_or_default()
}
