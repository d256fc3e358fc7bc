//! EventService: what has happened in an account, from its log.

mod detail;

use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Front, convert, optional, status};
use crate::domain::access::Permission;
use crate::domain::event::{Event, Fact};
use crate::identity::{AccountId, Invalid};
use crate::ledger::codec;
use crate::log::Sequence;
use crate::metrics::{self, StreamKind};
use crate::proto::v1;
use crate::proto::v1::event_service_server::EventService;
use crate::proto::v1::{
    FollowEventsRequest, FollowEventsResponse, ReadEventsRequest, ReadEventsResponse,
};
use crate::service::{IssuedError, RequestInfo, Service, ServiceError};

/// Events of one answer.
const EVENTS_MAX: u32 = 1000;
const EVENTS_DEFAULT: u32 = 100;
/// Kinds that one call asks for: more than there are.
const KINDS_MAX: usize = 256;
/// Events that wait for a slow follower.
const FOLLOWER_QUEUE: usize = 64;
/// Calls that read the log at once; the others wait their turn, so that readers leave processors to everyone else.
const READERS_MAX: usize = 4;

static READERS: Semaphore = Semaphore::const_new(READERS_MAX);

#[tonic::async_trait]
impl EventService for Front {
    async fn read_events(
        &self,
        request: Request<ReadEventsRequest>,
    ) -> Result<Response<ReadEventsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let account = self.readable_account(&info, &request.account_id)?;
        let view = self.service.view_at(request.min_sequence).await?;
        let limit = match request.limit {
            0 => EVENTS_DEFAULT,
            limit => limit.min(EVENTS_MAX),
        };
        let from = Sequence(request.from_sequence.max(1));
        let read = self.events(account, from, limit as usize, kinds(request.kinds)?).await?;
        Ok(Response::new(ReadEventsResponse {
            events: read.events,
            next_sequence: read.next.0,
            sequence: view.sequence,
            expired_before: read.expired_before.0,
        }))
    }

    type FollowEventsStream =
        Pin<Box<dyn Stream<Item = Result<FollowEventsResponse, Status>> + Send>>;

    async fn follow_events(
        &self,
        request: Request<FollowEventsRequest>,
    ) -> Result<Response<Self::FollowEventsStream>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let account = self.readable_account(&info, &request.account_id)?;
        let from = match request.from_sequence {
            0 => Sequence(*self.service.ledger().applied().borrow()).next(),
            from => Sequence(from),
        };
        let asked = Following { account, from, kinds: kinds(request.kinds)? };
        let (sender, receiver) = mpsc::channel(FOLLOWER_QUEUE);
        let front = self.clone();
        let open = metrics::streams().opened(StreamKind::Events);
        tokio::spawn(async move {
            let _open = open;
            front.follow(&info, asked, sender).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// What a follower asked for.
struct Following {
    account: AccountId,
    from: Sequence,
    kinds: Arc<[String]>,
}

/// Some events of an account.
struct EventsRead {
    events: Vec<v1::Event>,
    /// Where to go on.
    next: Sequence,
    /// Events of earlier records have expired; 0 if none have.
    expired_before: Sequence,
}

impl Front {
    /// The account whose events are asked for, if the caller may read them.
    fn readable_account(&self, info: &RequestInfo, asked: &str) -> Result<AccountId, ServiceError> {
        let (view, asked) = (self.service.view(), optional("account_id", asked)?);
        self.service.require_on_account(&view, info, Permission::ReadEvents, asked)
    }

    /// Tells a follower of events until they go away, may no longer read them, or the ledger ends.
    async fn follow(
        &self,
        info: &RequestInfo,
        asked: Following,
        sender: mpsc::Sender<Result<FollowEventsResponse, Status>>,
    ) {
        // A follower who leaves ends it at whatever it waits for, be it a page in which nothing was asked for.
        let ended = tokio::select! {
            ended = self.tell(info, asked, &sender) => ended,
            () = sender.closed() => return,
        };
        if let Err(status) = ended {
            // Nobody waits for it when the follower has gone.
            let _ = sender.send(Err(status::with_request_id(&status, &info.request_id))).await;
        }
    }

    /// What `follow` tells: page by page, then with each record that is applied.
    async fn tell(
        &self,
        info: &RequestInfo,
        Following { account, from: mut next, kinds }: Following,
        sender: &mpsc::Sender<Result<FollowEventsResponse, Status>>,
    ) -> Result<(), Status> {
        let mut applied = self.service.ledger().applied();
        loop {
            // What the follower may do, and whether its credentials count, can change while it follows.
            if !self.service.stands(&self.service.view().state, &info.caller) {
                return Err(Status::unauthenticated("the caller's credentials have ended"));
            }
            self.readable_account(info, &account.to_string())?;
            let read = self.events(account, next, EVENTS_MAX as usize, kinds.clone()).await?;
            for event in read.events {
                let expired_before = read.expired_before.0;
                let response = FollowEventsResponse { event: Some(event), expired_before };
                if sender.send(Ok(response)).await.is_err() {
                    return Ok(());
                }
            }
            if read.next > next {
                next = read.next;
            } else if applied.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Events of an account from a record on, whole records at a time.
    async fn events(
        &self,
        account: AccountId,
        from: Sequence,
        limit: usize,
        kinds: Arc<[String]>,
    ) -> Result<EventsRead, ServiceError> {
        let service = self.service.clone();
        from_log(move || read(&service, account, from, limit, &kinds)).await
    }
}

/// Reads the log off the runtime's workers: it decodes many records and waits for the disk, and the workers answer
/// everyone else. A reading goes on when its call is given up, until it is done.
pub(super) async fn from_log<T: Send + 'static, E: Display + Send + 'static>(
    read: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ServiceError> {
    let turn = READERS.acquire().await;
    let turn = turn.map_err(|_| ServiceError::Reading("the server is shutting down"))?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        read()
    });
    match done.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => {
            tracing::error!(%error, "the log cannot be read");
            Err(ServiceError::Reading("the log cannot be read"))
        }
        Err(error) => {
            tracing::error!(%error, "a reading of the log did not end");
            Err(ServiceError::Reading("a read of the log did not end"))
        }
    }
}

/// The kinds of a request.
fn kinds(asked: Vec<String>) -> Result<Arc<[String]>, Invalid> {
    if asked.len() > KINDS_MAX {
        let rule = format!("must have at most {KINDS_MAX} entries");
        return Err(Invalid::new("kinds", rule));
    }
    Ok(asked.into())
}

/// Events of one page: of up to `limit` records. Blocks; how `Front::events` reads.
fn read(
    service: &Service,
    account: AccountId,
    from: Sequence,
    limit: usize,
    kinds: &[String],
) -> Result<EventsRead, IssuedError> {
    let log = service.ledger().log();
    let found = log.of_account(account, from, limit);
    // Read after the numbers: what expired in between is told as expired.
    let expired_before = log.retained_from(account)?;
    let mut events = Vec::new();
    let mut next = from;
    for sequence in found? {
        // What is written but not applied yet is not told.
        if events.len() >= limit || sequence.0 > service.view().sequence {
            break;
        }
        let Some(record) = log.read_one(sequence)? else { break };
        next = sequence.next();
        // It has expired since the number was read.
        let Some(payload) = record.payload() else { continue };
        let fact = codec::decode(payload).map_err(|error| IssuedError::Codec(sequence, error))?;
        for (index, event) in fact.events.iter().enumerate() {
            let wanted = kinds.is_empty() || kinds.iter().any(|k| k == event.kind.name());
            if event.account == account && wanted {
                events.push(shown(sequence, index, &fact, event));
            }
        }
    }
    Ok(EventsRead { events, next, expired_before })
}

fn shown(sequence: Sequence, index: usize, fact: &Fact, event: &Event) -> v1::Event {
    v1::Event {
        sequence: sequence.0,
        index: u32::try_from(index).unwrap_or(u32::MAX),
        time: convert::time(fact.time),
        account_id: event.account.to_string(),
        actor: fact.actor.to_string(),
        request_id: fact.request_id.to_string(),
        trace_id: fact.trace_id.to_string(),
        kind: event.kind.name().to_owned(),
        detail: detail::of(&event.kind).to_string(),
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
