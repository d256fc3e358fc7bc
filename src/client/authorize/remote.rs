//! Asking Locum about each request, over one stream for as many as come at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, Streaming};

use super::body::Shown;
use super::{Asked, Authorized, Refusal, Settings};
use crate::client::SignedChannel;
use crate::clock::Timestamp;
use crate::identity::AccountId;
use crate::policy::Policy;
use crate::proto::v1::authorization_outcome::Outcome;
use crate::proto::v1::authorization_service_client::AuthorizationServiceClient;
use crate::proto::v1::{
    AuthorizationOutcome, AuthorizeSignedRequestRequest, CallerIdentity, ContextValues,
    StreamAuthorizeSignedRequestsRequest as Question,
    StreamAuthorizeSignedRequestsResponse as Answer, Verdict,
};

/// Questions that wait for an answer.
const QUESTIONS_MAX: usize = 1024;
/// Questions that wait to be sent.
const QUEUE_MAX: usize = 64;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a question is asked when streams break.
const ATTEMPTS_MAX: u32 = 2;

type Asking =
    (AuthorizeSignedRequestRequest, oneshot::Sender<Result<AuthorizationOutcome, Status>>);

pub(super) struct Remote {
    account: AccountId,
    questions: mpsc::Sender<Asking>,
    /// Ends with the authorizer.
    _task: Arc<AbortOnDropHandle<()>>,
}

