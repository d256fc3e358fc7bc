//! Signing: the headers that make a request one of ours. Signs every header it is given.

use super::time::basic;
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
        let mut added = vec![("x-amz-date", date.clone())];
        if let Some(token) = self.session_token {
            added.push(("x-amz-security-token", token.to_owned()));
        }
        let mut headers = request.headers.to_vec();
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        let mut names: Vec<String> = headers.iter().map(|(n, _)| n.to_ascii_lowercase()).collect();
        names.sort_unstable();
        names.dedup();

        let day = date.get(..8).unwrap_or_default();
        let scope = scope(day, self.region, self.service);
        let request = Signable { headers: &headers, ..*request };
        // Every name is of a header that is there, so that none is missing.
        let canonical = canonical::request(&request, &names, false).unwrap_or_default();
        let text = canonical::string_to_sign(&date, &scope, &canonical);
        let key = SigningKey::derive(self.secret, day, self.region, self.service);
        let signature = hex::encode(key.sign(text.as_bytes()).as_slice());
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key,
            names.join(";"),
        );
        added.push(("authorization", authorization));
        added
    }
}
