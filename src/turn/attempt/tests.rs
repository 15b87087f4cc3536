//! Runs attempts on a backend that plays a script.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::FutureExt;

use super::*;
use crate::codex::event_stream::Skipped;
use crate::model::limits::Limits;

const SESSION: &str = "0199a213-81c0-7800-8aa1-bbab2a0350aa";
const OTHER: &str = "0199a213-81c0-7800-8aa1-bbab2a0350bb";
const LONG: Duration = Duration::from_secs(60 * 60);

/// Prints what its script says, and leaves when the script ends or it is stopped.
#[derive(Default)]
struct Scripted {
    script: VecDeque<Output>,
    /// Whether it stays when the script ends.
    stays: bool,
    is_stopped: bool,
}

impl Backend for Scripted {
    fn start(_: &Launch<'_>) -> io::Result<Self> {
        Ok(Self::default())
    }

    fn pid(&self) -> u32 {
        0
    }

    async fn next(&mut self) -> Output {
        match self.script.pop_front() {
            Some(output) => output,
            None if self.stays && !self.is_stopped => pending().await,
            None => Output::End(exit()),
        }
    }

    fn take_buffered(&mut self) -> Option<Output> {
        None
    }

    fn line(&self) -> &[u8] {
        b"{}"
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Stop => self.is_stopped = true,
        }
    }
}

fn exit() -> Exit {
    Exit { status: "exit status 0".into(), stderr: "the reason".into() }
}

fn started(session: &str) -> Output {
    Output::Event(Event::ThreadStarted { thread_id: session.into() })
}

fn error(message: &str) -> Output {
    Output::Event(Event::Error { message: message.into() })
}

fn completed() -> Output {
    Output::Event(Event::TurnCompleted { usage: None })
}

const COMPLETED: End = End::Terminal(Terminal::Completed { usage: None });

/// What a run goes by, and what became of it.
struct Scene {
    clock: Clock,
    cancel: CancellationToken,
    resumes: Option<SessionId>,
    events: mpsc::Sender<Event>,
    listener: mpsc::Receiver<Event>,
    /// What the listener waits for before it learns of the session.
    adopted: Option<oneshot::Receiver<()>>,
}

impl Scene {
    fn new() -> Self {
        Self::with_room(16)
    }

    /// With a listener that has room for so many events.
    fn with_room(room: usize) -> Self {
        let (events, listener) = mpsc::channel(room);
        Self {
            clock: Clock::new(Limits { total: LONG, idle: LONG }, Instant::now()),
            cancel: CancellationToken::new(),
            resumes: None,
            events,
            listener,
            adopted: None,
        }
    }

    /// Runs until the run waits for something; `None` if it does not end before.
    fn run(&mut self, attempt: &mut Attempt<Scripted>, taps: Taps) -> Option<End> {
        self.run_to_end(attempt, taps).now_or_never()
    }

    async fn run_to_end(&mut self, attempt: &mut Attempt<Scripted>, mut taps: Taps) -> End {
        let mut on_session = |_| self.adopted.take();
        let watched = Watched {
            clock: &mut self.clock,
            cancel: &self.cancel,
            resumes: self.resumes,
            taps: &mut taps,
            events: &self.events,
            on_session: &mut on_session,
        };
        attempt.run(watched).await
    }
}

fn attempt(script: impl Into<VecDeque<Output>>) -> Attempt<Scripted> {
    Attempt::new(Scripted { script: script.into(), ..Scripted::default() })
}

fn attempt_that_stays(script: impl Into<VecDeque<Output>>) -> Attempt<Scripted> {
    Attempt::new(Scripted { script: script.into(), stays: true, is_stopped: false })
}

#[tokio::test]
async fn the_terminal_event_ends_a_run_before_the_process_leaves() {
    let mut attempt = attempt_that_stays([completed()]);
    assert_eq!(Scene::new().run(&mut attempt, Taps::default()), Some(COMPLETED));
    let cancel = CancellationToken::new();
    cancel.cancel();
    assert!(!attempt.backend.is_stopped);
    attempt.leave(&cancel).await;
}

#[tokio::test]
async fn an_exit_without_a_terminal_event_is_reported_with_its_reason() {
    assert_eq!(
        Scene::new().run(&mut attempt([Output::Left]), Taps::default()),
        Some(End::Exited(exit()))
    );
}

#[tokio::test]
async fn a_limit_stops_codex() {
    let mut scene = Scene::new();
    scene.clock = Clock::new(Limits { total: Duration::ZERO, idle: LONG }, Instant::now());
    let mut attempt = attempt_that_stays([]);
    let limit = Limit::Total(Duration::ZERO);
    let end = scene.run_to_end(&mut attempt, Taps::default()).await;
    assert_eq!(end, End::Stopped(Why::Limit(limit)));
    assert!(attempt.backend.is_stopped);
}