impl Remote {
    pub(super) fn new(locum: SignedChannel, account: AccountId) -> Self {
        let (questions, asked) = mpsc::channel(QUEUE_MAX);
        let desk = Desk { locum, asked, pending: HashMap::new(), next_id: 0 };
        let task = tokio::spawn(desk.run());
        Self { account, questions, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    pub(super) fn account(&self) -> AccountId {
        self.account
    }

    pub(super) async fn authorize(
        &self,
        settings: &Settings,
        shown: &Shown,
        asked: &Asked,
    ) -> Result<Authorized, Refusal> {
        let of = |is_list| {
            move |(key, values): (&String, &Vec<String>)| {
                (key.clone(), ContextValues { values: values.clone(), is_list })
            }
        };
        let context = asked.context.iter().map(of(false));
        let mut context: HashMap<_, _> = context.chain(asked.lists.iter().map(of(true))).collect();
        if !shown.user_agent.is_empty() {
            let values = vec![shown.user_agent.clone()];
            context.insert("aws:UserAgent".to_owned(), ContextValues { values, is_list: false });
        }
        let question = AuthorizeSignedRequestRequest {
            request: Some(shown.message(settings)),
            action: asked.action.clone(),
            further_actions: asked.further_actions.clone(),
            resource: asked.resource.clone(),
            resource_account: self.account.to_string(),
            resource_policy: asked
                .resource_policy
                .as_ref()
                .map(Policy::text)
                .unwrap_or_default()
                .to_owned(),
            context,
        };
        let outcome = tokio::time::timeout(PATIENCE, self.ask(question)).await;
        let outcome =
            outcome.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        match outcome.map_err(|status| Refusal::unavailable(&status))?.outcome {
            Some(Outcome::Answer(answer)) if answer.verdict() == Verdict::Allow => {
                Ok(authorized(answer.identity.unwrap_or_default()))
            }
            Some(Outcome::Answer(answer)) => Err(Refusal {
                encoded_message: answer.encoded_message,
                ..Refusal::new(StatusCode::FORBIDDEN, "AccessDenied", &answer.message)
            }),
            Some(Outcome::Failure(failure)) if failure.of_signer => {
                Err(Refusal::of_signer(&failure.code, &failure.message))
            }
            Some(Outcome::Failure(failure)) => {
                Err(Refusal::unavailable(&Status::invalid_argument(failure.message)))
            }
            None => Err(Refusal::unavailable(&Status::internal("an empty answer"))),
        }
    }

    async fn ask(
        &self,
        question: AuthorizeSignedRequestRequest,
    ) -> Result<AuthorizationOutcome, Status> {
        let stopped = |()| Status::unavailable("the stream of questions has ended");
        let (reply, answer) = oneshot::channel();
        self.questions.send((question, reply)).await.map_err(|_| stopped(()))?;
        answer.await.unwrap_or_else(|_| Err(stopped(())))
    }
}

pub(super) fn authorized(identity: CallerIdentity) -> Authorized {
    Authorized {
        account_id: identity.account_id,
        arn: identity.arn,
        user_id: identity.user_id,
        access_key_id: identity.access_key_id,
        expires_at: identity.expires_at.map(|time| Timestamp::from_unix_seconds(time.seconds)),
    }
}

/// Sends questions and hands out answers.
struct Desk {
    locum: SignedChannel,
    asked: mpsc::Receiver<Asking>,
    /// What was sent and not answered, with the number of times it was.
    pending: HashMap<u64, (Asking, u32)>,
    next_id: u64,
}

impl Desk {
    async fn run(mut self) {
        // A stream is opened when there is something to ask: its first message signs it.
        while let Some(asking) = self.asked.recv().await {
            let id = self.accept(asking);
            let mut first = vec![id];
            while !first.is_empty() {
                let ended = self.stream(std::mem::take(&mut first)).await;
                first = self.again(&ended);
            }
        }
    }

    fn accept(&mut self, asking: Asking) -> u64 {
        self.next_id = self.next_id.wrapping_add(1);
        self.pending.insert(self.next_id, (asking, 0));
        self.next_id
    }

    /// Asks over one stream until it ends, beginning with questions that are pending.
    async fn stream(&mut self, first: Vec<u64>) -> Status {
        // Room for whatever is pending, so that sending never waits while answers are not read.
        let (sender, receiver) = mpsc::channel(QUESTIONS_MAX);
        for id in first {
            self.send(id, &sender);
        }
        let mut client = AuthorizationServiceClient::new(self.locum.clone());
        let opened = client.stream_authorize_signed_requests(ReceiverStream::new(receiver)).await;
        let mut answers: Streaming<Answer> = match opened {
            Ok(answers) => answers.into_inner(),
            Err(status) => return status,
        };
        loop {
            let room = self.pending.len() < QUESTIONS_MAX;
            tokio::select! {
                answer = answers.next() => match answer {
                    Some(Ok(answer)) => self.hand_out(answer),
                    Some(Err(status)) => return status,
                    None => return Status::unavailable("the stream has ended"),
                },
                asking = self.asked.recv(), if room => match asking {
                    Some(asking) => {
                        let id = self.accept(asking);
                        self.send(id, &sender);
                    }
                    None => return Status::cancelled("nobody asks any more"),
                },
            }
        }
    }

    /// What cannot be sent stays pending until the stream ends, which it then does.
    fn send(&mut self, id: u64, sender: &mpsc::Sender<Question>) {
        if let Some(((request, _), attempts)) = self.pending.get_mut(&id) {
            *attempts = attempts.saturating_add(1);
            let _ = sender.try_send(Question { id, request: Some(request.clone()) });
        }
    }

    fn hand_out(&mut self, answer: Answer) {
        if let Some(((_, reply), _)) = self.pending.remove(&answer.id) {
            // Whoever asked may have lost patience.
            let _ = reply.send(Ok(answer.outcome.unwrap_or_default()));
        }
    }

    /// After a stream: what may be asked again. The others are told why they have no answer.
    fn again(&mut self, ended: &Status) -> Vec<u64> {
        let transient = matches!(
            ended.code(),
            tonic::Code::Aborted | tonic::Code::Unavailable | tonic::Code::Unknown
        );
        let given_up: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, ((_, reply), attempts))| {
                !transient || *attempts >= ATTEMPTS_MAX || reply.is_closed()
            })
            .map(|(id, _)| *id)
            .collect();
        for id in given_up {
            if let Some(((_, reply), _)) = self.pending.remove(&id) {
                let _ = reply.send(Err(ended.clone()));
            }
        }
        let mut again: Vec<u64> = self.pending.keys().copied().collect();
        again.sort_unstable();
        again
    }
}
