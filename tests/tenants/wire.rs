//! Calls of either edge as whoever holds a key, with everything that comes back: status, headers and body.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use http::uri::PathAndQuery;
use locum::client::{
    BytesCodec, Credentials, SignedChannel, Trust, connect, connect_unsigned, sign_form,
};
use locum::clock::Clock;
use locum::proto::DESCRIPTORS;
use locum::signing::Secret;
use locum::signing::grpc::UNSIGNED_CALLS;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

/// How long a stream may be silent before it counts as having nothing to say.
const SILENCE: Duration = Duration::from_millis(100);
pub(crate) const REGION: &str = "us-east-1";

/// What came back, in words.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// `OK`, or the code of the refusal.
    pub(crate) code: String,
    /// Status, headers, details and body.
    pub(crate) text: String,
    /// The reasons of a refusal, sealed for the account of the caller.
    pub(crate) sealed: Option<String>,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        self.code == "OK"
    }
}

/// Every call of the API.
pub(crate) fn methods() -> Vec<MethodDescriptor> {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap());
    let services = POOL.services().filter(|service| service.full_name().starts_with("locum.v1."));
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

pub(crate) fn method(name: &str) -> MethodDescriptor {
    methods().into_iter().find(|method| method.name() == name).unwrap()
}

pub(crate) fn credentials(key: &Value) -> Credentials {
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    Credentials {
        access_key_id: text("accessKeyId"),
        secret_access_key: Secret::new(text("secretAccessKey")),
        session_token: Some(text("sessionToken")).filter(|t| !t.is_empty()).map(Secret::new),
    }
}

/// The gRPC edge, for the holder of a key.
#[derive(Clone)]
pub(crate) struct Grpc {
    signed: SignedChannel,
    unsigned: SignedChannel,
}

impl Grpc {
    pub(crate) fn new(endpoint: &str, key: &Value) -> Self {
        let signed = connect(endpoint, REGION, credentials(key)).unwrap();
        Self { signed, unsigned: connect_unsigned(endpoint, &Trust::System).unwrap() }
    }

    /// The same connection, for the holder of another key.
    pub(crate) fn signed_by(&self, key: &Value) -> Self {
        Self { signed: self.signed.signed_by(credentials(key)), unsigned: self.unsigned.clone() }
    }

    /// The answer to a call that has to be refused.
    pub(crate) async fn refused(&self, name: &str, request: Value) -> Answer {
        let answer = self.call(&method(name), &request).await;
        assert!(!answer.is_ok(), "{name} {request}");
        answer
    }

    /// Everything that comes back; of a stream, what comes without a pause.
    pub(crate) async fn call(&self, method: &MethodDescriptor, request: &Value) -> Answer {
        match self.messages(method, request).await {
            Ok((head, messages, trailers)) => {
                let head = format!("{:?}", listed(&head));
                let trailers = format!("{:?}", trailers.as_ref().map(listed));
                let text = format!("{head}\n{trailers}\n{:#}", Value::Array(messages));
                Answer { code: "OK".to_owned(), text, sealed: None }
            }
            Err(status) => refusal(&status),
        }
    }

    pub(crate) async fn messages(
        &self,
        method: &MethodDescriptor,
        request: &Value,
    ) -> Result<(MetadataMap, Vec<Value>, Option<MetadataMap>), Status> {
        let mut answers = self.open(method, request).await?;
        let (head, mut messages) = (answers.head.clone(), Vec::new());
        loop {
            let next = answers.stream.message();
            let next = match method.is_server_streaming() {
                true => tokio::time::timeout(SILENCE, next).await,
                false => Ok(next.await),
            };
            match next {
                Ok(Ok(Some(bytes))) => messages.push(answers.shown(&bytes)),
                Ok(Ok(None)) => return Ok((head, messages, answers.stream.trailers().await?)),
                Ok(Err(status)) => return Err(status),
                Err(_) => return Ok((head, messages, None)),
            }
        }
    }

