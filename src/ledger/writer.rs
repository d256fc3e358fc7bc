//! The writer thread: take a batch, decide, append, apply, publish, answer.

use std::io::Write;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::pace::Pace;
use super::queue::BATCH_WEIGHT_MAX;
use super::{
    Batch, Receipt, Recorded, SNAPSHOT_EVERY_BYTES, SNAPSHOT_EVERY_FACTS, Shared, Submission,
    SubmitError, View, codec, snapshot,
};
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::command::Command;
use crate::domain::decide::decide;
use crate::domain::event::{AccountEvent, EventKind, Fact};
use crate::domain::rejection::Rejection;
use crate::domain::state::{IDEMPOTENCY_WINDOW, State};
use crate::identity::AccountId;
use crate::log::{AppendError, Entry, Erasable, EventLog, Sequence, SnapshotPace};
use crate::metrics::{self, Commanded};

/// Bytes of encoded facts in one batch, after which it is written.
const BATCH_BYTES_MAX: usize = 4 << 20;

type Reply = oneshot::Sender<Result<Receipt, SubmitError>>;

/// Starts the thread. It ends when the queue is closed and empty, or when a write fails.
pub(super) fn start(shared: Arc<Shared>, snapshot: u64) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name("ledger-writer".to_owned()).spawn(move || {
        let _abandon = AbandonQueue(shared.clone());
        Writer { shared, snapshot, bytes: 0, snapshot_task: None }.run();
    })
}

/// Whatever ends the writer: nobody waits for an answer that will not come, and a node whose writer panicked is not
/// ready any more.
struct AbandonQueue(Arc<Shared>);

impl Shared {
    /// Nothing is written any more; gives the reason. The first one stays.
    fn stop(&self, reason: Arc<str>) -> Arc<str> {
        tracing::error!(%reason, "writing has stopped");
        self.stopped.send_if_modified(|stopped| {
            let is_first = stopped.is_none();
            stopped.get_or_insert_with(|| reason.clone());
            is_first
        });
        reason
    }
}

impl Drop for AbandonQueue {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(Arc::from("the writer panicked"));
        }
        self.0.queue.abandon();
    }
}

struct Writer {
    shared: Arc<Shared>,
    /// The record that the newest snapshot on disk reaches to.
    snapshot: u64,
    /// Bytes of the facts since then.
    bytes: u64,
    snapshot_task: Option<(JoinHandle<()>, SnapshotPace)>,
}

/// A batch under way: decided, not yet durable.
struct Draft {
    view: View,
    entries: Vec<Entry>,
    bytes: usize,
    facts: Vec<Recorded>,
    answers: Vec<(Reply, Result<Receipt, SubmitError>)>,
    /// The requests of it that somebody traces.
    traced: Vec<tracing::Span>,
}

impl Writer {
    fn run(mut self) {
        let mut pace = Pace::default();
        let mut taken = Vec::with_capacity(BATCH_WEIGHT_MAX as usize);
        while self.shared.queue.take(&mut taken, pace.share()) {
            let (began, count) = (Instant::now(), taken.len());
            let Some(writing) = self.commit(&mut taken) else { return };
            pace.observe(writing, began.elapsed().saturating_sub(writing), count);
            self.snapshot_if_due();
        }
        self.finish();
    }

    /// Decides and writes what was taken; gives how long the writes took, none once writing has failed.
    fn commit(&mut self, taken: &mut Vec<Submission>) -> Option<Duration> {
        let mut writing = Duration::ZERO;
        let mut queue = taken.drain(..).peekable();
        while queue.peek().is_some() {
            let mut batch = Draft {
                view: View::clone(&self.shared.view.load()),
                entries: Vec::new(),
                bytes: 0,
                facts: Vec::new(),
                answers: Vec::new(),
                traced: Vec::new(),
            };
            while batch.bytes < BATCH_BYTES_MAX
                && let Some(submission) = queue.next()
            {
                self.decide_into(&mut batch, submission);
            }
            let bytes = u64::try_from(batch.bytes).unwrap_or(u64::MAX);
            writing = writing.saturating_add(self.write(batch)?);
            self.bytes = self.bytes.saturating_add(bytes);
        }
        Some(writing)
    }

    fn decide_into(&self, batch: &mut Draft, submission: Submission) {
        let Submission { mut command, span, submitted, reply } = submission;
        // A clock that went back, or another node's that is behind, makes no history: what is decided later is later.
        command.time = command.time.max(batch.view.time);
        metrics::ledger().waited(submitted.elapsed());
        let facts_before = batch.facts.len();
        let answer = decision_span(&span).in_scope(|| self.decide_one(batch, &command));
        let is_recorded = batch.facts.len() > facts_before;
        if is_recorded && !span.is_disabled() {
            batch.traced.push(span);
        }
        match &answer {
            Ok(_) if is_recorded => metrics::ledger().command(Commanded::Recorded),
            Ok(_) => metrics::ledger().command(Commanded::WithoutEffect),
            Err(SubmitError::Rejected(_)) => metrics::ledger().command(Commanded::Rejected),
            Err(_) => {}
        }
        batch.answers.push((reply, answer));
    }

