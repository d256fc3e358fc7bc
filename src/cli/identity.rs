//! `locum identity`: login tokens, which are presigned GetCallerIdentity requests. One is made by whoever has
//! credentials, and whoever it is shown to has Locum say whose it is.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::call::{Target, told};
use super::{Failure, say};
use crate::clock::{Clock, Timestamp};
use crate::proto::v1::authorization_service_client::AuthorizationServiceClient;
use crate::proto::v1::{SignedHeader, SignedRequest, VerifyIdentityTokenRequest};
use crate::signing::Secret;
use crate::signing::sigv4::{EMPTY_SHA256, PathStyle, Signable, Signer, body_sha256};

/// What stands before a token of aws-iam-authenticator.
const KUBERNETES_PREFIX: &str = "k8s-aws-v1.";
/// The header that binds such a token to a cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// Bytes of a token.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;
const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// `locum identity`
#[derive(Subcommand)]
pub(super) enum IdentityCommand {
    /// Makes a login token with one's own credentials. It says who they are and gives no right to act for
    /// them; it is good for 15 minutes.
    Token {
        #[command(flatten)]
        binding: Binding,
        /// How the token is written.
        #[arg(long, value_enum, default_value = "kubernetes")]
        format: Format,
        #[command(flatten)]
        target: Target,
    },
    /// Says who made a login token.
    Verify {
        /// The token: a URL, `k8s-aws-v1.` and a URL, or the JSON of Vault's login; read from standard input
        /// if not given.
        token: Option<String>,
        #[command(flatten)]
        binding: Binding,
        /// How to print the answer.
        #[arg(long, default_value = "table", value_parser = ["table", "json"])]
        output: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Whom a token is for.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Binding {
    /// The host that the token is signed for; to verify, the hosts that are taken. The regional endpoint of
    /// STS if not given.
    #[arg(long, env = "LOCUM_IDENTITY_HOST")]
    host: Vec<String>,
    /// The cluster that the token is for: the value of the signed header x-k8s-aws-id.
    #[arg(long)]
    cluster_id: Option<String>,
    /// A further header that is signed, `name: value`, such as `X-Vault-AWS-IAM-Server-ID: vault.example.com`.
    #[arg(long)]
    header: Vec<String>,
}

/// How a token is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// As aws-iam-authenticator writes it.
    Kubernetes,
    /// The URL itself.
    Url,
}

impl Binding {
    fn hosts(&self, region: &str) -> Vec<String> {
        match self.host.as_slice() {
            [] => vec![format!("sts.{region}.amazonaws.com")],
            hosts => hosts.to_vec(),
        }
    }

