//! A small object store that takes requests signed with Locum's credentials: an HTTP bucket that hands each
//! request to the Authorization service and does what it is told.
//!
//! ```text
//! AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... photos --listen 127.0.0.1:7480 --bucket photos
//! ```
//!
//! The bucket belongs to the account of these credentials. Objects are kept in memory.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::Parser;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use locum::client::{Credentials, SignedChannel, connect};
use locum::proto::v1::authorization_service_client::AuthorizationServiceClient;
use locum::proto::v1::sts_service_client::StsServiceClient;
use locum::proto::v1::{
    AuthorizeSignedRequestRequest, GetCallerIdentityRequest, SignedHeader, SignedRequest, Verdict,
};
use locum::signing::sigv4::body_sha256;
use tonic_types::StatusExt as _;

/// Bytes of one photo.
const PHOTO_BYTES_MAX: usize = 1 << 20;

#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:7480")]
    listen: SocketAddr,
    /// The bucket's name.
    #[arg(long, default_value = "photos")]
    bucket: String,
    /// Locum.
    #[arg(long, env = "LOCUM_ENDPOINT", default_value = "http://127.0.0.1:7400")]
    endpoint: String,
    /// Its region.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
}

struct Store {
    bucket: String,
    account: String,
    locum: SignedChannel,
    photos: Mutex<HashMap<String, Bytes>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let locum = connect(&args.endpoint, &args.region, Credentials::from_env()?)?;
    let identity = StsServiceClient::new(locum.clone())
        .get_caller_identity(GetCallerIdentityRequest {})
        .await?
        .into_inner();
    let cat = ("cat.jpg".to_owned(), Bytes::from_static(b"a cat"));
    let store = Arc::new(Store {
        bucket: args.bucket,
        account: identity.account_id,
        locum,
        photos: Mutex::new(HashMap::from([cat])),
    });
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    println!("bucket {} of {} on http://{}", store.bucket, store.account, listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let store = store.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let store = store.clone();
                async move { Ok::<_, Infallible>(store.answer(request).await) }
            });
            // A broken connection is its client's matter.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

impl Store {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, PHOTO_BYTES_MAX).collect().await else {
            return refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                "EntityTooLarge",
                "the photo is too large",
            );
        };
        let body = body.to_bytes();
        let path = parts.uri.path();
        let Some(key) = path.strip_prefix(&format!("/{}/", self.bucket)) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchBucket", "there is no such bucket");
        };
        let action = match parts.method {
            Method::GET => "s3:GetObject",
            Method::PUT => "s3:PutObject",
            _ => return refuse(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "GET or PUT"),
        };
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let (name, value) = (name.to_string(), value.to_str().ok()?.to_owned());
            Some(SignedHeader { name, value })
        };
        let signed = SignedRequest {
            method: parts.method.to_string(),
            path: path.to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.iter().filter_map(header).collect(),
            body_sha256: body_sha256(&body),
            service: "s3".to_owned(),
            source_ip: String::new(),
        };
        if let Err(refusal) = self.authorize(signed, action, key).await {
            return refusal;
        }
        let mut photos = self.photos.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.method == Method::PUT {
            photos.insert(key.to_owned(), body);
            return Response::new(Full::default());
        }
        match photos.get(key) {
            Some(photo) => Response::new(Full::new(photo.clone())),
            None => refuse(StatusCode::NOT_FOUND, "NoSuchKey", "there is no such photo"),
        }
    }

    /// Asks Locum who signed the request and whether they may.
    async fn authorize(
        &self,
        request: SignedRequest,
        action: &str,
        key: &str,
    ) -> Result<(), Response<Full<Bytes>>> {
        let question = AuthorizeSignedRequestRequest {
            request: Some(request),
            action: action.to_owned(),
            resource: format!("arn:aws:s3:::{}/{key}", self.bucket),
            resource_account: self.account.clone(),
            ..AuthorizeSignedRequestRequest::default()
        };
        let mut client = AuthorizationServiceClient::new(self.locum.clone());
        match client.authorize_signed_request(question).await {
            Ok(answer) if answer.get_ref().verdict() == Verdict::Allow => Ok(()),
            Ok(answer) => {
                let message = &answer.get_ref().message;
                Err(refuse(StatusCode::FORBIDDEN, "AccessDenied", message))
            }
            Err(status) => {
                let details = status.get_error_details();
                let code = details.error_info().map_or("ServiceUnavailable", |info| &info.reason);
                let http = match status.code() {
                    tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => {
                        StatusCode::FORBIDDEN
                    }
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                Err(refuse(http, code, status.message()))
            }
        }
    }
}

/// An error as S3 tells it.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}
