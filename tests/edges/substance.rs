//! What an answer says, whichever edge it came over: its values by the names of their fields, which both forms share
//! but for spelling and for the few that the tables here rename.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::forms::{NAMES, PARTS, WORDS};

/// Values by the name of their field, sorted.
pub(crate) type Substance = BTreeMap<String, Vec<String>>;

/// An element of XML.
#[derive(Debug)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// The root of a document that this server wrote: without comments, CDATA and attributes that matter.
    pub(crate) fn parse(text: &str) -> Self {
        let mut open = vec![Self::new("")];
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            let top = open.last_mut().unwrap();
            top.text += &unescaped(&rest[..at]);
            let end = rest.find('>').unwrap();
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            let name = tag.split([' ', '/']).next().unwrap();
            if tag.starts_with('?') {
                continue;
            } else if tag.starts_with('/') {
                let done = open.pop().unwrap();
                open.last_mut().unwrap().children.push(done);
            } else if tag.ends_with('/') {
                top.children.push(Self::new(name));
            } else {
                open.push(Self::new(name));
            }
        }
        open.pop().unwrap().children.pop().unwrap()
    }

    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), text: String::new(), children: Vec::new() }
    }

    /// The text of the first element of this name, in depth.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        if self.name == name {
            return Some(&self.text);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    fn child(&self, names: [&str; 2]) -> Option<&str> {
        let found = self.children.iter().find(|child| names.contains(&child.name.as_str()));
        found.map(|child| child.text.as_str())
    }

    fn gather(&self, list: &str, gathering: &mut Gathering) {
        let of_pair = self.child(["Key", "key"]).zip(self.child(["Value", "value"]));
        // What a list holds has the name of the list.
        let in_list = ["member", "item"].contains(&self.name.as_str());
        let name = if in_list { list } else { &self.name };
        if let Some((key, value)) = of_pair {
            gathering.add("tags", &format!("{key}={value}"));
        } else if self.children.is_empty() {
            gathering.add(name, &self.text);
        } else if in_list {
            self.children.iter().for_each(|child| child.gather(name, gathering));
        } else {
            gathering.within(name, |gathering| {
                self.children.iter().for_each(|child| child.gather(name, gathering));
            });
        }
    }
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#xD;", "\r").replace("&apos;", "'").replace("&#39;", "'");
    text.replace("&amp;", "&")
}

/// What is gathered of an answer.
struct Gathering {
    operation: String,
    found: Substance,
}

impl Gathering {
    fn of(operation: &str) -> Self {
        Self { operation: operation.to_owned(), found: Substance::new() }
    }

    /// What stands within `name`: all of it, or what the table keeps.
    fn within(&mut self, name: &str, gather: impl FnOnce(&mut Self)) {
        let shortened = PARTS.iter().find(|part| {
            is_of(part.operation, &self.operation) && part.name.eq_ignore_ascii_case(name)
        });
        let Some(part) = shortened else { return gather(self) };
        let mut inner = Self::of(&self.operation);
        gather(&mut inner);
        for (field, name) in part.kept {
            if let Some(values) = inner.found.remove(*field) {
                self.found.entry((*name).to_owned()).or_default().extend(values);
            }
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let mut name: String = name.to_ascii_lowercase();
        name.retain(|c| c != '_');
        let word = WORDS.iter().find(|(field, text, ..)| *field == name && *text == value);
        let renamed = NAMES.iter().find(|(query, _)| *query == name).map(|(_, grpc)| *grpc);
        let (name, value) = match word {
            Some((.., grpc, text)) => (*grpc, *text),
            None => (renamed.unwrap_or(&name), value),
        };
        // A policy is percent-encoded in answers of IAM.
        let decoded = match value.starts_with("%7B") {
            true => percent_decode_str(value).decode_utf8().unwrap().into_owned(),
            false => value.to_owned(),
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let plain = match (name, decoded.strip_suffix('s'), decoded.strip_prefix('v')) {
            (_, Some(seconds), _) if is_number(seconds) => seconds,
            ("version", _, Some(number)) => number,
            ("url", ..) => decoded.trim_start_matches("https://"),
            _ => &decoded,
        };
        // What gRPC does not send.
        if !["", "0", "false"].contains(&plain) {
            self.found.entry(name.to_owned()).or_default().push(plain.to_owned());
        }
    }

    fn gather(&mut self, name: &str, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.gather(name, item)),
            Value::Object(pairs) if ["tags", "summary"].contains(&name) => {
                for (key, value) in pairs {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    self.add("tags", &format!("{key}={value}"));
                }
            }
            Value::Object(fields) => self.within(name, |inner| {
                fields.iter().for_each(|(name, value)| inner.gather(name, value));
            }),
            Value::String(text) => self.add(name, text),
            Value::Null => {}
            other => self.add(name, &other.to_string()),
        }
    }

    fn sorted(mut self) -> Substance {
        self.found.values_mut().for_each(|values| {
            values.sort_unstable();
        });
        self.found
    }
}

/// Whether a line of a table, for one operation or for all whose names begin so, is about this one.
pub(crate) fn is_of(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => operation.starts_with(begin),
        None => pattern == operation,
    }
}

/// Of a message of gRPC.
pub(crate) fn of_message(operation: &str, message: &Value) -> Substance {
    let mut gathering = Gathering::of(operation);
    gathering.gather("", message);
    gathering.sorted()
}

/// Of an answer of the Query protocol.
pub(crate) fn of_document(operation: &str, document: &Element) -> Substance {
    let mut gathering = Gathering::of(operation);
    document.gather("", &mut gathering);
    gathering.sorted()
}
