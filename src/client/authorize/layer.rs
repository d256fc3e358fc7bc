//! The layer and the service it makes: reads the body, has the request judged, and only then calls the
//! inner service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use tower::{Layer, Service};

use super::body::Shown;
use super::{Asked, Authorizer, Refusal};

/// See [`Authorizer::layer`].
pub struct AuthorizeLayer<F> {
    authorizer: Authorizer,
    asked: Arc<F>,
}

impl<F> AuthorizeLayer<F> {
    pub(super) fn new(authorizer: Authorizer, asked: F) -> Self {
        Self { authorizer, asked: Arc::new(asked) }
    }
}

impl<F> Clone for AuthorizeLayer<F> {
    fn clone(&self) -> Self {
        Self { authorizer: self.authorizer.clone(), asked: self.asked.clone() }
    }
}

impl<S, F> Layer<S> for AuthorizeLayer<F> {
    type Service = AuthorizeService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthorizeService { inner, authorizer: self.authorizer.clone(), asked: self.asked.clone() }
    }
}

/// See [`AuthorizeLayer`].
pub struct AuthorizeService<S, F> {
    inner: S,
    authorizer: Authorizer,
    asked: Arc<F>,
}

impl<S: Clone, F> Clone for AuthorizeService<S, F> {
    fn clone(&self) -> Self {
        let (authorizer, asked) = (self.authorizer.clone(), self.asked.clone());
        Self { inner: self.inner.clone(), authorizer, asked }
    }
}

impl<S, F, B, R> Service<Request<B>> for AuthorizeService<S, F>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    F: Fn(&Parts) -> Result<Asked, Refusal> + Send + Sync + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone may not be ready; the one that is goes with this call.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let (authorizer, asked) = (self.authorizer.clone(), self.asked.clone());
        Box::pin(async move {
            match admit(&authorizer, &*asked, request).await {
                Ok(request) => inner.call(request).await,
                Err(refusal) => Ok((authorizer.settings.refuse)(&refusal).map(R::from)),
            }
        })
    }
}

async fn admit<F, B>(
    authorizer: &Authorizer,
    asked: &F,
    request: Request<B>,
) -> Result<Request<Full<Bytes>>, Refusal>
where
    F: Fn(&Parts) -> Result<Asked, Refusal>,
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    let asked = asked(&parts)?;
    let bytes_max = authorizer.settings.body_bytes_max;
    let body = Limited::new(body, bytes_max).collect().await.map_err(|_| {
        let message = format!("A request's body has at most {bytes_max} bytes and comes whole.");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", &message)
    })?;
    let (shown, body) = Shown::new(&parts, body.to_bytes(), &authorizer.settings)?;
    let authorized = authorizer.authorize(shown, &asked).await?;
    parts.extensions.insert(authorized);
    Ok(Request::from_parts(parts, Full::new(body)))
}
