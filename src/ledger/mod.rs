//! The ledger: the one path from a command to a fact.
//!
//! One thread, the writer, takes a batch from the queue of commands, which is fair by account (`queue`), decides
//! each against the state that the batch has led to so far, appends all facts to the log in one durable write, and
//! only then publishes the new state and answers. While one batch is written the queue fills: group commit without
//! a timer. A batch whose write fails is dropped with its copy of the state, and the ledger takes nothing more.
//!
//! Readers hold a snapshot of the state (`Ledger::view`) and never wait for the writer.

pub mod codec;
mod pace;
mod queue;
mod recover;
mod retention;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, oneshot, watch};
use tracing::Instrument as _;

use crate::clock::Timestamp;
use crate::domain::command::{AccessKeyAction, Action, Command, InstanceAction};
use crate::domain::event::{Event, Fact};
use crate::domain::rejection::Rejection;
use crate::domain::rotation::RotationAction;
use crate::domain::state::State;
use crate::identity::{AccountId, Principal};
use crate::log::{EventLog, Sequence};
use crate::metrics::{self, Commanded};
use queue::{Class, Queue, Refused};

pub use recover::{OpenError, Opened, read_state};
pub use retention::{RETAINED_AT_LEAST, RetentionError};

/// Commands of accounts that may wait for the writer.
pub const QUEUE_COMMANDS_MAX: usize = 16_384;
/// Commands of one account that may wait, while there is as much room left in the half of the queue that is shared.
pub const COMMANDS_PER_ACCOUNT_MAX: usize = 4096;
/// Commands of one account that may wait while that half is full.
pub const COMMANDS_PER_ACCOUNT_MIN: usize = 8;
/// The service's own commands that may wait.
pub const SERVICE_COMMANDS_MAX: usize = 2048;
/// When a caller whose command was not taken in may try again: some batches later.
pub const OVERLOADED_RETRY: Duration = Duration::from_millis(50);
/// Batches of facts that a follower may fall behind before it has to read the log instead.
pub const FOLLOWERS_BATCHES_MAX: usize = 1024;
/// Facts between two snapshots on disk.
pub const SNAPSHOT_EVERY_FACTS: u64 = 200_000;
/// Bytes of facts after which there is a snapshot however few they are: a renewal of a thousand sets is one fact, and
/// what is replayed at a start takes the time of its bytes.
pub const SNAPSHOT_EVERY_BYTES: u64 = 128 << 20;

/// The state after a record of the log.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The last record that is applied; 0 before the first.
    pub sequence: u64,
    /// The latest time that a record up to then has. No decision is made at an earlier one, whatever clocks say.
    pub time: Timestamp,
    /// What is true then.
    pub state: State,
}

/// What a command led to.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The record that holds the fact; for a command without effect, the newest record then.
    pub sequence: u64,
    /// The fact; none if there was nothing to do. A retry with the same token gets the first one's.
    pub fact: Option<Arc<Fact>>,
}

impl Receipt {
    /// What happened, in its order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.fact.iter().flat_map(|fact| &fact.events)
    }
}

/// What one write of the log made true: the state after it, and the facts that led there. In one piece, so that whoever
/// follows never looks at the one without the other.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The state after the last fact.
    pub view: Arc<View>,
    /// In the order of the log.
    pub facts: Box<[Recorded]>,
}

/// A fact with its place in the log.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The record's number.
    pub sequence: u64,
    /// The fact.
    pub fact: Arc<Fact>,
}

/// Why a command has no receipt.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The command was refused; nothing changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many commands of the account wait; nothing changed; try again after `OVERLOADED_RETRY`.
    #[error("too many requests of the account are waiting to be written")]
    Overloaded,
    /// Writing has ended; whether the command's fact is in the log is told by reading the log.
    #[error("the log takes no more writes: {0}")]
    Stopped(Arc<str>),
}

/// Why a read could not be served at the freshness asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {wanted} is not applied here yet; the newest is {newest}")]
pub struct Behind {
    /// What was asked for.
    pub wanted: u64,
    /// What is here.
    pub newest: u64,
}

/// A command on its way to the writer.
struct Submission {
    // Boxed, since it is moved from hand to hand.
    command: Box<Command>,
    /// Of the request, while somebody traces it.
    span: tracing::Span,
    submitted: Instant,
    reply: oneshot::Sender<Result<Receipt, SubmitError>>,
}

/// What the writer and the handles share.
struct Shared {
    log: Arc<EventLog>,
    view: ArcSwap<View>,
    applied: watch::Sender<u64>,
    batches: broadcast::Sender<Arc<Batch>>,
    stopped: watch::Sender<Option<Arc<str>>>,
    queue: Queue<Submission>,
}

/// A handle on the ledger; clones share it.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

/// The writer's end. Dropping it lets the writer finish what is queued, write a snapshot and end, and
/// blocks until then.
pub struct WriterHandle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Ledger {
    /// Rebuilds the state from the newest good snapshot and the log after it, and starts the writer.
    ///
    /// # Errors
    /// The log holds what cannot be read or makes no sense; the error names the record.
    pub fn open(log: EventLog) -> Result<(Self, WriterHandle, Opened), OpenError> {
        let log = Arc::new(log);
        let (view, opened) = recover::recover(&log)?;
        let shared = Arc::new(Shared {
            applied: watch::Sender::new(view.sequence),
            view: ArcSwap::from_pointee(view),
            batches: broadcast::Sender::new(FOLLOWERS_BATCHES_MAX),
            stopped: watch::Sender::new(None),
            queue: Queue::new(),
            log,
        });
        let thread = writer::start(shared.clone(), opened.snapshot_sequence)?;
        let handle = WriterHandle { shared: shared.clone(), thread: Some(thread) };
        Ok((Self { shared }, handle, opened))
    }

