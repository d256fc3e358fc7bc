//! Requests ready to be sent by other load generators. Each carries a signature, which is good for 15 minutes from when
//! it was made and may be sent any number of times until then.

use prost::Message as _;
use serde_json::json;

use super::LoadError;
use super::driver::assume_role_form;
use super::setup::Endpoints;
use crate::client::sign_form;
use crate::clock::Timestamp;
use crate::proto::v1;
use crate::signing::Secret;
use crate::signing::grpc::{CallSigner, sign_call};

const ASSUME_ROLE: &str = "/locum.v1.StsService/AssumeRole";
const ROLE_CREDENTIALS: &str = "/locum.v1.MetadataService/GetRoleCredentials";

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A session of this role, for whose credentials sign.
    AssumeRole {
        /// Its ARN.
        role_arn: String,
    },
    /// The credentials of the instance whose credentials sign.
    RoleCredentials,
}

/// What it is sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// gRPC, as a framed body for `-d`.
    H2load,
    /// gRPC, as a message for `-B` and metadata for `--metadata-file`.
    Ghz,
    /// The Query protocol, as a Lua script.
    Wrk,
    /// The Query protocol, as a script.
    K6,
}

/// A file of a payload.
#[derive(Clone, Debug)]
pub struct PayloadFile {
    /// Its name.
    pub name: &'static str,
    /// What is in it; it holds a signature, and with some callers a session token.
    pub bytes: Vec<u8>,
}

impl Payload {
    /// The files for a tool, and the command that sends them.
    ///
    /// # Errors
    /// The tool speaks a protocol that this cannot be asked for over, or its endpoint is not known.
    pub fn files(
        &self,
        tool: Tool,
        to: &Endpoints,
        now: Timestamp,
    ) -> Result<(Vec<PayloadFile>, String), LoadError> {
        match tool {
            Tool::H2load => Ok(self.call(to, now)?.for_h2load(&to.grpc, now)),
            Tool::Ghz => Ok(self.call(to, now)?.for_ghz()),
            Tool::Wrk => Ok(self.form(to, now)?.for_wrk(now)),
            Tool::K6 => Ok(self.form(to, now)?.for_k6(now)),
        }
    }

    fn call(&self, to: &Endpoints, now: Timestamp) -> Result<Call, LoadError> {
        let (path, message) = match self {
            Self::AssumeRole { role_arn } => {
                let request = v1::AssumeRoleRequest {
                    role_arn: role_arn.clone(),
                    role_session_name: "load".to_owned(),
                    ..Default::default()
                };
                (ASSUME_ROLE, request.encode_to_vec())
            }
            Self::RoleCredentials => {
                (ROLE_CREDENTIALS, v1::GetRoleCredentialsRequest::default().encode_to_vec())
            }
        };
        let authority = authority(&to.grpc)?;
        let key = &to.credentials;
        let signer = CallSigner {
            access_key: &key.access_key_id,
            secret: &key.secret_access_key,
            session_token: key.session_token.as_ref().map(Secret::expose),
            region: &to.region,
        };
        let headers = sign_call(&signer, &authority, path, &message, now);
        Ok(Call { path, message, authority, headers })
    }

    fn form(&self, to: &Endpoints, now: Timestamp) -> Result<Form, LoadError> {
        let Self::AssumeRole { role_arn } = self else {
            let rule = "speak the Query protocol, which has no such operation";
            return Err(LoadError::field("wrk and k6", rule));
        };
        let endpoint = to.aws.clone();
        let endpoint = endpoint.ok_or_else(|| LoadError::field("wrk and k6", "need --aws"))?;
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let body = assume_role_form(role_arn);
        let headers =
            sign_form(&to.credentials, (&to.region, "sts"), &authority(&endpoint)?, &body, now);
        Ok(Form { endpoint, body, headers })
    }
}

