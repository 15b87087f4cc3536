//! Turns: a request goes in, events come out while it runs, an outcome at the end.
//!
//! [`Codex`] is the entry point of the library. Each turn is a task that owns its process and everything
//! else it needs. It runs until the process is gone, also when nobody listens.

pub(crate) mod advice;
mod attempt;
mod call;
mod classify;
mod clock;
pub(crate) mod core_events;
mod outcome;
mod paths;
mod plan;
mod planner;
mod record;
mod run;
pub(crate) mod scheduling;
mod settle;
mod surroundings;
pub(crate) mod tap;
mod tokens;
pub(crate) mod vet;
mod warnings;
mod writable_roots;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::codex::configured::ConfigFiles;
use crate::codex::home::codex_home;
use crate::codex::sessions::history::Histories;
use crate::codex::version::Versions;
use crate::codex::watchdog::Watchdog;
use crate::model::event::Event;
use crate::model::limits::Limits;
use crate::model::outcome::{Answer, Failure, FailureKind};
use crate::model::policy::Policy;
use crate::model::request::TurnRequest;
use crate::model::settings::Settings;
use crate::session::info::Sessions;
use crate::session::queue::Queue;
use crate::session::table::{ServerInfo, Table};
use crate::system::depth::Depth;
use call::Call;
use clock::Clock;
use run::Run;
use scheduling::Scheduling;
use tap::Taps;

/// How many events wait for a listener. Codex is not read while there are more.
const EVENTS_AHEAD: usize = 256;

/// How long it may take to leave the shared queue when no turn is left.
const LEAVE_QUEUE_WITHIN: Duration = Duration::from_secs(1);

/// Runs turns of the user's Codex. Cheap to clone; all clones share one queue.
#[derive(Debug, Clone)]
pub struct Codex(Arc<Shared>, CallerDepth);

/// How deep the caller says that it is; see [`TurnRequest::depth`].
type CallerDepth = u32;

/// What all turns share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    /// What callers may request, by the settings.
    pub(crate) policy: Arc<Policy>,
    pub(crate) codex_home: Option<PathBuf>,
    pub(crate) config_files: ConfigFiles,
    pub(crate) queue: Queue,
    pub(crate) sessions: Sessions,
    pub(crate) histories: Histories,
    pub(crate) watchdog: Watchdog,
    pub(crate) versions: Versions,
    /// Limits how many turns are planned at a time.
    pub(crate) planning: Arc<tokio::sync::Semaphore>,
    /// Limits how many turns are vetted at a time.
    vetting: tokio::sync::Semaphore,
    /// Held while a last session is searched, so that calls stay in order.
    finding_last: tokio::sync::Mutex<()>,
    /// How many Codexes this process runs inside of.
    pub(crate) depth: Depth,
    /// Whether a prompt is that of a one-off turn, for sessions that only a record knows.
    pub(crate) is_one_off: fn(&str) -> bool,
    shutdown: CancellationToken,
    turns: TaskTracker,
}

/// A turn in progress. Dropping it cancels it.
#[derive(Debug)]
pub struct Turn {
    events: mpsc::Receiver<Event>,
    outcome: oneshot::Receiver<Result<Answer, Box<Failure>>>,
    token: CancellationToken,
    cancel: DropGuard,
}