    /// The newest published state.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.shared.view.load_full()
    }

    /// The latest time that a record has: before it, nothing is decided.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.shared.view.load().time
    }

    /// The state once record `sequence` is applied; at once for 0.
    ///
    /// # Errors
    /// The record is not here within `patience`.
    pub async fn view_at(&self, sequence: u64, patience: Duration) -> Result<Arc<View>, Behind> {
        let view = self.view();
        if view.sequence >= sequence {
            return Ok(view);
        }
        let mut applied = self.shared.applied.subscribe();
        let reached = applied.wait_for(|newest| *newest >= sequence);
        match tokio::time::timeout(patience, reached).await {
            Ok(Ok(_)) => Ok(self.view()),
            _ => Err(Behind { wanted: sequence, newest: self.view().sequence }),
        }
    }

    /// Decides, writes and applies `command`; answers once the fact is durable. A caller that goes away
    /// does not undo what is under way.
    ///
    /// # Errors
    /// The command was refused, or cannot be written.
    pub async fn submit(&self, command: Command) -> Result<Receipt, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let (class, weight) = (class_of(&command), weight_of(&command.action));
        let span = tracing::debug_span!("submit", account = %command.account);
        let (command, submitted) = (Box::new(command), Instant::now());
        let submission = Submission { command, span: span.clone(), submitted, reply };
        let taken_in = self.shared.queue.push(class, weight, submission);
        taken_in.map_err(|refused| self.refused(refused))?;
        answer.instrument(span).await.unwrap_or_else(|_| Err(self.stopped_error()))
    }

    /// Whether a command of `account` would be taken in now; for callers whose work a refusal would waste.
    ///
    /// # Errors
    /// It would be refused.
    pub fn expect_room(&self, account: AccountId) -> Result<(), SubmitError> {
        self.shared.queue.expect_room(account).map_err(|refused| self.refused(refused))
    }

    fn refused(&self, refused: Refused) -> SubmitError {
        match refused {
            Refused::Full => {
                metrics::ledger().command(Commanded::Overloaded);
                SubmitError::Overloaded
            }
            Refused::Closed => self.stopped_error(),
        }
    }

    fn stopped_error(&self) -> SubmitError {
        let reason = self.shared.stopped.borrow().clone();
        SubmitError::Stopped(reason.unwrap_or_else(|| Arc::from("the service is stopping")))
    }

    /// Every batch of facts from now on, in order, each before its commands are answered. A follower that lags reads the
    /// log instead.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.shared.batches.subscribe()
    }

    /// Why nothing is written any more, once that is so.
    #[must_use]
    pub fn stopped(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.stopped.subscribe()
    }

    /// The newest applied record's number, as it moves.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// How many commands wait for the writer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.queue.len()
    }

    /// The log, to read history from.
    #[must_use]
    pub fn log(&self) -> &Arc<EventLog> {
        &self.shared.log
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer ended by a panic");
        }
    }
}

/// Whose turn a command takes: the caller's account's, whatever account it acts on, so that nobody takes another's
/// turns. Strangers, whom the edges limit by their address, take those of the account that they ask.
fn class_of(command: &Command) -> Class {
    match &command.caller.principal {
        Principal::Service(_) => Class::Service,
        principal => Class::Account(principal.account().unwrap_or(command.account)),
    }
}

/// What a command costs beside an ordinary one.
fn weight_of(action: &Action) -> u32 {
    let count = match action {
        Action::Instance(action) => match action {
            InstanceAction::Launch { launches, .. } => launches.len(),
            InstanceAction::Terminate { ids } => ids.len(),
            InstanceAction::RecordMetadataUsage { usage } => usage.len(),
            InstanceAction::ModifyMetadataOptions { .. }
            | InstanceAction::AssociateProfile { .. }
            | InstanceAction::ReplaceProfile { .. }
            | InstanceAction::DisassociateProfile { .. } => 1,
        },
        Action::AccessKey(action) => match action {
            AccessKeyAction::RecordUses { uses } => uses.len(),
            AccessKeyAction::Create { .. }
            | AccessKeyAction::Update { .. }
            | AccessKeyAction::Delete { .. } => 1,
        },
        Action::Rotation(action) => match action {
            RotationAction::Renew { renewals, .. } => renewals.len(),
            RotationAction::Configure { .. }
            | RotationAction::RenewOne { .. }
            | RotationAction::RenewAccount
            | RotationAction::RenewAll => 1,
        },
        Action::Account(_)
        | Action::Installation(_)
        | Action::Guardrail(_)
        | Action::User(_)
        | Action::Group(_)
        | Action::Role(_)
        | Action::Policy(_)
        | Action::Tag(_)
        | Action::Profile(_)
        | Action::Agent(_)
        | Action::Session(_)
        | Action::Mfa(_)
        | Action::Oidc(_) => 1,
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The log's number for a ledger sequence.
fn sequence(number: u64) -> Sequence {
    Sequence(number)
}
