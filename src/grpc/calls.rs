//! Locum's own services by name. tonic's router is axum's, which took some 3% of the server's CPU in short calls: it is
//! left with the services that are not ours.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService as _;
use tower::Service as _;

use super::Front;
use crate::proto::v1;

/// Declares `Calls` with a field for each service, and how a call finds its own.
macro_rules! services {
    ($($field:ident: $server:ty),* $(,)?) => {
        /// See the module.
        pub(super) struct Calls {
            $($field: $server,)*
        }

        impl Calls {
            /// All services over `front`.
            pub(super) fn new(front: Front) -> Self {
                let front = Arc::new(front);
                Self { $($field: <$server>::from_arc(front.clone()),)* }
            }

            /// Answers a call of `/SERVICE/METHOD`.
            pub(super) fn call(
                &self,
                request: Request<Body>,
            ) -> BoxFuture<Response<Body>, Infallible> {
                let path = request.uri().path();
                let service = path.split('/').nth(1).unwrap_or_default();
                match service {
                    $(<$server>::NAME => self.$field.clone().call(request),)*
                    _ => Box::pin(async { Ok(Status::unimplemented("no such service").into_http()) }),
                }
            }
        }
    };
}

services! {
    account: v1::account_service_server::AccountServiceServer<Front>,
    authorization: v1::authorization_service_server::AuthorizationServiceServer<Front>,
    event: v1::event_service_server::EventServiceServer<Front>,
    guardrail: v1::guardrail_service_server::GuardrailServiceServer<Front>,
    iam: v1::iam_service_server::IamServiceServer<Front>,
    instance: v1::instance_service_server::InstanceServiceServer<Front>,
    keyring: v1::keyring_service_server::KeyringServiceServer<Front>,
    metadata: v1::metadata_service_server::MetadataServiceServer<Front>,
    policy: v1::policy_service_server::PolicyServiceServer<Front>,
    quota: v1::quota_service_server::QuotaServiceServer<Front>,
    revocation: v1::revocation_service_server::RevocationServiceServer<Front>,
    rotation: v1::rotation_service_server::RotationServiceServer<Front>,
    sts: v1::sts_service_server::StsServiceServer<Front>,
}