#[tokio::test]
async fn limits_no_longer_apply_when_codex_has_left_unless_the_listener_is_slow() {
    let mut attempt = attempt([]);
    assert!(attempt.is_limited());
    attempt.has_left = true;
    assert!(!attempt.is_limited());
    attempt.phase = Phase::Delivering(Event::TurnStarted);
    assert!(attempt.is_limited());
    attempt.phase = Phase::Stopping(Why::Cancelled);
    assert!(!attempt.is_limited());
}

#[tokio::test]
async fn what_codex_says_of_its_end_counts_also_when_it_was_cancelled() {
    let mut scene = Scene::new();
    scene.cancel.cancel();
    assert_eq!(scene.run(&mut attempt_that_stays([completed()]), Taps::default()), Some(COMPLETED));
    let end = scene.run(&mut attempt_that_stays([error("interrupted")]), Taps::default());
    assert_eq!(end, Some(End::Stopped(Why::Cancelled)));
}

#[tokio::test]
async fn a_turn_in_another_session_is_stopped_whatever_it_says() {
    let mut scene = Scene::new();
    scene.resumes = SESSION.parse().ok();
    let end = scene.run(&mut attempt([started(OTHER), completed()]), Taps::default());
    assert_eq!(end, Some(End::Stopped(Why::AnotherSession { got: OTHER.into() })));
    let end = scene.run(&mut attempt([started(SESSION), completed()]), Taps::default());
    assert_eq!(end, Some(COMPLETED));
}

#[tokio::test]
async fn nothing_is_read_while_the_listener_has_no_room() {
    let mut scene = Scene::with_room(1);
    let mut attempt = attempt([error("1"), error("2"), error("3"), completed()]);
    assert_eq!(scene.run(&mut attempt, Taps::default()), None);
    assert_eq!(attempt.backend.script.len(), 2);
    let mut messages = Vec::new();
    while let Ok(event) = scene.listener.try_recv() {
        messages.push(event);
        if scene.run(&mut attempt, Taps::default()) == Some(COMPLETED) {
            break;
        }
    }
    let errors = ["1", "2", "3"].map(|message| Event::Error { message: message.into() });
    assert_eq!(messages, errors);
}

#[tokio::test]
async fn a_stop_waits_for_no_listener() {
    let mut scene = Scene::with_room(1);
    let mut attempt = attempt_that_stays([error("1"), error("2"), error("3"), error("4")]);
    assert_eq!(scene.run(&mut attempt, Taps::default()), None);
    scene.cancel.cancel();
    assert_eq!(scene.run(&mut attempt, Taps::default()), Some(End::Stopped(Why::Cancelled)));
    assert!(attempt.backend.script.is_empty());
}

#[tokio::test]
async fn the_listener_learns_of_a_session_when_other_servers_know_it() {
    let mut scene = Scene::new();
    let (tell, adopted) = oneshot::channel();
    scene.adopted = Some(adopted);
    let mut attempt = attempt([started(SESSION), Output::Left]);
    assert_eq!(scene.run(&mut attempt, Taps::default()), None);
    assert!(scene.listener.try_recv().is_err());
    tell.send(()).expect("it is awaited");
    assert_eq!(scene.run(&mut attempt, Taps::default()), Some(End::Exited(exit())));
    let expected = Event::ThreadStarted { thread_id: SESSION.into() };
    assert_eq!(scene.listener.try_recv(), Ok(expected));
}

/// Records up to so many events.
struct Disk {
    room: usize,
    recorded: Arc<Mutex<Vec<Event>>>,
}

impl Tap for Disk {
    fn starting(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn launched(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, event: &Event, _: &[u8]) -> io::Result<()> {
        let mut recorded = self.recorded.lock().expect("nothing panics with it");
        if recorded.len() == self.room {
            return Err(io::Error::other("full"));
        }
        recorded.push(event.clone());
        Ok(())
    }

    fn skipped(&mut self, _: Skipped) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_stops_codex_and_is_not_delivered() {
    let mut scene = Scene::new();
    let recorded = Arc::default();
    let disk = Disk { room: 1, recorded: Arc::clone(&recorded) };
    let mut attempt = attempt_that_stays([error("1"), error("2")]);
    let first = Event::Error { message: "1".into() };
    let end = scene.run(&mut attempt, Taps::one(disk));
    assert_eq!(end, Some(End::Stopped(Why::NotRecorded { reason: "full".into() })));
    assert_eq!(*recorded.lock().expect("nothing panics with it"), std::slice::from_ref(&first));
    assert_eq!(scene.listener.try_recv(), Ok(first));
    assert!(scene.listener.try_recv().is_err());
}
