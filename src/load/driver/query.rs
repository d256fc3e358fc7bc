//! Requests over the AWS Query protocol.

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::book::Outcome;
use super::super::population::Tenant;
use super::Deployment;
use super::grpc::{SESSION_NAME, THROTTLING, session};
use super::http::outcome;
use crate::client::{Credentials, sign_form};
use crate::clock::Clock;

impl Deployment {
    pub(super) async fn query_assume_role(&self, tenant: &Tenant) -> Outcome {
        self.query(&tenant.user_key, &tenant.first_role).await
    }

    pub(super) async fn query_chained(&self, tenant: &Tenant) -> Outcome {
        match session(&self.population, tenant).await {
            Ok((_, credentials)) => self.query(&credentials, &tenant.second_role).await,
            Err(outcome) => outcome,
        }
    }

    async fn query(&self, caller: &Credentials, role: &str) -> Outcome {
        let Some(place) = &self.aws else { return Outcome::NotMade };
        let body = assume_role_form(role);
        let signed =
            sign_form(caller, (&self.region, "sts"), &place.host, &body, Clock::System.now());
        let mut request = Request::post("/").header("host", &place.host);
        for (name, value) in signed {
            let Ok(mut value) = HeaderValue::from_str(&value) else { return Outcome::NotMade };
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Full::new(Bytes::from(body))) else {
            return Outcome::NotMade;
        };
        match self.pool.send(place.address, None, request).await {
            Ok(answer) if answer.status().is_success() => Outcome::Done,
            Ok(answer) => told(&answer),
            Err(outcome) => outcome,
        }
    }
}

/// What AssumeRole is asked, as a form.
pub(in crate::load) fn assume_role_form(role: &str) -> String {
    let role = utf8_percent_encode(role, NON_ALPHANUMERIC);
    format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName={SESSION_NAME}&RoleArn={role}")
}

/// By the code of the error document.
fn told(answer: &Response<Bytes>) -> Outcome {
    let text = String::from_utf8_lossy(answer.body());
    let code = text.split_once("<Code>").and_then(|(_, rest)| Some(rest.split_once("</Code>")?.0));
    match code {
        Some(code) if THROTTLING.contains(&code) => Outcome::Throttled(code.to_owned()),
        Some(code) => Outcome::Failed(code.to_owned()),
        None => outcome(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the counts of errors over Query: the document's code counts, and throttling is told apart.
    #[test]
    fn error_documents_are_outcomes_by_their_code() {
        let answer = |status: u16, body: &'static str| {
            told(&Response::builder().status(status).body(Bytes::from(body)).unwrap())
        };
        let document = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
        assert_eq!(answer(403, document), Outcome::Failed("AccessDenied".to_owned()));
        let throttled = Outcome::Throttled("Throttling".to_owned());
        assert_eq!(answer(400, "<Code>Throttling</Code>"), throttled);
        assert_eq!(answer(502, "bad gateway"), Outcome::Failed("502".to_owned()));
        assert_eq!(answer(429, ""), Outcome::Throttled("429".to_owned()));
    }
}
