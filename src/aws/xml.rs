//! Answers as XML: one serde serializer for all result structs. Fields become elements, lists hold `member` or
//! `item` elements, maps hold `entry` elements, what is absent is left out.

use std::fmt::{self, Display, Write as _};

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

use crate::clock::Timestamp;

/// A point in time of an answer: ISO 8601 in XML, seconds since the epoch in JSON; whole seconds in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub(super) Timestamp);

/// By this name the serializer knows a time.
const TIME: &str = "$time";

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(TIME, &self.0.as_unix_seconds())
    }
}

/// A result that cannot be written; only a mistake in its struct leads here.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct XmlError(String);

impl ser::Error for XmlError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl From<fmt::Error> for XmlError {
    fn from(error: fmt::Error) -> Self {
        Self(error.to_string())
    }
}

/// Writes the fields of `result` to `out`; `item` is the name of a list's elements.
pub(super) fn write<T: Serialize>(
    result: &T,
    item: &'static str,
    out: &mut String,
) -> Result<(), XmlError> {
    result.serialize(Element { out, tag: None, item, time: false })
}

/// Writes text with what XML cannot hold replaced.
pub(super) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// An element to be written, or the inside of one that is open already.
struct Element<'a> {
    out: &'a mut String,
    tag: Option<&'a str>,
    item: &'static str,
    time: bool,
}

impl<'a> Element<'a> {
    fn open(&mut self) {
        if let Some(tag) = self.tag {
            self.out.push('<');
            self.out.push_str(tag);
            self.out.push('>');
        }
    }

    fn leaf(mut self, text: &str) {
        self.open();
        escape(text, self.out);
        close(self.out, self.tag);
    }

    fn inside(mut self) -> Inside<'a> {
        self.open();
        Inside { out: self.out, tag: self.tag, item: self.item }
    }
}

fn close(out: &mut String, tag: Option<&str>) {
    if let Some(tag) = tag {
        out.push_str("</");
        out.push_str(tag);
        out.push('>');
    }
}

fn unsupported(what: &str) -> XmlError {
    XmlError(format!("{what} have no form in the query protocol"))
}

macro_rules! leaves {
    ($($function:ident($type:ty);)*) => {
        $(fn $function(self, value: $type) -> Result<(), XmlError> {
            self.leaf(&value.to_string());
            Ok(())
        })*
    };
}

impl<'a> Serializer for Element<'a> {
    type Ok = ();
    type Error = XmlError;
    type SerializeSeq = Inside<'a>;
    type SerializeTuple = Impossible<(), XmlError>;
    type SerializeTupleStruct = Impossible<(), XmlError>;
    type SerializeTupleVariant = Impossible<(), XmlError>;
    type SerializeMap = Inside<'a>;
    type SerializeStruct = Inside<'a>;
    type SerializeStructVariant = Impossible<(), XmlError>;

    leaves! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
    }

    fn serialize_i64(self, value: i64) -> Result<(), XmlError> {
        if self.time {
            self.leaf(&Timestamp::from_unix_seconds(value).iso8601());
        } else {
            self.leaf(&value.to_string());
        }
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), XmlError> {
        self.leaf(value);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), XmlError> {
        Err(unsupported("bytes"))
    }

    fn serialize_none(self) -> Result<(), XmlError> {
        Ok(())
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), XmlError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), XmlError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), XmlError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), XmlError> {
        self.leaf(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), XmlError> {
        self.time = name == TIME;
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), XmlError> {
        Err(unsupported("variants"))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Inside<'a>, XmlError> {
        Ok(self.inside())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, XmlError> {
        Err(unsupported("tuples"))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, XmlError> {
        Err(unsupported("tuples"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, XmlError> {
        Err(unsupported("variants"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Inside<'a>, XmlError> {
        Ok(self.inside())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Inside<'a>, XmlError> {
        Ok(self.inside())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, XmlError> {
        Err(unsupported("variants"))
    }
}

/// An open element.
struct Inside<'a> {
    out: &'a mut String,
    tag: Option<&'a str>,
    item: &'static str,
}

impl Inside<'_> {
    fn element<'b>(&'b mut self, tag: &'b str) -> Element<'b> {
        Element { out: self.out, tag: Some(tag), item: self.item, time: false }
    }

    fn finish(self) -> Result<(), XmlError> {
        close(self.out, self.tag);
        Ok(())
    }
}

impl ser::SerializeSeq for Inside<'_> {
    type Ok = ();
    type Error = XmlError;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), XmlError> {
        let item = self.item;
        value.serialize(self.element(item))
    }

    fn end(self) -> Result<(), XmlError> {
        self.finish()
    }
}

impl ser::SerializeMap for Inside<'_> {
    type Ok = ();
    type Error = XmlError;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), XmlError> {
        self.out.write_str("<entry>")?;
        key.serialize(self.element("key"))
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), XmlError> {
        value.serialize(self.element("value"))?;
        Ok(self.out.write_str("</entry>")?)
    }

    fn end(self) -> Result<(), XmlError> {
        self.finish()
    }
}

impl ser::SerializeStruct for Inside<'_> {
    type Ok = ();
    type Error = XmlError;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), XmlError> {
        value.serialize(self.element(key))
    }

    fn end(self) -> Result<(), XmlError> {
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inner {
        key: &'static str,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Outer {
        text: &'static str,
        absent: Option<u32>,
        count: Option<u32>,
        since: Time,
        list: Vec<Inner>,
        empty: Vec<Inner>,
        map: BTreeMap<&'static str, u32>,
    }

    /// Protects clients' parsers, which know the protocol by heart.
    #[test]
    fn results_have_the_elements_of_the_protocol() {
        let outer = Outer {
            text: "<a & \"b\">\u{1}\r",
            absent: None,
            count: Some(3),
            since: Time(Timestamp::from_millis(1_573_306_481_999)),
            list: vec![Inner { key: "k" }],
            empty: Vec::new(),
            map: BTreeMap::from([("Users", 1)]),
        };
        let mut out = String::new();
        write(&outer, "member", &mut out).unwrap();
        assert_eq!(
            out,
            "<Text>&lt;a &amp; &quot;b&quot;&gt;\u{fffd}&#xD;</Text><Count>3</Count>\
             <Since>2019-11-09T13:34:41Z</Since>\
             <List><member><Key>k</Key></member></List><Empty></Empty>\
             <Map><entry><key>Users</key><value>1</value></entry></Map>"
        );
        let json = serde_json::to_value(&outer).unwrap();
        assert_eq!(json["Since"], 1_573_306_481);
    }
}
