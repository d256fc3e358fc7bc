//! What tests of telemetry share.

pub(crate) mod collector;
pub(crate) mod dashboard;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// One HTTP request: the status, and the whole answer with its head in lower case.
pub(crate) fn http_request(
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &str,
) -> (u16, String) {
    let mut stream = TcpStream::connect(host).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, format!("{}\r\n\r\n{body}", head.to_ascii_lowercase()))
}
