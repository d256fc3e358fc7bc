//! What calls cost over gRPC, client and server in one process: an empty tonic call, then signed calls, each
//! as calls a second, as a ratio to the empty call of the same run, and as CPU time per call, which is
//! steadier on shared machines.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
mod support;

use locum::proto::v1;
use locum::proto::v1::sts_service_client::StsServiceClient;
use support::{Bench, ROLE_ARN, measure};

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let as_user = bench.channels();
    let empty = bench.empty_calls().await;
    measure("GetCallerIdentity", Some(empty), &as_user, |channel| async move {
        let request = v1::GetCallerIdentityRequest {};
        StsServiceClient::new(channel).get_caller_identity(request).await.expect("an answer");
    })
    .await;
    measure("AssumeRole, durable", Some(empty), &as_user, |channel| async move {
        let request = v1::AssumeRoleRequest {
            role_arn: ROLE_ARN.to_owned(),
            role_session_name: "bench".to_owned(),
            ..v1::AssumeRoleRequest::default()
        };
        StsServiceClient::new(channel).assume_role(request).await.expect("an answer");
    })
    .await;
}
