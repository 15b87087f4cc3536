//! MCP over standard input and output, hardened against what clients really send.
//!
//! rmcp's own stdio transport drops lines that it cannot read, so the caller waits forever, and it blocks
//! when nobody reads standard output. This one answers every line in which it finds the id of a request.
//!
//! A message is a line, as the protocol has it. What is no message by itself may be a part of one that
//! somebody wrote over several lines into a file; that costs messages on a line nothing.
//!
//! Two threads do the blocking reads and writes. A read of standard input can be neither polled
//! portably nor abandoned, and the process must be able to leave all the same.

mod frames;
mod hangup;
mod lines;
pub(super) mod message;
mod salvage;
mod scan;
mod writer;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Output};
use frames::{Frame, Framer};
pub(crate) use hangup::hung_up;
use lines::Line;
use message::Decoded;
use writer::Writer;

/// The longest line that is read, in bytes. The longest prompt that Codex accepts fits in, even if
/// every character of it is written as an escape.
pub(super) const MAX_LINE: usize = 16 << 20;

/// How many bytes of refusals may wait to be written before no more lines are read.
const MAX_REFUSALS: usize = 4 << 20;

/// How many ignored lines the log warns of.
const MAX_REPORTED: u64 = 20;

/// How long a message may lack its next line before it counts as cut off. `tail -f` looks once a second
/// where the system does not tell it of changes.
const NEXT_LINE_WITHIN: Duration = Duration::from_secs(3);

/// Connects to the client on standard input and output. Must be called on a Tokio runtime.
pub(crate) fn stdio() -> Connection<LineTransport> {
    let closed = CancellationToken::new();
    let watched = closed.clone();
    tokio::spawn(async move {
        tokio::time::sleep(FIRST_ANSWER_WITHIN).await;
        hangup::watch(watched);
    });
    let (transport, output) = LineTransport::start(io::stdin(), io::stdout(), closed);
    Connection::new(transport, output)
}

/// How long after the start what no answer needs is started: most clients have their first answer by then.
pub(crate) const FIRST_ANSWER_WITHIN: Duration = Duration::from_millis(50);

/// Messages as lines of JSON.
pub(crate) struct LineTransport {
    lines: mpsc::Receiver<io::Result<Line>>,
    /// Has the beginning of a message over several lines.
    framer: Framer,
    /// How many bytes of the next line were decoded already, because they end a message.
    decoded_ahead: usize,
    /// When that message counts as cut off.
    cut_off_at: Instant,
    /// Messages of the last line that were not received yet: a batch has several.
    decoded: VecDeque<RxJsonRpcMessage<RoleServer>>,
    writer: Writer,
    /// Bytes of refusals that are not written yet.
    refusals: watch::Sender<usize>,
    closed: CancellationToken,
    /// Set when a message may have been a request, but no answer was possible.
    unanswerable: Arc<AtomicBool>,
    /// How many messages were ignored.
    ignored: u64,
}

impl LineTransport {
    /// Reads `input` and writes `output`, each in a thread of its own. `closed` is cancelled when nobody
    /// can read `output`.
    fn start(
        input: impl io::Read + Send + 'static,
        output: impl io::Write + Send + 'static,
        closed: CancellationToken,
    ) -> (Self, Output) {
        let refusals = watch::Sender::new(0);
        let unanswerable = Arc::new(AtomicBool::new(false));
        let report = Output {
            closed: closed.clone(),
            refusals: refusals.subscribe(),
            unanswerable: Arc::clone(&unanswerable),
        };
        let lines = lines::read(input);
        let writer = Writer::start(output);
        let transport = Self {
            lines,
            framer: Framer::default(),
            decoded_ahead: 0,
            cut_off_at: Instant::now(),
            decoded: VecDeque::new(),
            writer,
            refusals,
            closed,
            unanswerable,
            ignored: 0,
        };
        (transport, report)
    }

    /// The next line. `None` at the end of the input, or when the message that is open counts as cut
    /// off. Cancel-safe.
    async fn next_line(&mut self) -> Option<io::Result<Line>> {
        if !self.framer.is_open() {
            return self.lines.recv().await;
        }
        timeout_at(self.cut_off_at, self.lines.recv()).await.ok().flatten()
    }

    fn decode(&mut self, line: Line) {
        match line {
            Line::Whole(line) => {
                let ahead = std::mem::take(&mut self.decoded_ahead);
                self.decode_line(&line[ahead..]);
            }
            Line::Unfinished(line) => {
                let rest = &line[self.decoded_ahead..];
                if self.framer.would_end(rest) {
                    self.decoded_ahead = line.len();
                    self.decode_line(rest);
                }
            }
            Line::TooLong { length, salvaged } => {
                self.decoded_ahead = 0;
                self.cut_off();
                self.handle(message::too_long(length, salvaged));
            }
        }
    }

    fn decode_line(&mut self, line: &[u8]) {
        let whole = if self.framer.is_open() { None } else { message::decode(line) };
        match whole {
            Some(decoded) => decoded.into_iter().for_each(|one| self.handle(one)),
            None => {
                let frames = self.framer.push(line);
                self.decode_frames(frames);
                self.cut_off_at = Instant::now() + NEXT_LINE_WITHIN;
            }
        }
    }