    fn decide_one(&self, batch: &mut Draft, command: &Command) -> Result<Receipt, SubmitError> {
        if let Some(receipt) = self.recall(batch, command)? {
            return Ok(receipt);
        }
        let Some(fact) = decide(&batch.view.state, command)? else {
            return Ok(Receipt { sequence: batch.view.sequence, fact: None });
        };
        let sequence = batch.view.sequence.saturating_add(1);
        let payload = codec::encode(&fact);
        // `decide` emits only what `apply` takes; if not, the state would no longer be the log's.
        if let Err(nonsense) = batch.view.state.apply(sequence, &fact) {
            return Err(SubmitError::Stopped(self.shared.stop(Arc::from(nonsense.to_string()))));
        }
        batch.view.sequence = sequence;
        batch.view.time = fact.time;
        batch.bytes = batch.bytes.saturating_add(payload.len());
        let fact = Arc::new(fact);
        batch.entries.push(Entry {
            time: fact.time,
            accounts: accounts_of(&fact),
            payload: Bytes::from(payload),
            erasable: erasable_of(&fact),
        });
        batch.facts.push(Recorded { sequence, fact: fact.clone() });
        Ok(Receipt { sequence, fact: Some(fact) })
    }

    /// The answer to a retry: the fact that the token's first use led to.
    fn recall(&self, batch: &Draft, command: &Command) -> Result<Option<Receipt>, SubmitError> {
        let Some(idempotency) = &command.idempotency else { return Ok(None) };
        let Some(remembered) = remembered(&batch.view.state, command) else { return Ok(None) };
        if remembered.1 != idempotency.fingerprint {
            return Err(Rejection::IdempotencyMismatch.into());
        }
        let sequence = remembered.0;
        let in_batch = batch.facts.iter().find(|recorded| recorded.sequence == sequence);
        if let Some(recorded) = in_batch {
            return Ok(Some(Receipt { sequence, fact: Some(recorded.fact.clone()) }));
        }
        let read = self.shared.log.read_one(super::sequence(sequence));
        let fact = read
            .map_err(|error| error.to_string())
            .and_then(|record| record.ok_or_else(|| format!("record {sequence} is gone")))
            .and_then(|record| {
                let payload =
                    record.payload().ok_or_else(|| format!("record {sequence} expired"))?;
                codec::decode(payload).map_err(|error| error.to_string())
            });
        match fact {
            Ok(fact) => Ok(Some(Receipt { sequence, fact: Some(Arc::new(fact)) })),
            Err(reason) => Err(SubmitError::Stopped(Arc::from(reason))),
        }
    }

    /// Appends, publishes and answers; gives how long the append took, none once writing has failed.
    fn write(&self, batch: Draft) -> Option<Duration> {
        if self.shared.stopped.borrow().is_some() {
            return None;
        }
        let mut took = Duration::ZERO;
        if !batch.entries.is_empty() {
            let began = Instant::now();
            if let Err(error) = self.append(&batch) {
                let reason = self.shared.stop(Arc::from(error.to_string()));
                for (reply, _) in batch.answers {
                    let _ = reply.send(Err(SubmitError::Stopped(reason.clone())));
                }
                return None;
            }
            took = began.elapsed();
            metrics::ledger().batch(batch.answers.len(), batch.bytes, took);
            let view = Arc::new(batch.view);
            self.shared.view.store(view.clone());
            self.shared.applied.send_replace(view.sequence);
            // Nobody following is no error.
            let facts = batch.facts.into_boxed_slice();
            let _ = self.shared.batches.send(Arc::new(Batch { view, facts }));
        }
        for (reply, answer) in batch.answers {
            // A caller that went away misses the answer, not the deed.
            let _ = reply.send(answer);
        }
        Some(took)
    }

    /// One synced write; in a span of its own, to which those of its requests are linked.
    fn append(&self, batch: &Draft) -> Result<(), AppendError> {
        let _spans = append_spans(batch);
        self.shared.log.append(&batch.entries).map(drop)
    }