impl Codex {
    /// Uses these settings. Starts no process.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared::new(settings, codex_home(), Depth::start())), 0)
    }

    /// The settings in use.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What callers may request, by the settings.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.0.policy
    }

    /// The same for a caller that says that it is inside of `depth` Codexes.
    #[cfg(feature = "http")]
    pub(crate) fn called_at(&self, depth: u32) -> Self {
        Self(Arc::clone(&self.0), depth)
    }

    /// Starts a turn, or puts it in the queue. Turns of one session run in the order of these calls. Must
    /// be called on a Tokio runtime with time and I/O.
    pub fn start(&self, request: TurnRequest) -> Turn {
        let policy = Arc::clone(self.policy());
        self.start_with(request, policy, Scheduling::Call, Taps::default())
    }

    /// Starts a turn, or puts it in the queue, under this policy and with these taps.
    pub(crate) fn start_with(
        &self,
        mut request: TurnRequest,
        policy: Arc<Policy>,
        scheduling: Scheduling,
        taps: Taps,
    ) -> Turn {
        request.depth = request.depth.max(self.1);
        let started = Instant::now();
        let (event_sender, events) = mpsc::channel(EVENTS_AHEAD);
        let (answer, outcome) = oneshot::channel();
        let cancel = self.0.shutdown.child_token();
        let turn =
            Turn { events, outcome, token: cancel.clone(), cancel: cancel.clone().drop_guard() };
        let checked = self.check(&request, &policy).and_then(|()| {
            let found = self.0.find_last_here(&policy, &mut request);
            found.map_err(|kind| Failure::of(kind, None))
        });
        if let Err(failure) = checked {
            drop(answer.send(Err(failure)));
            return turn;
        }
        let waiting = scheduling.enter(&self.0.queue, request.continued_session());
        let limits = &self.0.settings.limits;
        let limits = Limits {
            total: request.total.unwrap_or(limits.total),
            idle: request.idle.unwrap_or(limits.idle),
        };
        let clock = Clock::new(limits, started);
        let call = Call { shared: Arc::clone(&self.0), request, policy, cancel };
        let run = Run { clock, scheduling, taps, events: event_sender };
        self.0.turns.spawn(call.run(waiting, run, answer));
        turn
    }

    /// Cancels all turns, including those in the queue. Each Codex gets its first signal right away;
    /// [`Codex::finished`] waits until all are gone.
    pub fn shutdown(&self) {
        self.0.shutdown.cancel();
    }

    /// Waits until no turn is running and no Codex process is left, at most `bound`. Returns whether
    /// that is so.
    pub async fn finished(&self, bound: Duration) -> bool {
        self.0.turns.close();
        let finished = tokio::time::timeout(bound, self.0.turns.wait()).await.is_ok();
        self.0.turns.reopen();
        if finished {
            drop(
                tokio::time::timeout(LEAVE_QUEUE_WITHIN.min(bound), self.0.queue.published()).await,
            );
        }
        finished
    }

    fn check(&self, request: &TurnRequest, policy: &Policy) -> Result<(), Box<Failure>> {
        let checked =
            policy.check_depth(self.0.depth_of(request)).and_then(|()| policy.check(request));
        checked.map_err(|kind| Failure::of(kind, request.session))
    }
}

impl Shared {
    /// How deep the caller of a turn is: as far as this process sees, or as the caller says.
    fn depth_of(&self, request: &TurnRequest) -> u32 {
        request.depth.max(self.depth.get())
    }

    fn new(settings: Settings, codex_home: Option<PathBuf>, depth: Depth) -> Self {
        let who = ServerInfo { pid: std::process::id(), origin: settings.origin.to_string() };
        let table = Table::new(settings.state_dir.as_deref(), who);
        let queue = Queue::new(settings.max_concurrent, settings.max_queued, table);
        Self {
            policy: Arc::new(settings.policy.clone()),
            settings,
            codex_home,
            config_files: ConfigFiles::default(),
            queue,
            sessions: Sessions::default(),
            histories: Histories::default(),
            watchdog: Watchdog::default(),
            versions: Versions::default(),
            planning: Arc::new(tokio::sync::Semaphore::new(planner::PLANNED_AT_ONCE)),
            vetting: tokio::sync::Semaphore::new(vet::VETTED_AT_ONCE),
            finding_last: tokio::sync::Mutex::default(),
            depth,
            is_one_off: crate::model::prompt_envelope::is_one_off,
            shutdown: CancellationToken::new(),
            turns: TaskTracker::new(),
        }
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutdown.is_cancelled()
    }
}

impl Turn {
    /// The next event, or `None` when there will be no more. Codex blocks while nobody takes its events,
    /// so take them to the end or call [`Turn::outcome`]. Cancel-safe.
    pub async fn next_event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// A token that cancels the turn, also during [`Turn::outcome`].
    pub(crate) fn canceller(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Waits for the end of the turn. Drops events that were not taken.
    ///
    /// # Errors
    ///
    /// Every ending except completion, as a [`Failure`].
    pub async fn outcome(self) -> Result<Answer, Box<Failure>> {
        let Self { mut events, outcome, cancel, token: _ } = self;
        events.close();
        let outcome = outcome.await.unwrap_or_else(|_| {
            let message = "the turn's task ended unexpectedly; see the server's log".into();
            Err(Failure::of(FailureKind::Internal { message }, None))
        });
        // Codex may still run, and must exit by itself.
        drop(cancel.disarm());
        outcome
    }
}
