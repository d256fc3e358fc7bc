//! An instance ready to be served: its pages by path, rendered once for each change. Pages with secrets are
//! wiped when they are dropped.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use zeroize::Zeroizing;

use super::token::LastToken;
use super::tree;
use super::usage::{Usage, UsageBook};
use crate::clock::Timestamp;
use crate::metrics;
use crate::proto::v1::{Instance, InstanceMetadata, MetadataOptions};

/// Every version under which the data stands.
const VERSIONS: [&str; 26] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "latest",
];

/// What there is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This. Never empty.
    Body(Bytes),
    /// Nothing.
    Missing,
    /// Credentials of the instance's role, which there are none of now.
    Unavailable,
}

/// A page.
pub(super) enum Page {
    /// The same at all times.
    Text(Bytes),
    /// Credentials of the role.
    Role(Box<RolePage>),
}

/// Credentials, in the form of one path, for either version of the protocol.
pub(super) struct RolePage {
    /// When the credentials end; none if there are none.
    pub(super) ends: Option<Timestamp>,
    pub(super) version_1: Bytes,
    pub(super) version_2: Bytes,
    /// What is answered without credentials that last: why there are none.
    pub(super) refusal: Option<Bytes>,
}

/// Pages in the order of their paths, without version and slashes around them: in a list, which takes half of the memory
/// of a hash table, as an agent keeps those of a thousand instances.
#[derive(Default)]
pub(super) struct ByPath(Vec<(Box<str>, Page)>);

impl ByPath {
    /// Puts a page there, in place of another.
    pub(super) fn insert(&mut self, path: &str, page: Page) {
        match self.place(path) {
            Ok(at) => {
                if let Some((_, old)) = self.0.get_mut(at) {
                    *old = page;
                }
            }
            Err(at) => self.0.insert(at, (Box::from(path), page)),
        }
    }

    /// The page that is there.
    pub(super) fn get(&self, path: &str) -> Option<&Page> {
        self.0.get(self.place(path).ok()?).map(|(_, page)| page)
    }

    /// Gives back the memory that is not needed.
    pub(super) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    fn place(&self, path: &str) -> Result<usize, usize> {
        self.0.binary_search_by_key(&path, |(at, _)| at)
    }
}

/// All pages of an instance.
#[derive(Default)]
pub(super) struct Pages {
    pub(super) by_path: ByPath,
    /// The container form of the credentials; none without a role.
    pub(super) container: Option<Box<RolePage>>,
}

/// See the module.
pub struct Prepared {
    id: Box<str>,
    address: Option<IpAddr>,
    options: MetadataOptions,
    usage: Arc<Usage>,
    last_token: LastToken,
    pages: Pages,
}

impl Prepared {
    /// Prepares an instance; its counters are those of `book`.
    #[must_use]
    pub fn new(metadata: &InstanceMetadata, book: &UsageBook) -> Arc<Self> {
        let none = Instance::default();
        let instance = metadata.instance.as_ref().unwrap_or(&none);
        // Whoever told of an instance without options is older than they are: what they were then.
        let options = instance.metadata_options.unwrap_or_else(|| MetadataOptions {
            http_tokens_optional: instance.http_tokens_optional,
            http_put_response_hop_limit: 1,
            ..MetadataOptions::default()
        });
        Arc::new(Self {
            id: Box::from(instance.instance_id.as_str()),
            address: instance.private_ip.parse().ok(),
            options,
            usage: book.of(&metadata.account_id, &instance.instance_id),
            last_token: LastToken::default(),
            pages: tree::pages(metadata, &options),
        })
    }

    /// The instance's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address by which it is known.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    pub(super) fn options(&self) -> &MetadataOptions {
        &self.options
    }

    pub(super) fn last_token(&self) -> &LastToken {
        &self.last_token
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// What there is at `path`, with its version, for a caller with or without a token.
    pub(crate) fn at(&self, path: &str, token: bool, now: Timestamp) -> Answer {
        let trimmed = path.trim_matches('/');
        if trimmed.is_empty() {
            return Answer::Body(Bytes::from(VERSIONS.join("\n")));
        }
        let (version, rest) = trimmed.split_once('/').unwrap_or((trimmed, ""));
        if version != "latest" && !VERSIONS.contains(&version) {
            return Answer::Missing;
        }
        let pages = &self.pages.by_path;
        let page = pages.get(rest).or_else(|| pages.get(&plain(rest.trim_start_matches('/'))));
        match page {
            None => Answer::Missing,
            Some(Page::Text(body)) => Answer::Body(body.clone()),
            Some(Page::Role(role)) => role.at(token, now),
        }
    }

    /// What the container form of the credentials is.
    pub(super) fn container(&self, now: Timestamp) -> Answer {
        let container = self.pages.container.as_ref();
        container.map_or(Answer::Missing, |role| role.at(true, now))
    }
}

impl RolePage {
    fn at(&self, token: bool, now: Timestamp) -> Answer {
        let body = if token { &self.version_2 } else { &self.version_1 };
        let lasts = self.ends.is_some_and(|ends| ends > now);
        // Version 1 was admitted after these were told: the next change brings them.
        let body = Some(body).filter(|body| lasts && !body.is_empty());
        if let (Some(_), Some(ends)) = (body, self.ends) {
            metrics::credentials().served(ends.since(now));
        }
        body.or(self.refusal.as_ref().filter(|_| !lasts))
            .map_or(Answer::Unavailable, |body| Answer::Body(body.clone()))
    }
}

/// A text with secrets in it as a page.
pub(super) fn secret(text: String) -> Bytes {
    // A text that grew as it was written may hold twice its length.
    let text = Zeroizing::new(text);
    Bytes::from_owner(Zeroizing::new(text.as_bytes().to_vec()))
}

/// A path with single slashes and nothing escaped.
fn plain(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    Cow::Owned(unescaped(&parts.join("/")))
}

/// RFC 3986, section 2.1; what is no escape stays as it is, and so leads nowhere.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digits = after.split_first_chunk::<2>().filter(|_| *first == b'%');
        let decoded = digits.and_then(|(digits, after)| {
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).ok()?;
            Some((byte, after))
        });
        match decoded {
            Some(([byte], after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
