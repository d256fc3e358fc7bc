//! A small object store that takes requests signed with Locum's credentials: an HTTP bucket behind
//! `locum::client::authorize`.
//!
//! ```text
//! AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... photos --listen 127.0.0.1:7480 --bucket photos [--local]
//! ```
//!
//! The bucket belongs to the account of these credentials. Objects are kept in memory. With `--local` it
//! verifies and judges requests by itself, with grants; else it asks Locum about each.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::Parser;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use locum::client::authorize::{Asked, Authorizer, Refusal, Settings};
use locum::client::{Credentials, connect};
use tower::{ServiceBuilder, service_fn};

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
    /// Verifies and judges by itself, with grants.
    #[arg(long)]
    local: bool,
}

struct Store {
    bucket: String,
    photos: Mutex<HashMap<String, Bytes>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let locum = connect(&args.endpoint, &args.region, Credentials::from_env()?)?;
    let settings =
        Settings { body_bytes_max: PHOTO_BYTES_MAX, ..Settings::new("s3", &args.region) };
    let guard = match args.local {
        true => Authorizer::local(locum, settings).await?,
        false => Authorizer::remote(locum, settings).await?,
    };
    let cat = ("cat.jpg".to_owned(), Bytes::from_static(b"a cat"));
    let store = Arc::new(Store { bucket: args.bucket, photos: Mutex::new([cat].into()) });
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    println!("bucket {} of {} on http://{}", store.bucket, guard.account(), listener.local_addr()?);
    let (asking, answering) = (store.clone(), store);
    let service = ServiceBuilder::new()
        .layer(guard.layer(move |request| asking.asked(request)))
        .service(service_fn(move |request| {
            let store = answering.clone();
            async move { Ok::<_, Infallible>(store.answer(request).await) }
        }));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            // A broken connection is its client's matter.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Store {
    /// What a request wants to do.
    fn asked(&self, request: &Parts) -> Result<Asked, Refusal> {
        let key = self.key(request).ok_or_else(|| {
            Refusal::new(StatusCode::NOT_FOUND, "NoSuchBucket", "there is no such bucket")
        })?;
        let action = match request.method {
            Method::GET => "s3:GetObject",
            Method::PUT => "s3:PutObject",
            _ => {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                return Err(Refusal::new(status, "MethodNotAllowed", "GET or PUT"));
            }
        };
        Ok(Asked::new(action, format!("arn:aws:s3:::{}/{key}", self.bucket)))
    }

    fn key<'a>(&self, request: &'a Parts) -> Option<&'a str> {
        request.uri.path().strip_prefix(&format!("/{}/", self.bucket))
    }

    /// Does what was allowed.
    async fn answer(&self, request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let key = self.key(&parts).unwrap_or_default();
        let Ok(body) = body.collect().await;
        let mut photos = self.photos.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.method == Method::PUT {
            photos.insert(key.to_owned(), body.to_bytes());
            return Response::new(Full::default());
        }
        match photos.get(key) {
            Some(photo) => Response::new(Full::new(photo.clone())),
            None => Refusal::new(StatusCode::NOT_FOUND, "NoSuchKey", "there is no such photo")
                .xml()
                .map(Full::from),
        }
    }
}
