//! Many questions over one call: answered in the order in which they come, while the next are read. The
//! transport's flow control holds back a service that asks faster than it reads. Each question counts as a request; one
//! that is over the rate of the service's account ends the stream, with the moment from which another makes sense.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{AUTHORIZE, Answers, Front, outcome};
use crate::grpc::status;
use crate::proto::v1::{
    StreamAuthorizeSignedRequestsRequest as Asked, StreamAuthorizeSignedRequestsResponse as Told,
};
use crate::service::RequestInfo;

/// Answers that wait for the service to read them.
const ANSWERS_MAX: usize = 256;
/// How long a stream lasts: its caller is authenticated anew after that.
const STREAM_LIFE_MAX: Duration = Duration::from_secs(300);

/// The answers to a stream of questions.
pub(super) fn answers(front: Front, info: RequestInfo, asked: Streaming<Asked>) -> Answers<Told> {
    let (sender, receiver) = mpsc::channel(ANSWERS_MAX);
    tokio::spawn(async move {
        let end = tokio::time::sleep(STREAM_LIFE_MAX);
        let ended = tokio::select! {
            ended = answer_all(&front, &info, asked, &sender) => ended,
            () = end => Err(Status::aborted("the stream is as old as it may get: open another")),
        };
        if let Err(status) = ended {
            // Nobody waits for it when the service has gone.
            let _ = sender.send(Err(status::with_request_id(&status, &info.request_id))).await;
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn answer_all(
    front: &Front,
    info: &RequestInfo,
    mut asked: Streaming<Asked>,
    sender: &mpsc::Sender<Result<Told, Status>>,
) -> Result<(), Status> {
    let asking = Front::account_of(info)?;
    let mut first = true;
    while let Some(question) = asked.next().await {
        let Asked { id, request } = question?;
        if !std::mem::take(&mut first) {
            front.admit_further(info)?;
        }
        // What the service may do can change while it asks.
        front.may_ask(info, AUTHORIZE)?;
        let view = front.service.view();
        let answer = front.answer(asking, &view.state, request.unwrap_or_default());
        if sender.send(Ok(Told { id, outcome: Some(outcome(answer)) })).await.is_err() {
            break;
        }
    }
    Ok(())
}
