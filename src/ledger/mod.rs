//! The ledger: the one path from a command to a fact.
//!
//! One thread, the writer, drains the queue of commands into a batch, decides each against the state that
//! the batch has led to so far, appends all facts to the log in one durable write, and only then publishes
//! the new state and answers. While one batch is written the queue fills: group commit without a timer. A
//! batch whose write fails is dropped with its copy of the state, and the ledger takes nothing more.
//!
//! Readers hold a snapshot of the state (`Ledger::view`) and never wait for the writer.

pub mod codec;
mod recover;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::domain::command::Command;
use crate::domain::event::Fact;
use crate::domain::rejection::Rejection;
use crate::domain::state::State;
use crate::log::{EventLog, Sequence};

pub use recover::{OpenError, Opened};

/// Commands that may wait for the writer.
pub const QUEUE_COMMANDS_MAX: usize = 8192;
/// Batches of facts that a follower may fall behind before it has to read the log instead.
pub const FOLLOWERS_BATCHES_MAX: usize = 1024;
/// Facts between two snapshots on disk.
pub const SNAPSHOT_EVERY_FACTS: u64 = 200_000;

/// The state after a record of the log.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The last record that is applied; 0 before the first.
    pub sequence: u64,
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
    /// The queue is full; nothing changed; try again later.
    #[error("too many requests are waiting to be written")]
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
    command: Command,
    reply: oneshot::Sender<Result<Receipt, SubmitError>>,
}

/// What the writer and the handles share.
struct Shared {
    log: Arc<EventLog>,
    view: ArcSwap<View>,
    applied: watch::Sender<u64>,
    batches: broadcast::Sender<Arc<[Recorded]>>,
    stopped: watch::Sender<Option<Arc<str>>>,
}

/// A handle on the ledger; clones share it.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Submission>,
}

/// The writer's end. Dropping it lets the writer finish what is queued, write a snapshot and end, and
/// blocks until then.
pub struct WriterHandle {
    close: Option<oneshot::Sender<()>>,
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
            log,
        });
        let (queue, submissions) = mpsc::channel(QUEUE_COMMANDS_MAX);
        let (close, closed) = oneshot::channel();
        let thread = writer::start(shared.clone(), submissions, closed, opened.snapshot_sequence)?;
        let handle = WriterHandle { close: Some(close), thread: Some(thread) };
        Ok((Self { shared, queue }, handle, opened))
    }

    /// The newest published state.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.shared.view.load_full()
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
        self.queue.try_send(Submission { command, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => self.stopped_error(),
        })?;
        answer.await.unwrap_or_else(|_| Err(self.stopped_error()))
    }

    fn stopped_error(&self) -> SubmitError {
        let reason = self.shared.stopped.borrow().clone();
        SubmitError::Stopped(reason.unwrap_or_else(|| Arc::from("the service is stopping")))
    }

    /// Every batch of facts from now on, in order. A follower that lags reads the log instead.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<[Recorded]>> {
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

    /// The log, to read history from.
    #[must_use]
    pub fn log(&self) -> &Arc<EventLog> {
        &self.shared.log
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        if let Some(close) = self.close.take() {
            let _ = close.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer ended by a panic");
        }
    }
}

/// The log's number for a ledger sequence.
fn sequence(number: u64) -> Sequence {
    Sequence(number)
}