    /// The stream of what is answered.
    pub(crate) async fn open(
        &self,
        method: &MethodDescriptor,
        request: &Value,
    ) -> Result<Answers, Status> {
        let message = DynamicMessage::deserialize(method.input(), request);
        let message =
            message.unwrap_or_else(|error| panic!("{}: {error}: {request}", method.name()));
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let unsigned = UNSIGNED_CALLS.contains(&path.as_str());
        let channel = if unsigned { &self.unsigned } else { &self.signed };
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        grpc.ready().await?;
        let path = PathAndQuery::try_from(path).unwrap();
        let answer = grpc.server_streaming(Request::new(message.encode_to_vec()), path, BytesCodec);
        let (head, stream, _) = answer.await?.into_parts();
        Ok(Answers { head, stream, method: method.clone() })
    }

    /// The answer to a call that has to succeed.
    pub(crate) async fn made(&self, name: &str, request: Value) -> Value {
        let (_, mut messages, _) = self
            .messages(&method(name), &request)
            .await
            .unwrap_or_else(|status| panic!("{name} {request}: {status}"));
        messages.pop().unwrap()
    }
}

/// What a call answers, as it comes.
pub(crate) struct Answers {
    head: MetadataMap,
    pub(crate) stream: tonic::Streaming<Vec<u8>>,
    method: MethodDescriptor,
}

impl Answers {
    pub(crate) fn shown(&self, bytes: &[u8]) -> Value {
        let message = DynamicMessage::decode(self.method.output(), bytes).unwrap();
        serde_json::to_value(&message).unwrap()
    }
}

fn refusal(status: &Status) -> Answer {
    let details = status.get_error_details();
    let info = details.error_info();
    let metadata = info.map(|info| info.metadata.clone()).unwrap_or_default();
    let mut told: Vec<_> = metadata.iter().collect();
    told.sort();
    let code = info.map_or_else(|| format!("{:?}", status.code()), |info| info.reason.clone());
    let text = format!(
        "{:?} {code}: {}\n{told:?}\n{:?} {:?} {:?} {:?} {:?} {:?}\n{:?}",
        status.code(),
        status.message(),
        details.bad_request(),
        details.precondition_failure(),
        details.quota_failure(),
        details.resource_info(),
        details.help(),
        details.localized_message(),
        listed(status.metadata()),
    );
    let sealed = metadata.get(locum::grpc::ENCODED_MESSAGE).cloned();
    Answer { code, text, sealed }
}

/// Headers in order, without the time and with details as they are told above.
fn listed(metadata: &MetadataMap) -> Vec<String> {
    let headers = metadata.clone().into_headers();
    let headers = headers.iter().map(|(name, value)| match name.as_str() {
        "date" | "grpc-status-details-bin" | "content-length" => format!("{name}: ..."),
        _ => format!("{name}: {value:?}"),
    });
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    headers
}

/// The AWS edge, for the holder of a key, over one connection.
pub(crate) struct Query {
    key: Credentials,
    host: String,
    stream: BufReader<TcpStream>,
}

impl Query {
    pub(crate) fn new(endpoint: &str, key: &Value) -> Self {
        let host = endpoint.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { key: credentials(key), host, stream: BufReader::new(stream) }
    }

    pub(crate) fn call(&mut self, service: &str, form: &str) -> Answer {
        let place = (REGION, service);
        let signed = sign_form(&self.key, place, &self.host, form, Clock::System.now());
        let mut request = format!("POST / HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in signed {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{form}", form.len());
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "the connection ended");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.parse().unwrap();
            }
            head.push(if line.starts_with("date: ") { "date: ...".to_owned() } else { line });
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let within = |name: &str| {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once('<')?.0.to_owned())
        };
        let code = match head[0].contains(" 200 ") {
            true => "OK".to_owned(),
            false => within("Code").unwrap_or_else(|| head[0].clone()),
        };
        let text = json!(head).to_string() + "\n" + &body;
        Answer { code, text, sealed: None }
    }
}