    /// Snapshots are written beside the writer, from a state that no longer changes.
    fn snapshot_if_due(&mut self) {
        let view = self.shared.view.load_full();
        let running = self.snapshot_task.as_ref().is_some_and(|(task, _)| !task.is_finished());
        if running || !is_due(view.sequence.saturating_sub(self.snapshot), self.bytes) {
            return;
        }
        (self.snapshot, self.bytes) = (view.sequence, 0);
        let (log, pace) = (self.shared.log.clone(), SnapshotPace::gentle());
        let own = pace.clone();
        let task = Builder::new().name("snapshot".to_owned()).spawn(move || {
            write_snapshot(&log, &view, &own);
        });
        self.snapshot_task = task.ok().map(|task| (task, pace));
    }

    fn finish(self) {
        if let Some((task, pace)) = self.snapshot_task {
            pace.hurry();
            let _ = task.join();
        }
        let view = self.shared.view.load_full();
        if view.sequence > self.snapshot {
            write_snapshot(&self.shared.log, &view, &SnapshotPace::full());
        }
    }
}

/// Whether so many facts of so many bytes are to be followed by a snapshot.
fn is_due(facts: u64, bytes: u64) -> bool {
    facts >= SNAPSHOT_EVERY_FACTS || bytes >= SNAPSHOT_EVERY_BYTES
}

fn write_snapshot(log: &EventLog, view: &View, pace: &SnapshotPace) {
    let began = Instant::now();
    let write = &mut |writer: &mut dyn Write| snapshot::write(&view.state, writer);
    match log.write_snapshot(Sequence(view.sequence), pace, write) {
        Ok(()) => metrics::ledger().snapshot(view.sequence, began.elapsed()),
        Err(error) => {
            metrics::ledger().snapshot_failed();
            tracing::warn!(%error, "a snapshot was not written; replay will take longer");
        }
    }
}

fn decision_span(request: &tracing::Span) -> tracing::Span {
    if request.is_disabled() {
        return tracing::Span::none();
    }
    tracing::debug_span!(parent: request, "decide")
}

/// The span of the batch, which is in a trace of its own and linked to every request's, and one in each
/// request's trace, linked to the batch's.
fn append_spans(batch: &Draft) -> Vec<tracing::Span> {
    if batch.traced.is_empty() {
        return Vec::new();
    }
    let whole = tracing::debug_span!(
        parent: None,
        "batch",
        commands = batch.answers.len(),
        facts = batch.facts.len(),
        bytes = batch.bytes,
        sequence = batch.view.sequence,
    );
    let mut spans = Vec::with_capacity(batch.traced.len() + 1);
    for request in &batch.traced {
        whole.follows_from(request);
        let append =
            tracing::debug_span!(parent: request, "append", commands = batch.answers.len());
        append.follows_from(&whole);
        spans.push(append);
    }
    spans.push(whole);
    spans
}

/// The record and fingerprint that the command's token was used for within the window.
fn remembered(state: &State, command: &Command) -> Option<(u64, [u8; 16])> {
    let idempotency = command.idempotency.as_ref()?;
    let account = state.account(idempotency.account)?;
    let remembered = account.idempotency.get(&idempotency.token)?;
    let fresh = remembered.time.plus(IDEMPOTENCY_WINDOW) > command.time;
    fresh.then_some((remembered.sequence, remembered.fingerprint))
}

/// The accounts whose history a fact belongs to.
pub(super) fn accounts_of(fact: &Fact) -> Vec<AccountId> {
    let mut accounts: Vec<_> = fact.events.iter().map(|event| event.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

/// The wrapped keys of accounts, which stand beside the records.
fn erasable_of(fact: &Fact) -> Vec<(AccountId, Erasable)> {
    let bytes = |key: &WrappedAccountKey| key.bytes.as_deref().map(Bytes::copy_from_slice);
    let changes = fact.events.iter().filter_map(|event| {
        let change = match &event.kind {
            EventKind::Account(event) => match event {
                AccountEvent::Created { key, .. } => Erasable::New(bytes(key)?),
                AccountEvent::KeyRewrapped { key } => Erasable::Replace(bytes(key)?),
                AccountEvent::Deleted => Erasable::Delete,
                AccountEvent::Disabled
                | AccountEvent::Enabled
                | AccountEvent::QuotaSet { .. }
                | AccountEvent::AddressRangesSet { .. }
                | AccountEvent::AliasCreated { .. }
                | AccountEvent::AliasDeleted { .. } => return None,
            },
            EventKind::Installation(_)
            | EventKind::Guardrail(_)
            | EventKind::User(_)
            | EventKind::Group(_)
            | EventKind::AccessKey(_)
            | EventKind::Role(_)
            | EventKind::Policy(_)
            | EventKind::Tag(_)
            | EventKind::Profile(_)
            | EventKind::Agent(_)
            | EventKind::Instance(_)
            | EventKind::Rotation(_)
            | EventKind::Session(_)
            | EventKind::Mfa(_)
            | EventKind::Oidc(_) => return None,
        };
        Some((event.account, change))
    });
    changes.collect()
}
