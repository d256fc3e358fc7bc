//! Calls of either edge as whoever holds a key, with everything that comes back: status, headers and body.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

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

/// How long a stream may take to tell what there was.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may lie idle and be used again: the server ends those that do for longer.
const IDLE: Duration = Duration::from_secs(1);
/// Who the log names for what the service does by itself.
const SERVICE: &str = "locum.internal";
pub(crate) const REGION: &str = "us-east-1";

/// What came back, in words.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// `OK`, or the code of the refusal.
    pub(crate) code: String,
    /// Status, headers, details and body.
    pub(crate) text: String,
    /// The same without what the service did by itself: renewals and last uses are recorded when they are due, which
    /// may be between any two calls.
    pub(crate) asked_for: String,
    /// The reasons of a refusal, sealed for the account of the caller.
    pub(crate) sealed: Option<String>,
}

impl Answer {
    /// An answer in which nothing is told that the service did by itself.
    fn plain(code: String, text: String, sealed: Option<String>) -> Self {
        Self { code, asked_for: text.clone(), text, sealed }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.code == "OK"
    }

    /// Takes what another call told as a part of this answer.
    pub(crate) fn add(&mut self, more: &Self) {
        self.text += &more.text;
        self.asked_for += &more.asked_for;
    }
}

/// Whether this is an event or a session of which the service says that nobody asked for it.
fn is_of_service(value: &Value) -> bool {
    let record = value.get("event").unwrap_or(value);
    ["actor", "issuedTo"].iter().any(|field| record[*field] == SERVICE)
}

/// Takes out of an answer what the service did by itself.
pub(crate) fn leave_asked_for(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !is_of_service(item));
            items.iter_mut().for_each(leave_asked_for);
        }
        Value::Object(fields) => fields.values_mut().for_each(leave_asked_for),
        _ => {}
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

    /// Everything that comes back; of a stream that does not end, what there was to tell when it was opened.
    pub(crate) async fn call(&self, method: &MethodDescriptor, request: &Value) -> Answer {
        match self.messages(method, request).await {
            Ok((head, messages, trailers)) => {
                let head = format!("{:?}", listed(&head));
                let trailers = format!("{:?}", trailers.as_ref().map(listed));
                let shown = |messages: &Value| format!("{head}\n{trailers}\n{messages:#}");
                let mut messages = Value::Array(messages);
                let text = shown(&messages);
                leave_asked_for(&mut messages);
                Answer { code: "OK".to_owned(), text, asked_for: shown(&messages), sealed: None }
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
        let newest = match method.name() {
            "FollowEvents" => match self.newest_event(request).await {
                Some(newest) => newest,
                // Nothing to tell as yet.
                None => return Ok((head, messages, None)),
            },
            _ => Place::default(),
        };
        let told = async {
            while let Some(bytes) = answers.stream.message().await? {
                messages.push(answers.shown(&bytes));
                if method.is_server_streaming() && has_told(method.name(), &messages, newest) {
                    return Ok((head, messages, None));
                }
            }
            Ok((head, messages, answers.stream.trailers().await?))
        };
        let told = tokio::time::timeout(PATIENCE, told).await;
        told.unwrap_or_else(|_| panic!("{} {request} tells no end", method.name()))
    }

    /// The newest event that a follower is told of what was there before; none for one who asks for what happens next.
    async fn newest_event(&self, followed: &Value) -> Option<Place> {
        followed.get("fromSequence")?;
        let (mut page, mut newest) = (followed.clone(), None);
        loop {
            // Boxed: it is called by what it calls.
            let read = Box::pin(self.made("ReadEvents", page.clone())).await;
            let Some(last) = read["events"].as_array().and_then(|events| events.last()) else {
                return newest;
            };
            newest = Some(place_of(last));
            page["fromSequence"] = read["nextSequence"].clone();
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

/// Record and place in it of an event.
type Place = (u64, u64);

fn place_of(event: &Value) -> Place {
    let number = |field: &str| match &event[field] {
        Value::String(text) => text.parse().unwrap(),
        number => number.as_u64().unwrap_or_default(),
    };
    (number("sequence"), number("index"))
}

/// Whether a stream has told what there was when it was opened: what it tells from then on comes at its own time.
fn has_told(name: &str, messages: &[Value], newest: Place) -> bool {
    let last = messages.last().unwrap();
    match name {
        "FollowEvents" => place_of(&last["event"]) >= newest,
        // At once, with one message.
        "FollowInvalidations" => true,
        "WatchInstances" => last.get("synced").is_some(),
        // Ends after the last question.
        "StreamAuthorizeSignedRequests" => false,
        name => panic!("say here when {name} has told what there was"),
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
    Answer::plain(code, text, sealed)
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

/// The AWS edge, for the holder of a key, over one connection for as long as the server keeps it.
pub(crate) struct Query {
    key: Credentials,
    host: String,
    stream: BufReader<TcpStream>,
    used: Instant,
}

impl Query {
    pub(crate) fn new(endpoint: &str, key: &Value) -> Self {
        let host = endpoint.trim_start_matches("http://").to_owned();
        let stream = Self::connected(&host);
        Self { key: credentials(key), host, stream, used: Instant::now() }
    }

    fn connected(host: &str) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        BufReader::new(stream)
    }

    pub(crate) fn call(&mut self, service: &str, form: &str) -> Answer {
        let place = (REGION, service);
        let signed = sign_form(&self.key, place, &self.host, form, Clock::System.now());
        let mut request = format!("POST / HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in signed {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("content-length: {}\r\n\r\n{form}", form.len());
        if self.used.elapsed() > IDLE {
            self.stream = Self::connected(&self.host);
        }
        self.used = Instant::now();
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
        Answer::plain(code, text, None)
    }
}