    /// Abandons a message whose next line does not come.
    fn cut_off(&mut self) {
        let frames = self.framer.cut_off();
        self.decode_frames(frames);
    }

    fn decode_frames(&mut self, frames: Vec<Frame>) {
        for frame in frames {
            match frame {
                Frame::Object(object) => {
                    let decoded = message::decode(&object);
                    let decoded = decoded.unwrap_or_else(|| vec![message::broken(&object)]);
                    decoded.into_iter().for_each(|one| self.handle(one));
                }
                Frame::Broken(text) => self.handle(message::broken(&text)),
                Frame::CutOff(text) => self.handle(message::cut_off(&text)),
                Frame::TooLong { length, salvaged } => {
                    self.handle(message::too_long(length, salvaged));
                }
            }
        }
    }

    fn handle(&mut self, decoded: Decoded) {
        match decoded {
            Decoded::Message(message) => self.decoded.push_back(*message),
            Decoded::Refused(answer) => self.refuse(&answer),
            Decoded::Unanswerable(why) => {
                self.unanswerable.store(true, Ordering::Relaxed);
                self.report_ignored(why);
            }
            Decoded::Ignored(why) => self.report_ignored(why),
        }
    }

    /// Tells the user of the first lines that are ignored: somebody who pipes requests into this program sees
    /// nothing else of them.
    fn report_ignored(&mut self, why: &'static str) {
        self.ignored += 1;
        match self.ignored {
            ..=MAX_REPORTED => tracing::warn!("ignored {why}"),
            _ => tracing::debug!("ignored {why}"),
        }
    }

    fn refuse(&self, answer: &serde_json::Value) {
        let Some(line) = to_line(answer) else { return };
        let length = line.len();
        let (refusals, closed) = (self.refusals.clone(), self.closed.clone());
        refusals.send_modify(|bytes| *bytes += length);
        self.writer.write(line, move |written| {
            refusals.send_modify(|bytes| *bytes -= length);
            if written.is_err() {
                closed.cancel();
            }
        });
    }
}

impl Transport<RoleServer> for LineTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (sender, written) = tokio::sync::oneshot::channel();
        if let Some(line) = to_line(&message) {
            self.writer.write(line, move |written| drop(sender.send(written)));
        } else {
            drop(sender.send(Ok(())));
        }
        async { written.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())) }
    }

    /// Cancel-safe: what was decoded stays in `self`, and both awaits are cancel-safe.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(message) = self.decoded.pop_front() {
                return Some(message);
            }
            drop(self.refusals.subscribe().wait_for(|bytes| *bytes < MAX_REFUSALS).await);
            match self.next_line().await {
                Some(Ok(line)) => self.decode(line),
                None if self.framer.is_open() => self.cut_off(),
                None => return None,
                Some(Err(error)) => {
                    tracing::warn!(%error, "standard input cannot be read");
                    self.lines.close();
                    self.cut_off();
                }
            }
        }
    }

    /// Waits until the refusals are written.
    async fn close(&mut self) -> io::Result<()> {
        drop(self.refusals.subscribe().wait_for(|bytes| *bytes == 0).await);
        Ok(())
    }
}

fn to_line(message: &impl Serialize) -> Option<Vec<u8>> {
    match serde_json::to_vec(message) {
        Ok(mut line) => {
            line.push(b'\n');
            Some(line)
        }
        Err(error) => {
            tracing::error!(%error, "a message cannot be written as JSON");
            None
        }
    }
}

/// The id of a message exactly as the client wrote it, even if no request can have such an id.
fn id_from(value: &serde_json::Value) -> Option<serde_json::Value> {
    (value.is_string() || value.is_number()).then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// An output that writes when the test lets it.
    struct Gated {
        gate: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl io::Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.gate.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.written.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refusal_is_written_before_the_transport_closes() {
        let (open, gate) = channel();
        let (written, output) = channel();
        let input = io::Cursor::new(r#"{"id":7,"method":"#);
        let closed = CancellationToken::new();
        let (mut transport, report) =
            LineTransport::start(input, Gated { gate, written }, closed.clone());
        assert!(transport.receive().await.is_none(), "the line holds no message");
        assert!(*report.refusals.borrow() > 0);
        tokio::select! {
            biased;
            _ = transport.close() => panic!("nothing is written yet"),
            () = tokio::task::yield_now() => {}
        }
        open.send(()).expect("the writer waits for it");
        transport.close().await.expect("the output works");
        let line = output.recv().expect("it was written");
        let answer: serde_json::Value = serde_json::from_slice(&line).expect("it is a message");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&7.into(), &(-32_700).into()));
        assert!(!closed.is_cancelled());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refusal_that_cannot_be_written_shows_that_nobody_reads() {
        let (_, gate) = channel();
        let (written, _) = channel();
        let input = io::Cursor::new(r#"{"id":7,"method":"#);
        let closed = CancellationToken::new();
        let (mut transport, _) =
            LineTransport::start(input, Gated { gate, written }, closed.clone());
        assert!(transport.receive().await.is_none(), "the line holds no message");
        closed.cancelled().await;
    }
}
