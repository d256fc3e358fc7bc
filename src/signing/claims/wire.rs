//! The few words of protobuf that claims are made of, written into and read from one buffer: a token is
//! opened for every request of a stranger, and a struct of owned texts between its bytes and the claims would
//! cost more than the cryptography. Fields are written in the order of their numbers, as protobuf's own
//! libraries write them, so that either reads what the other wrote (there is a test).
//! Source: protobuf.dev, Encoding.

/// Bits of a varint's last byte: 10 bytes of seven bits hold any 64.
const VARINT_BYTES_MAX: usize = 10;
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED_32: u64 = 5;

/// Appends fields.
pub(in crate::signing) struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    pub(in crate::signing) fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    /// How many bytes there are.
    pub(in crate::signing) fn len(&self) -> usize {
        self.0.len()
    }

    fn raw(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    /// A number, also if it is zero.
    pub(in crate::signing) fn number(&mut self, tag: u64, value: u64) {
        self.raw(tag << 3 | VARINT);
        self.raw(value);
    }

    /// A number, unless it is zero, which is what a reader takes for one that is not there.
    pub(in crate::signing) fn number_if(&mut self, tag: u64, value: u64) {
        if value != 0 {
            self.number(tag, value);
        }
    }

    /// A signed number, as the unsigned one of the same bits.
    pub(in crate::signing) fn signed(&mut self, tag: u64, value: i64) {
        self.number(tag, value.cast_unsigned());
    }

    /// Bytes or a text, also if they are empty.
    pub(in crate::signing) fn bytes(&mut self, tag: u64, bytes: &[u8]) {
        self.raw(tag << 3 | LENGTH);
        self.raw(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(bytes);
    }

    /// Bytes or a text, unless they are empty, which is what a reader takes for one that is not there.
    pub(in crate::signing) fn bytes_if(&mut self, tag: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes(tag, bytes);
        }
    }

    /// What `write` writes, as one field: a message, or bytes that are made in place.
    pub(in crate::signing) fn nested(&mut self, tag: u64, write: impl FnOnce(&mut Self)) {
        self.raw(tag << 3 | LENGTH);
        let start = self.0.len();
        // Room for a length of one byte, which most have.
        self.0.push(0);
        write(self);
        let length = self.0.len().saturating_sub(start).saturating_sub(1);
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => {
                if let Some(place) = self.0.get_mut(start) {
                    *place = short;
                }
            }
            _ => {
                let mut long = Vec::with_capacity(VARINT_BYTES_MAX);
                Writer(&mut long).raw(u64::try_from(length).unwrap_or(u64::MAX));
                self.0.splice(start..=start, long);
            }
        }
    }

    /// The buffer, to append bytes of a nested field to.
    pub(in crate::signing) fn out(&mut self) -> &mut Vec<u8> {
        self.0
    }
}

/// A field's value.
#[derive(Clone, Copy)]
pub(in crate::signing) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(in crate::signing) fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Bytes(_) => None,
        }
    }

    pub(in crate::signing) fn signed(self) -> Option<i64> {
        self.number().map(u64::cast_signed)
    }

    pub(in crate::signing) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }

    pub(in crate::signing) fn text(self) -> Option<&'a str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

/// Calls `field` with the number and value of every field, those of unknown kinds left out.
///
/// None if the bytes are no fields, or `field` cannot read one.
pub(in crate::signing) fn read<'a>(
    mut bytes: &'a [u8],
    mut field: impl FnMut(u64, Value<'a>) -> Option<()>,
) -> Option<()> {
    while !bytes.is_empty() {
        let (key, rest) = varint(bytes)?;
        let (value, rest) = match key & 7 {
            VARINT => {
                let (number, rest) = varint(rest)?;
                (Some(Value::Number(number)), rest)
            }
            LENGTH => {
                let (length, rest) = varint(rest)?;
                let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(Value::Bytes(bytes)), rest)
            }
            FIXED_64 => (None, rest.get(8..)?),
            FIXED_32 => (None, rest.get(4..)?),
            _ => return None,
        };
        if let Some(value) = value {
            field(key >> 3, value)?;
        }
        bytes = rest;
    }
    Some(())
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    if let [byte @ ..0x80, rest @ ..] = bytes {
        return Some((u64::from(*byte), rest));
    }
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(VARINT_BYTES_MAX) {
        let bits = u64::from(byte & 0x7f);
        let shift = u32::try_from(at).ok()?.checked_mul(7)?;
        // The tenth byte holds one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits.checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at.checked_add(1)?..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Inner {
        #[prost(bytes = "vec", tag = "1")]
        bytes: Vec<u8>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Outer {
        #[prost(int64, tag = "1")]
        signed: i64,
        #[prost(uint64, optional, tag = "2")]
        number: Option<u64>,
        #[prost(message, optional, tag = "20")]
        inner: Option<Inner>,
        #[prost(fixed64, tag = "21")]
        unknown: u64,
        #[prost(fixed32, tag = "22")]
        unknown_too: u32,
    }

    proptest! {
        /// Protects tokens that nodes of other versions made: the bytes are those of protobuf, both ways,
        /// whatever the lengths.
        #[test]
        fn the_bytes_are_those_of_protobuf(signed: i64, number: Option<u64>, length in 0..300_usize) {
            let inner = Inner { bytes: vec![7; length] };
            let outer = Outer { signed, number, inner: Some(inner), ..Outer::default() };
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes);
            writer.number_if(1, signed.cast_unsigned());
            if let Some(number) = number {
                writer.number(2, number);
            }
            writer.nested(20, |inner| inner.bytes_if(1, &vec![7; length]));
            prop_assert_eq!(&bytes, &outer.encode_to_vec());

            let more = Outer { unknown: 1, unknown_too: 2, ..outer.clone() }.encode_to_vec();
            let mut found = Outer::default();
            let read = read(&more, |tag, value| {
                match tag {
                    1 => found.signed = value.signed()?,
                    2 => found.number = Some(value.number()?),
                    _ => {
                        let mut inner = Inner::default();
                        read(value.bytes()?, |_, value| {
                            inner.bytes = value.bytes()?.to_vec();
                            Some(())
                        })?;
                        found.inner = Some(inner);
                    }
                }
                Some(())
            });
            prop_assert_eq!((read, found), (Some(()), outer));
        }

        /// Protects opening: no bytes make the reader panic, and it reads what protobuf reads.
        #[test]
        fn what_is_cut_off_is_not_read(bytes in any::<Vec<u8>>(), keep in 0..40_usize) {
            let _ = read(&bytes, |_, _| Some(()));
            let outer = Outer { signed: -1, number: Some(u64::MAX), ..Outer::default() };
            let whole = outer.encode_to_vec();
            let cut = &whole[..keep.min(whole.len())];
            let fields = read(cut, |_, _| Some(()));
            prop_assert_eq!(fields.is_some(), Outer::decode(cut).is_ok());
        }
    }
}
