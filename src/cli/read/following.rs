//! Follows a file as it grows.

use std::io::Write;
use std::time::Duration;

use super::select::Selection;
use super::text::Printer;
use super::{Reading, summary};
use crate::cli::error::{Error, Result};
use crate::cli::follow::exit_status;
use crate::cli::output::stdout;
use crate::cli::runtime::listening;
use crate::codex::reading::entry::{Entry, What};
use crate::codex::reading::runs::Runs;
use crate::system::signals::Signals;
use crate::transport::hung_up;

/// How often the file is checked.
const POLL: Duration = Duration::from_millis(100);

impl Reading<'_> {
    /// Prints entries as they come. A signal ends this, with the cursor.
    pub(super) fn follow(&mut self) -> Result<u8> {
        let selection = Selection::new(self.arguments, true);
        let since = self.since()?;
        let mut failure = None;
        let status = listening(|signals| async {
            match self.follow_until(&selection, since, signals).await {
                Ok(status) => status,
                Err(error) => {
                    failure = Some(error);
                    0
                }
            }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(status),
        }
    }

    async fn follow_until(
        &mut self,
        selection: &Selection,
        since: u64,
        mut signals: Signals,
    ) -> Result<u8> {
        let arguments = self.arguments;
        // Only a write fails when the reader of the output is gone, and there may be none for long.
        let hang_up = hung_up();
        let mut printer = Printer::new(stdout(arguments.json), arguments, true);
        self.say_replaced(&mut printer)?;
        let mut shown = Shown { selection, answered: None };
        // The state is read before the events, so these are all that an ended job has.
        let mut ended = self.job_status()?;
        self.entries(selection, since, &mut printer, &mut |entry| shown.note(entry))?;
        let status = loop {
            let cursor = self.reader.cursor()?;
            printer.flush()?;
            if let Some(status) = shown.answered.or(ended) {
                break status;
            }
            tokio::select! {
                signal = signals.next() => break signal.exit_status,
                () = hang_up.cancelled() => return Ok(0),
                () = tokio::time::sleep(POLL) => {}
            }
            ended = self.job_status()?;
            let mut show = |entry: Entry, _| shown.show(&entry, &mut printer);
            if self.reader.restart_if_replaced::<Error>(cursor, &mut show)? {
                self.replaced = true;
                printer.note(summary::REPLACED_NOW)?;
            }
            let mut show = |entry: Entry, _| shown.show(&entry, &mut printer);
            self.reader.read::<Error>(&mut show)?;
        };
        if arguments.json {
            let end = self.end(&Runs::default(), None)?;
            printer.line(&end.to_string())?;
        } else {
            self.print_end(&mut printer)?;
        }
        printer.flush()?;
        Ok(status)
    }

    /// The exit status of a job that has ended.
    fn job_status(&self) -> Result<Option<u8>> {
        let Some((jobs, job)) = self.target.job() else { return Ok(None) };
        let status = jobs.state(job)?.status;
        Ok(status.has_ended().then(|| exit_status(status)))
    }
}

/// What was shown so far.
struct Shown<'a> {
    selection: &'a Selection,
    /// The exit status, once the request that is followed has ended.
    answered: Option<u8>,
}

impl Shown<'_> {
    fn note(&mut self, entry: &Entry) {
        self.answered = self.answered.or_else(|| status_of(entry, self.selection));
    }

    fn show(&mut self, entry: &Entry, printer: &mut Printer<impl Write>) -> Result<()> {
        self.note(entry);
        if self.selection.is_wanted(entry) {
            printer.entry(entry)?;
        }
        Ok(())
    }
}

/// The exit status if the entry ends the request that is followed.
fn status_of(entry: &Entry, selection: &Selection) -> Option<u8> {
    if !selection.has_request() || !selection.is_of_request(entry) {
        return None;
    }
    match &entry.what {
        What::Answer { is_error, .. } => Some(u8::from(*is_error)),
        What::TurnEnded { error, .. } if !entry.is_of_call => Some(u8::from(error.is_some())),
        What::TurnAborted { .. } | What::Cancelled => Some(1),
        _ => None,
    }
}
