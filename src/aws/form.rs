//! Parameters of a request, from `a=1&b.member.1.c=2` to a tree. Bounded before anything is kept; what stands
//! twice is refused, for which of the two was meant is not for us to guess.

use std::collections::BTreeMap;

/// Parameters of a request.
const PARAMETERS_MAX: usize = 4096;
/// Bytes of a parameter's name.
const NAME_BYTES_MAX: usize = 256;
/// Parts of a parameter's name: `a.member.1.b.member.1.c` has seven.
const DEPTH_MAX: usize = 12;

/// Why a text is no list of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// More than any client sends.
    #[error("a request has at most {PARAMETERS_MAX} parameters")]
    TooMany,
    /// A name that is too long or has too many parts.
    #[error(
        "a parameter's name has at most {NAME_BYTES_MAX} bytes and {DEPTH_MAX} parts, none of them empty"
    )]
    Name,
    /// An escape that is none, or bytes that are no UTF-8.
    #[error("the parameters are not percent-encoded UTF-8")]
    Encoding,
    /// A parameter that is there twice.
    #[error("a parameter is given twice")]
    Twice,
}

/// Reads `text`, a query or a form, into `parameters`. A `+` is a space.
pub(super) fn decode(
    text: &str,
    parameters: &mut BTreeMap<String, String>,
) -> Result<(), FormError> {
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if parameters.len() == PARAMETERS_MAX {
            return Err(FormError::TooMany);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = unescape(name)?;
        if name.len() > NAME_BYTES_MAX {
            return Err(FormError::Name);
        }
        if parameters.insert(name, unescape(value)?).is_some() {
            return Err(FormError::Twice);
        }
    }
    Ok(())
}

fn unescape(text: &str) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit(), digit());
                let value = high.zip(low).map(|(high, low)| high * 16 + low);
                let byte = value.and_then(|value| u8::try_from(value).ok());
                byte.ok_or(FormError::Encoding)?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::Encoding)
}

/// A parameter with those under it.
#[derive(Debug, Default)]
pub(super) struct Node {
    text: Option<String>,
    fields: BTreeMap<Box<str>, Self>,
}

impl Node {
    /// The tree of `parameters`.
    pub(super) fn tree(parameters: BTreeMap<String, String>) -> Result<Self, FormError> {
        let mut root = Self::default();
        for (name, text) in parameters {
            let mut node = &mut root;
            for (depth, part) in name.split('.').enumerate() {
                if part.is_empty() || depth == DEPTH_MAX {
                    return Err(FormError::Name);
                }
                node = node.fields.entry(Box::from(part)).or_default();
            }
            node.text = Some(text);
        }
        Ok(root)
    }

    /// The parameter's own value.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The parameter under this one.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        self.fields.get(name)
    }

    /// The names of the parameters under this one.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(AsRef::as_ref)
    }

    /// The entries of a list by their numbers, which may have gaps: `.member.N` of the query protocol, plain
    /// `.N` of EC2. None if there is something else among them.
    pub(super) fn items(&self) -> Option<Vec<(usize, &Self)>> {
        let entries = match self.fields.get("member") {
            Some(member) if self.fields.len() == 1 => member,
            Some(_) => return None,
            None => self,
        };
        let numbered = entries.fields.iter().map(|(number, node)| {
            let plain = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse::<usize>().ok().filter(|number| plain && *number > 0)?;
            Some((number, node))
        });
        let mut items: Vec<_> = numbered.collect::<Option<_>>()?;
        items.sort_by_key(|(number, _)| *number);
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Result<Node, FormError> {
        let mut parameters = BTreeMap::new();
        decode(text, &mut parameters)?;
        Node::tree(parameters)
    }

    /// Protects the meaning of a request: what could be read in two ways is not read at all.
    #[test]
    fn ambiguous_and_broken_forms_are_refused() {
        let twice = ["a=1&a=2", "a=1&%61=2"];
        for text in twice {
            assert_eq!(tree(text).unwrap_err(), FormError::Twice, "{text}");
        }
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", "%+1=a"] {
            assert_eq!(tree(text).unwrap_err(), FormError::Encoding, "{text}");
        }
        let deep = "a.".repeat(DEPTH_MAX) + "a=1";
        let long = "a".repeat(NAME_BYTES_MAX + 1) + "=1";
        for text in ["a..b=1", ".=1", "=1", &deep, &long] {
            assert_eq!(tree(text).unwrap_err(), FormError::Name, "{text}");
        }
        let many: String = (0..=PARAMETERS_MAX).map(|n| format!("a{n}=&")).collect();
        assert_eq!(tree(&many).unwrap_err(), FormError::TooMany);
    }

    /// Protects clients: lists of either protocol, in the order of their numbers, gaps or not.
    #[test]
    fn lists_are_read_in_the_order_of_their_numbers() {
        let root = tree("a.member.10=x&a.member.9.b=%20+y&c.2=z&d.member.0=&e.x=1&f=").unwrap();
        let items = root.field("a").unwrap().items().unwrap();
        assert_eq!(items.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [9, 10]);
        assert_eq!(items[0].1.field("b").unwrap().text(), Some("  y"));
        assert_eq!(root.field("c").unwrap().items().unwrap()[0].0, 2);
        assert!(root.field("d").unwrap().items().is_none(), "numbers begin with 1");
        assert!(root.field("e").unwrap().items().is_none(), "a field is no list");
        assert!(root.field("f").unwrap().items().unwrap().is_empty());
    }
}
