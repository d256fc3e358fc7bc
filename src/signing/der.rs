//! As much DER as a certificate and a signed message need (ITU-T X.690).

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BOOLEAN: u8 = 0x01;
/// `[0] EXPLICIT`, or `IMPLICIT` where what it stands for is constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[3] EXPLICIT`
pub(super) const CONTEXT_3: u8 = 0xa3;

/// A value: its tag, the length of its parts together, and the parts.
pub(super) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
            let significant = bytes.get(skipped..).unwrap_or_default();
            // At most eight bytes.
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            out.extend_from_slice(significant);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects verifiers: lengths are in the one form that DER allows.
    #[test]
    fn lengths_are_shortest() {
        assert_eq!(value(OCTET_STRING, &[b"ab", b"c"]), [4, 3, b'a', b'b', b'c']);
        assert_eq!(value(SEQUENCE, &[&[0; 127]])[..2], [0x30, 0x7f]);
        assert_eq!(value(SEQUENCE, &[&[0; 128]])[..3], [0x30, 0x81, 0x80]);
        assert_eq!(value(SEQUENCE, &[&[0; 256]])[..4], [0x30, 0x82, 1, 0]);
    }
}