    fn headers(&self) -> Result<Vec<(String, String)>, Failure> {
        let cluster = self.cluster_id.iter().map(|id| (CLUSTER_HEADER.to_owned(), id.clone()));
        let mut headers: Vec<_> = cluster.collect();
        for header in &self.header {
            let (name, value) =
                header.split_once(':').ok_or_else(|| format!("`{header}` is no `name: value`"))?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(headers)
    }
}

pub(super) async fn run(command: IdentityCommand) -> Result<(), Failure> {
    match command {
        IdentityCommand::Token { binding, format, target } => token(&binding, format, &target),
        IdentityCommand::Verify { token, binding, output, target } => {
            verify(token, &binding, &output, &target).await
        }
    }
}

fn token(binding: &Binding, format: Format, target: &Target) -> Result<(), Failure> {
    /// What tokens of aws-iam-authenticator ask for; verifiers take them for 15 minutes all the same.
    const EXPIRES_SECONDS: u32 = 60;
    let hosts = binding.hosts(&target.region);
    let [host] = hosts.as_slice() else { return Err("a token is for one --host".into()) };
    let bound = binding.headers()?;
    let mut headers = vec![("host", host.as_str())];
    headers.extend(bound.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let credentials = target.credentials()?;
    let signer = Signer {
        access_key: &credentials.access_key_id,
        secret: &credentials.secret_access_key,
        session_token: credentials.session_token.as_ref().map(Secret::expose),
        region: &target.region,
        service: "sts",
    };
    let request = Signable {
        method: "GET",
        path: "/",
        query: QUERY,
        headers: &headers,
        body_sha256: EMPTY_SHA256,
        path_style: PathStyle::Normalized,
    };
    let query = signer.presign(&request, EXPIRES_SECONDS, Clock::System.now());
    let url = format!("https://{host}/?{query}");
    match format {
        Format::Url => say(url)?,
        Format::Kubernetes => {
            say(format_args!("{KUBERNETES_PREFIX}{}", URL_SAFE_NO_PAD.encode(url)))?;
        }
    }
    Ok(())
}

async fn verify(
    token: Option<String>,
    binding: &Binding,
    output: &str,
    target: &Target,
) -> Result<(), Failure> {
    let token = match token {
        Some(token) => token,
        None => {
            let mut text = String::new();
            std::io::stdin().lock().take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
            text
        }
    };
    let required: Vec<SignedHeader> =
        binding.headers()?.into_iter().map(|(name, value)| SignedHeader { name, value }).collect();
    let request = VerifyIdentityTokenRequest {
        request: Some(read(token.trim(), &required)?),
        hosts: binding.hosts(&target.region),
        required_headers: required,
    };
    let mut client = AuthorizationServiceClient::new(target.channel()?);
    let answer = client.verify_identity_token(request).await.map_err(|status| told(&status))?;
    let answer = answer.into_inner();
    let identity = answer.identity.unwrap_or_default();
    let time = |time: Option<prost_types::Timestamp>| {
        time.map(|time| Timestamp::from_unix_seconds(time.seconds).iso8601())
    };
    let told = json!({
        "accountId": identity.account_id,
        "arn": identity.arn,
        "userId": identity.user_id,
        "accessKeyId": identity.access_key_id,
        "signedAt": time(answer.signed_at),
        "expiresAt": time(answer.expires_at),
    });
    let told = if output == "json" { format!("{told:#}") } else { super::dynamic::table(&told) };
    Ok(say(told)?)
}

/// The request that a token stands for. Of a URL only host, path and query are in it: the headers that it has
/// to be signed with are those that are required.
fn read(token: &str, required: &[SignedHeader]) -> Result<SignedRequest, Failure> {
    if token.starts_with('{') {
        return read_vault(token);
    }
    let url = match token.strip_prefix(KUBERNETES_PREFIX) {
        None => token.to_owned(),
        Some(encoded) => {
            let encoded = encoded.trim_end_matches('=');
            let url = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "the token is not base64url")?;
            String::from_utf8(url).map_err(|_| "the token holds no URL")?
        }
    };
    let (host, path, query) = divide(&url)?;
    let mut headers = vec![SignedHeader { name: "host".to_owned(), value: host }];
    headers.extend_from_slice(required);
    Ok(SignedRequest {
        method: "GET".to_owned(),
        path,
        query,
        headers,
        body_sha256: EMPTY_SHA256.to_owned(),
        ..SignedRequest::default()
    })
}

/// The JSON that Vault's AWS login takes: method, and URL, body and headers in base64.
fn read_vault(token: &str) -> Result<SignedRequest, Failure> {
    let token: Value = serde_json::from_str(token)?;
    let text = |name: &str| {
        let value = token.get(name).and_then(Value::as_str);
        value.ok_or_else(|| format!("the token has no `{name}`"))
    };
    let decoded = |name: &str| {
        let bytes = STANDARD.decode(text(name)?).map_err(|_| format!("`{name}` is not base64"))?;
        String::from_utf8(bytes).map_err(|_| format!("`{name}` is no text"))
    };
    let (host, path, query) = divide(&decoded("iam_request_url")?)?;
    let given: Value = serde_json::from_str(&decoded("iam_request_headers")?)?;
    let given = given.as_object().ok_or("`iam_request_headers` is no object")?;
    let mut headers = Vec::new();
    for (name, values) in given {
        let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
        for value in values.iter().filter_map(Value::as_str) {
            headers.push(SignedHeader { name: name.clone(), value: value.to_owned() });
        }
    }
    if !headers.iter().any(|header| header.name.eq_ignore_ascii_case("host")) {
        headers.push(SignedHeader { name: "host".to_owned(), value: host });
    }
    Ok(SignedRequest {
        method: text("iam_http_request_method")?.to_owned(),
        path,
        query,
        headers,
        body_sha256: body_sha256(decoded("iam_request_body")?.as_bytes()),
        ..SignedRequest::default()
    })
}

/// Host, path and query of a URL, still encoded.
fn divide(url: &str) -> Result<(String, String, String), Failure> {
    let uri: http::Uri = url.parse().map_err(|_| "the token holds no URL")?;
    let host = uri.authority().ok_or("the token's URL has no host")?;
    if host.as_str().contains('@') {
        return Err("the token's URL names a user".into());
    }
    let query = uri.query().unwrap_or_default();
    Ok((host.to_string(), uri.path().to_owned(), query.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects verifiers: whatever form a token has, host, path and query are those that were signed.
    #[test]
    fn a_url_and_a_kubernetes_token_are_the_same_request() {
        let url = "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Date=1";
        let token = format!("{KUBERNETES_PREFIX}{}", URL_SAFE_NO_PAD.encode(url));
        let required = [SignedHeader { name: CLUSTER_HEADER.to_owned(), value: "prod".to_owned() }];
        let read_url = read(url, &required).unwrap();
        assert_eq!(read_url, read(&token, &required).unwrap());
        assert_eq!(read_url.query, "Action=GetCallerIdentity&X-Amz-Date=1");
        let headers: Vec<_> = read_url.headers.iter().map(|h| h.value.as_str()).collect();
        assert_eq!(headers, ["sts.us-east-1.amazonaws.com", "prod"]);
    }

    /// Protects verifiers from what is no token.
    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "k8s-aws-v1.%%", "/?Action=1", "https://a@b/?x=1", "{}", "{"] {
            assert!(read(text, &[]).is_err(), "{text}");
        }
    }
}
