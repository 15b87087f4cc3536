//! `read`: shows what Codex did, from its output in a file, from a job, or from a session's record. It prints
//! little, because an agent pays for each character.

mod following;
mod json;
mod select;
mod summary;
mod target;
mod text;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::Value;

use self::select::{Last, Selection};
use self::target::Target;
use self::text::Printer;
use super::error::{Error, Result, finish};
use super::output::stdout;
use crate::codex::reading::cursor::Cursor;
use crate::codex::reading::entry::Entry;
use crate::codex::reading::reader::Reader;
use crate::codex::reading::runs::Runs;
use crate::codex::reading::stuck::{Verdict, judge};
use crate::model::settings::Settings;

/// The exit status if it looks stuck, and if that cannot be judged.
const STUCK: u8 = 3;
const UNKNOWN: u8 = 4;

/// How much of the end of a file a summary, token counts and the verdict are made from, in bytes.
const MAX_JUDGED: u64 = 128 << 20;

const AFTER_HELP: &str = "\
Reads what codex mcp-server or this program wrote as an MCP server, what codex exec --json printed, Codex's \
records, and jobs. Lines of several forms may be mixed. Without --messages, --reasoning, --commands, --errors, \
--timeline or --last it prints a summary. That, --tokens and --stuck are of the last 128 MiB.

The last line of the output is a cursor. Pass it with --since to see only what is new. If the file was replaced or \
truncated meanwhile, the output says so and has all of the file.

Exits with 0; with 1 if the file cannot be read, with 2 if the input is invalid. With --stuck: 0 if a turn is \
running or the last one has ended, 3 if it looks stuck, 4 if that cannot be judged. With --follow: for a job as jobs follow, \
with --request 1 if the request failed.";

/// What to read, and what to print of it.
#[derive(Debug, Args)]
#[command(after_help = "Exit status, and what is read: --help", after_long_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// A file, or an id (4 characters of it do)
    #[arg(value_name = "FILE|JOB|SESSION")]
    target: std::ffi::OsString,

    /// Print Codex's messages, whole
    #[arg(long)]
    messages: bool,

    /// Print the summaries of the model's reasoning, whole
    #[arg(long)]
    reasoning: bool,

    /// Print commands, and the end of the output of failed ones
    #[arg(long)]
    commands: bool,

    /// Print errors, and what failed
    #[arg(long)]
    errors: bool,

    /// Print everything, one line each
    #[arg(long)]
    timeline: bool,

    /// Only the last N items, or characters: --last 4000c
    #[arg(long, value_name = "N[c]", value_parser = str::parse::<Last>)]
    last: Option<Last>,

    /// Only this tools/call, turn of a job, or turn of a record
    #[arg(long, value_name = "ID")]
    request: Option<String>,

    /// Only what came after this cursor
    #[arg(long, value_name = "CURSOR", value_parser = str::parse::<Cursor>)]
    since: Option<Cursor>,

    /// Print the tokens of each session, and how many are left
    #[arg(long, conflicts_with = "follow")]
    tokens: bool,

    /// Say whether it looks stuck, and why
    #[arg(long, conflicts_with = "follow")]
    stuck: bool,

    /// Go on until the job has ended or the request was answered
    #[arg(long)]
    follow: bool,

    /// Print an object for each entry, and one with the cursor
    #[arg(long)]
    json: bool,
}

/// Runs the command, and returns the exit status.
pub(super) fn run(arguments: Arguments, settings: &Settings) -> u8 {
    finish(read(&arguments, settings))
}

fn read(arguments: &Arguments, settings: &Settings) -> Result<u8> {
    let target = target::find(&arguments.target, settings)?;
    let reader = target.open()?;
    let mut reading = Reading { arguments, target, reader, replaced: false };
    if arguments.follow { reading.follow() } else { reading.print() }
}

/// One reading of a target.
struct Reading<'a> {
    arguments: &'a Arguments,
    target: Target,
    reader: Reader,
    /// Whether the file is not the one that the cursor is of.
    replaced: bool,
}

