//! The first message of a call, which is what its signature covers: both ends read it before the rest.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use hyper::body::Frame;
use tonic::Status;
use tonic::body::Body;

/// A flag and four bytes of length.
const PREFIX_BYTES: usize = 5;

/// Reads a body up to the end of its first message, which has at most `bytes_max` bytes with its prefix.
/// Gives what was read, with the prefix, and the body as it was. A body without a message is read as empty.
///
/// # Errors
/// The body breaks off within the message, or the message is too long.
pub async fn first_message(body: Body, bytes_max: usize) -> Result<(Bytes, Body), Status> {
    let mut body = body;
    let mut read = BytesMut::new();
    let length = loop {
        let length = length_of(&read);
        if length.is_some_and(|length| read.len() >= length) {
            break length.unwrap_or_default();
        }
        if length.is_some_and(|length| length > bytes_max) {
            let rule = format!("a request has at most {bytes_max} bytes");
            return Err(Status::resource_exhausted(rule));
        }
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    read.extend_from_slice(data);
                }
            }
            Some(Err(status)) => return Err(status),
            None if read.is_empty() => break 0,
            None => return Err(Status::invalid_argument("the request message breaks off")),
        }
    };
    let read = read.freeze();
    let message = read.slice(..length);
    let first = stream::iter([Ok(Frame::data(read))]);
    Ok((message, Body::new(StreamBody::new(first.chain(BodyStream::new(body))))))
}

/// The bytes of the first message with its prefix, once the prefix is there.
fn length_of(read: &[u8]) -> Option<usize> {
    let [_, length @ ..] = read.first_chunk::<PREFIX_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    length.checked_add(PREFIX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: &[&'static [u8]]) -> Body {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, Status>(Frame::data(Bytes::from_static(piece))))
            .collect();
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    async fn read(pieces: &[&'static [u8]]) -> Result<(Bytes, Bytes), Status> {
        let (message, body) = first_message(body(pieces), 16).await?;
        Ok((message, body.collect().await?.to_bytes()))
    }

    /// Protects streams: what comes behind the first message is neither waited for nor lost, however the
    /// bytes are cut.
    #[tokio::test]
    async fn the_first_message_is_read_and_nothing_is_lost() {
        let whole: &[u8] = b"\0\0\0\0\x02ab\0\0\0\0\x01c";
        for pieces in [&[whole][..], &[&whole[..3], &whole[3..6], &whole[6..9], &whole[9..]]] {
            let (message, all) = read(pieces).await.unwrap();
            assert_eq!((&*message, &*all), (&whole[..7], whole));
        }
        assert_eq!(read(&[]).await.unwrap(), (Bytes::new(), Bytes::new()));
    }

    /// Protects the server's memory: a message that is announced too long is refused unread.
    #[tokio::test]
    async fn a_message_that_is_too_long_or_breaks_off_is_refused() {
        let long = read(&[b"\0\0\0\0\x0d"]).await.unwrap_err();
        assert_eq!(long.code(), tonic::Code::ResourceExhausted);
        let short = read(&[b"\0\0\0\0\x02a"]).await.unwrap_err();
        assert_eq!(short.code(), tonic::Code::InvalidArgument);
    }
}
