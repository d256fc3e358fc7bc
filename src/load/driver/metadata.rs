//! Requests for metadata over HTTP, with a token of version 2, as SDKs make them.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::super::book::Outcome;
use super::super::population::{Machine, MetadataPage, Tenant, one_of};
use super::Deployment;
use super::http::{Place, outcome};

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN: &str = "x-aws-ec2-metadata-token";
/// How long a token lasts, the longest there is: 6 hours.
const TOKEN_SECONDS: u16 = 21_600;

impl Deployment {
    /// Reads the credentials of an instance's role; token and role are asked for before, once for each instance.
    pub(super) async fn read_metadata(&self, tenant: &Tenant, number: u64) -> Outcome {
        let found = one_of(&tenant.machines, number).zip(self.metadata.as_ref());
        let Some((machine, place)) = found else { return Outcome::NotMade };
        match self.read(machine, place).await {
            Ok(()) => Outcome::Done,
            Err(outcome) => outcome,
        }
    }

    async fn read(&self, machine: &Machine, place: &Place) -> Result<(), Outcome> {
        let page = self.page(machine, place).await?;
        let request = get(place, &page.path, &page.token)?;
        let answer = self.pool.send(place.address, machine.address, request).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            // The token has ended: the next request gets another.
            *machine.page.lock().await = None;
        }
        let answer = success(answer)?;
        // Metadata tells of refusals with a 200.
        let told: serde_json::Value = serde_json::from_slice(answer.body())
            .map_err(|_| Outcome::Failed("(an answer that is no JSON)".to_owned()))?;
        match told.get("Code").and_then(serde_json::Value::as_str) {
            Some("Success") => Ok(()),
            Some(code) => Err(Outcome::Failed(code.to_owned())),
            None => Err(Outcome::Failed("(an answer without a code)".to_owned())),
        }
    }

    async fn page(&self, machine: &Machine, place: &Place) -> Result<MetadataPage, Outcome> {
        let mut kept = machine.page.lock().await;
        if let Some(page) = kept.as_ref() {
            return Ok(page.clone());
        }
        let ask = http::Request::builder()
            .method(Method::PUT)
            .uri("/latest/api/token")
            .header("host", &place.host)
            .header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS)
            .body(Full::default());
        let ask = ask.map_err(|_| Outcome::NotMade)?;
        let token = success(self.pool.send(place.address, machine.address, ask).await?)?;
        let token = HeaderValue::from_bytes(token.body())
            .map_err(|_| Outcome::Failed("(a token that is none)".to_owned()))?;
        let list = get(place, ROLES, &token)?;
        let list = success(self.pool.send(place.address, machine.address, list).await?)?;
        let text = String::from_utf8_lossy(list.body()).into_owned();
        let role = text.lines().next().unwrap_or_default();
        let page = MetadataPage { path: format!("{ROLES}{role}"), token };
        *kept = Some(page.clone());
        Ok(page)
    }
}

fn get(place: &Place, path: &str, token: &HeaderValue) -> Result<Request<Full<Bytes>>, Outcome> {
    let request = Request::get(path).header("host", &place.host).header(TOKEN, token);
    request.body(Full::default()).map_err(|_| Outcome::Failed("(a path that is none)".to_owned()))
}

fn success(answer: Response<Bytes>) -> Result<Response<Bytes>, Outcome> {
    if answer.status().is_success() { Ok(answer) } else { Err(outcome(&answer)) }
}