impl Reading<'_> {
    fn print(&mut self) -> Result<u8> {
        let arguments = self.arguments;
        let selection = Selection::new(arguments, false);
        let since = self.since()?;
        let mut printer = Printer::new(stdout(arguments.json), arguments, true);
        self.say_replaced(&mut printer)?;
        // The summary, the tokens and the verdict depend on what was seen before, too.
        let mut runs = Runs::default();
        let judges = arguments.stuck || arguments.tokens || selection.is_none();
        if judges {
            let left_out = self.reader.seek_to_last_bytes(MAX_JUDGED)?;
            runs.is_partial = left_out > 0;
            if left_out > 0 {
                printer.note(&format!(
                    "this is of the last {} MiB of {} MiB",
                    MAX_JUDGED >> 20,
                    (left_out + MAX_JUDGED) >> 20
                ))?;
            }
            let request = &selection;
            self.reader.read::<Error>(&mut |entry, start| {
                if request.is_of_request(&entry) {
                    runs.take(&entry, start >= since);
                }
                Ok(())
            })?;
        }
        if !selection.is_none() {
            if judges {
                self.reader.skipped = Default::default();
            }
            self.entries(&selection, since, &mut printer, &mut |_| {})?;
        }
        self.target.complete_tokens(&mut runs);
        let verdict = arguments.stuck.then(|| self.judge(&runs)).transpose()?;
        if arguments.json {
            let end = self.end(&runs, verdict.as_ref())?;
            printer.line(&end.to_string())?;
        } else {
            if selection.is_none() && !arguments.stuck && !arguments.tokens {
                summary::print(&mut printer, &runs, self.idle()?, since > 0)?;
            }
            if arguments.tokens {
                summary::print_tokens(&mut printer, &runs)?;
            }
            if let Some(verdict) = &verdict {
                printer.line(&summary::verdict(verdict))?;
            }
            self.print_end(&mut printer)?;
        }
        printer.flush()?;
        Ok(match verdict {
            Some(Verdict::Stuck(_)) => STUCK,
            Some(Verdict::Unknown(_)) => UNKNOWN,
            Some(Verdict::Ended(_) | Verdict::Working(_)) | None => 0,
        })
    }

    /// Where to start.
    fn since(&mut self) -> Result<u64> {
        let Some(cursor) = self.arguments.since else { return Ok(0) };
        let found = self.reader.find(cursor)?;
        self.replaced = found.is_none();
        Ok(found.unwrap_or(0))
    }

    fn say_replaced(&self, printer: &mut Printer<impl Write>) -> Result<()> {
        if self.replaced {
            printer.note(summary::REPLACED)?;
        }
        Ok(())
    }

    /// Prints the entries from `since` on, and shows all that it reads to `note`.
    fn entries(
        &mut self,
        selection: &Selection,
        since: u64,
        printer: &mut Printer<impl Write>,
        note: &mut dyn FnMut(&Entry),
    ) -> Result<()> {
        let Some(last) = self.arguments.last else {
            self.reader.seek(since)?;
            return self.reader.read(&mut |entry, _| {
                note(&entry);
                if selection.is_wanted(&entry) {
                    printer.entry(&entry)?;
                }
                Ok(())
            });
        };
        self.seek_last(last, selection, since)?;
        let mut kept: VecDeque<(Entry, usize)> = VecDeque::new();
        let mut size = 0;
        self.reader.read::<Error>(&mut |entry, _| {
            note(&entry);
            if selection.is_wanted(&entry) {
                let chars = printer.chars(&entry);
                size += chars;
                kept.push_back((entry, chars));
                while last.is_exceeded(kept.len(), size) && kept.len() > 1 {
                    size -= kept.pop_front().map_or(0, |(_, chars)| chars);
                }
            }
            Ok(())
        })?;
        printer.limit = last.chars();
        Ok(kept.iter().try_for_each(|(entry, _)| printer.entry(entry))?)
    }

    /// Goes to the place, not before `since`, from which on the last entries are read.
    fn seek_last(&mut self, last: Last, selection: &Selection, since: u64) -> Result<()> {
        // In a record only the start of a turn names it, so going backwards its entries cannot be recognized.
        if selection.has_request() {
            return Ok(self.reader.seek(since)?);
        }
        let (mut count, mut size) = (0, 0);
        let arguments = self.arguments;
        let sizer = Printer::new(io::sink(), arguments, true);
        self.reader.find_backwards(since, &mut |entry| {
            if selection.is_wanted(entry) {
                count += 1;
                size += sizer.chars(entry);
            }
            last.is_reached(count, size)
        })?;
        Ok(())
    }

    /// How long nothing was written.
    fn idle(&self) -> Result<Duration> {
        let written = self.reader.written_at()?;
        Ok(SystemTime::now().duration_since(written).unwrap_or_default())
    }

    fn judge(&self, runs: &Runs) -> Result<Verdict> {
        Ok(judge(runs, self.idle()?, self.target.is_written()))
    }

    fn end(&mut self, runs: &Runs, verdict: Option<&Verdict>) -> Result<Value> {
        let cursor = self.reader.cursor()?;
        let runs = self.arguments.tokens.then_some(runs);
        Ok(json::end(cursor, self.reader.skipped, self.replaced, runs, verdict))
    }

    fn print_end(&mut self, printer: &mut Printer<impl Write>) -> Result<()> {
        if let Some(skipped) = summary::skipped(self.reader.skipped) {
            printer.line(&skipped)?;
        }
        let cursor = self.reader.cursor()?;
        Ok(printer.line(&format!("cursor: {cursor}"))?)
    }
}