/// Headers by name.
type Headers = Vec<(&'static str, String)>;
/// The files, and the command that sends them.
type Files = (Vec<PayloadFile>, String);

fn as_json(headers: &Headers) -> serde_json::Value {
    headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

/// A call that is signed.
struct Call {
    path: &'static str,
    message: Vec<u8>,
    authority: String,
    headers: Headers,
}

impl Call {
    /// The message behind a flag and four bytes of length.
    fn for_h2load(&self, endpoint: &str, now: Timestamp) -> Files {
        let length = u32::try_from(self.message.len()).unwrap_or(u32::MAX);
        let framed = [&[0][..], &length.to_be_bytes(), &self.message].concat();
        let headers = self.headers.iter();
        let headers: String =
            headers.map(|(name, value)| format!(" \\\n  -H '{name}: {value}'")).collect();
        let (signed_at, path) = (now.iso8601(), self.path);
        let command = format!(
            "#!/bin/sh\n# Signed at {signed_at}; good for 15 minutes. Takes the number of calls.\n\
             cd \"$(dirname \"$0\")\" && exec h2load -n ${{1:-100000}} -c 4 -m 16 -d body.bin \\\n  \
             -H 'content-type: application/grpc' -H 'te: trailers'{headers} \\\n  {endpoint}{path}\n"
        );
        let files = vec![
            PayloadFile { name: "body.bin", bytes: framed },
            PayloadFile { name: "h2load.sh", bytes: command.into_bytes() },
        ];
        (files, "sh h2load.sh".to_owned())
    }

    fn for_ghz(self) -> Files {
        let metadata = as_json(&self.headers).to_string();
        let method = self.path.trim_start_matches('/').replace('/', ".");
        let command = format!(
            "ghz --insecure -B message.bin --metadata-file metadata.json --call {method} -n 100000 {}",
            self.authority
        );
        let files = vec![
            PayloadFile { name: "message.bin", bytes: self.message },
            PayloadFile { name: "metadata.json", bytes: metadata.into_bytes() },
        ];
        (files, command)
    }
}

/// A form that is signed.
struct Form {
    endpoint: String,
    body: String,
    headers: Headers,
}

impl Form {
    fn for_wrk(&self, now: Timestamp) -> Files {
        let headers = self.headers.iter();
        let headers: String = headers
            .map(|(name, value)| format!("wrk.headers[{}] = {}\n", json!(name), json!(value)))
            .collect();
        let (signed_at, body) = (now.iso8601(), json!(self.body));
        let script = format!(
            "-- Signed at {signed_at}; good for 15 minutes.\nwrk.method = \"POST\"\nwrk.body = {body}\n{headers}"
        );
        let files = vec![PayloadFile { name: "wrk.lua", bytes: script.into_bytes() }];
        (files, format!("wrk -t1 -c32 -d10s -s wrk.lua {}/", self.endpoint))
    }

    fn for_k6(&self, now: Timestamp) -> Files {
        let headers = as_json(&self.headers);
        let (signed_at, body) = (now.iso8601(), json!(self.body));
        let url = json!(format!("{}/", self.endpoint));
        let script = format!(
            "// Signed at {signed_at}; good for 15 minutes.\n\
             import http from 'k6/http';\nimport {{ check }} from 'k6';\n\
             export const options = {{ vus: 32, duration: '10s' }};\n\
             export default function () {{\n  \
             const answer = http.post({url}, {body}, {{ headers: {headers} }});\n  \
             check(answer, {{ 'is 200': (r) => r.status === 200 }});\n}}\n"
        );
        let files = vec![PayloadFile { name: "k6.js", bytes: script.into_bytes() }];
        (files, "k6 run k6.js".to_owned())
    }
}

fn authority(endpoint: &str) -> Result<String, LoadError> {
    let uri: Option<http::Uri> = endpoint.parse().ok();
    let authority = uri.and_then(|uri| uri.authority().map(ToString::to_string));
    authority.ok_or_else(|| LoadError::Endpoint {
        what: "signing".to_owned(),
        endpoint: endpoint.to_owned(),
        reason: "it is no URL with a host".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Credentials, Trust};

    fn to() -> Endpoints {
        Endpoints {
            grpc: "http://127.0.0.1:7400".to_owned(),
            aws: Some("http://127.0.0.1:7401".to_owned()),
            metadata: None,
            region: "us-east-1".to_owned(),
            credentials: Credentials {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret_access_key: Secret::new("very secret"),
                session_token: None,
            },
            trust: Trust::System,
        }
    }

    /// Protects other generators' runs, and the secret: bodies are framed as gRPC wants them, every file of every
    /// tool is signed, and none holds what it was signed with.
    #[test]
    fn payloads_are_framed_and_signed_and_hold_no_secret() {
        let role_arn = "arn:aws:iam::111111111111:role/a".to_owned();
        let payload = Payload::AssumeRole { role_arn: role_arn.clone() };
        let now = Timestamp::from_unix_seconds(1_780_000_000);
        for tool in [Tool::H2load, Tool::Ghz, Tool::Wrk, Tool::K6] {
            let (files, _) = payload.files(tool, &to(), now).unwrap();
            let text: String = files
                .iter()
                .map(|file| String::from_utf8_lossy(&file.bytes).into_owned())
                .collect();
            assert!(text.contains("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/"), "{tool:?}");
            assert!(!text.contains("very secret"), "{tool:?}");
            if tool == Tool::H2load {
                let body = &files[0].bytes;
                let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
                assert_eq!((body[0], length), (0, body.len() - 5));
                let decoded = v1::AssumeRoleRequest::decode(&body[5..]).unwrap();
                assert_eq!(decoded.role_arn, role_arn);
            }
        }
        assert!(Payload::RoleCredentials.files(Tool::Wrk, &to(), now).is_err());
    }
}
