//! Signing: the headers or the query that make a request one of ours. Signs every header it is given.

use super::time::{BasicTime, basic};
use super::verify::SigningKey;
use super::{ALGORITHM, Signable, canonical, scope};
use crate::clock::Timestamp;
use crate::signing::Secret;

/// Who signs, and for which service.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// Its secret.
    pub secret: &'a Secret,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region to sign for.
    pub region: &'a str,
    /// The service to sign for.
    pub service: &'a str,
}

impl Signer<'_> {
    /// The headers to add: `x-amz-date`, `x-amz-security-token` of a session, `authorization`. The
    /// request must hold `host` and neither of these; a header that a proxy may change does not
    /// belong in it.
    #[must_use]
    pub fn sign(&self, request: &Signable<'_>, now: Timestamp) -> Vec<(&'static str, String)> {
        let date = basic(now);
        let mut added = vec![("x-amz-date", date.to_string())];
        if let Some(token) = self.session_token {
            added.push(("x-amz-security-token", token.to_owned()));
        }
        let mut headers = request.headers.to_vec();
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        let request = Signable { headers: &headers, ..*request };
        let names = names(&request);
        let signature = self.signature(&request, &names, &date, false);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            self.access_key,
            scope(date.day(), self.region, self.service),
        );
        added.push(("authorization", authorization));
        added
    }

    /// The whole query of a URL that is good for so many seconds. The request must hold `host`; whoever
    /// uses the URL has to send its headers as they are.
    #[must_use]
    pub fn presign(&self, request: &Signable<'_>, seconds: u32, now: Timestamp) -> String {
        let date = basic(now);
        let names = names(request);
        let credential =
            format!("{}/{}", self.access_key, scope(date.day(), self.region, self.service));
        let (date_text, seconds) = (date.to_string(), seconds.to_string());
        let mut parameters = vec![
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &date_text),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", &names),
        ];
        parameters.extend(self.session_token.map(|token| ("X-Amz-Security-Token", token)));
        let mut query = request.query.to_owned();
        for (name, value) in parameters {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            canonical::push_encoded(&mut query, value.as_bytes());
        }
        let request = Signable { query: &query, ..*request };
        let signature = self.signature(&request, &names, &date, true);
        format!("{query}&{}={signature}", canonical::SIGNATURE_PARAMETER)
    }

    fn signature(
        &self,
        request: &Signable<'_>,
        names: &str,
        date: &BasicTime,
        presigned: bool,
    ) -> String {
        // Every name is of a header that is there, so that none is missing.
        let canonical = canonical::request(request, names, presigned).unwrap_or_default();
        let scope = scope(date.day(), self.region, self.service);
        let text = canonical::string_to_sign(date, &scope, &canonical);
        let key = SigningKey::derive(self.secret, date.day(), self.region, self.service);
        hex::encode(key.sign(text.as_bytes()).as_slice())
    }
}

/// The names of a request's headers as they are signed: lower-case, ascending, with `;` between them.
fn names(request: &Signable<'_>) -> String {
    let mut names: Vec<_> = request.headers.iter().map(|(n, _)| n.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(";")
}
