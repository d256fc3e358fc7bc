//! JSON with positions: policies are written by people, who are told the line and column of a mistake.
//! RFC 8259; refuses duplicate keys, which `serde_json` would let through, and deep or long input.

use std::collections::HashSet;
use std::ops::Range;

use super::error::ParseError;

/// Levels of nesting.
const DEPTH_MAX: usize = 32;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Position,
    /// The bytes of the text that hold it.
    pub(super) span: Range<usize>,
}

/// A place in the text, both counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The beginning of a text.
pub(super) const START: Position = Position { line: 1, column: 1 };

/// A JSON value. Numbers keep their text.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) node: Node,
}

/// Reads one value and nothing after it.
pub(super) fn read(text: &str) -> Result<Node, ParseError> {
    let mut reader =
        Reader { rest: text.chars().peekable(), at: START, offset: 0, path: Vec::new() };
    let node = reader.value(0)?;
    reader.skip_space();
    match reader.rest.peek() {
        None => Ok(node),
        Some(_) => Err(reader.error("nothing may follow the policy")),
    }
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    at: Position,
    offset: usize,
    path: Vec<String>,
}

impl Reader<'_> {
    fn error(&self, rule: &str) -> ParseError {
        ParseError::new(&path_text(&self.path), self.at, rule)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.offset += next.len_utf8();
        if next == '\n' {
            self.at = Position { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(next)
    }

    fn skip_space(&mut self) {
        while matches!(self.rest.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), ParseError> {
        if self.rest.peek() == Some(&wanted) {
            self.next();
            return Ok(());
        }
        Err(self.error(&format!("expected `{wanted}`")))
    }

    fn value(&mut self, depth: usize) -> Result<Node, ParseError> {
        self.skip_space();
        let (at, start) = (self.at, self.offset);
        if depth > DEPTH_MAX {
            return Err(self.error(&format!("is nested more than {DEPTH_MAX} levels deep")));
        }
        let value = match self.rest.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::Text(self.text()?),
            Some('-' | '0'..='9') => self.number()?,
            Some('a'..='z') => self.word()?,
            Some(_) => return Err(self.error("expected a JSON value")),
            None => return Err(self.error("the text ends too early")),
        };
        Ok(Node { value, at, span: start..self.offset })
    }

    fn object(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.expect('{')?;
        let mut members: Vec<Member> = Vec::new();
        let mut keys = HashSet::new();
        self.skip_space();
        if self.rest.peek() == Some(&'}') {
            self.next();
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let key_at = self.at;
            let key = self.text()?;
            if !keys.insert(key.clone()) {
                let rule = format!("`{key}` is given twice");
                return Err(ParseError::new(&path_text(&self.path), key_at, &rule));
            }
            self.skip_space();
            self.expect(':')?;
            self.path.push(format!(".{key}"));
            let node = self.value(depth + 1)?;
            self.path.pop();
            members.push(Member { key, key_at, node });
            self.skip_space();
            if self.rest.peek() == Some(&',') {
                self.next();
                continue;
            }
            self.expect('}')?;
            return Ok(Value::Object(members));
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.expect('[')?;
        let mut items = Vec::new();
        self.skip_space();
        if self.rest.peek() == Some(&']') {
            self.next();
            return Ok(Value::List(items));
        }
        loop {
            self.path.push(format!("[{}]", items.len()));
            items.push(self.value(depth + 1)?);
            self.path.pop();
            self.skip_space();
            if self.rest.peek() == Some(&',') {
                self.next();
                continue;
            }
            self.expect(']')?;
            return Ok(Value::List(items));
        }
    }

    fn text(&mut self) -> Result<String, ParseError> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(c) if u32::from(c) >= 0x20 => text.push(c),
                Some(_) => return Err(self.error("a string holds a bare control character")),
                None => return Err(self.error("a string is not closed")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        match self.next() {
            Some(c @ ('"' | '\\' | '/')) => Ok(c),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => self.unicode(),
            _ => Err(self.error("unknown escape in a string")),
        }
    }

    fn unicode(&mut self) -> Result<char, ParseError> {
        let high = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            if self.next() != Some('\\') || self.next() != Some('u') {
                return Err(self.error("half of a surrogate pair"));
            }
            let low = self.hex4()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.error("half of a surrogate pair"));
            }
            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.error("half of a surrogate pair"))
    }

    fn hex4(&mut self) -> Result<u32, ParseError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.next().and_then(|c| c.to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.error("expected four hex digits"))?;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let mut text = String::new();
        while let Some(c @ ('0'..='9' | '-' | '+' | '.' | 'e' | 'E')) = self.rest.peek() {
            text.push(*c);
            self.next();
        }
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && !digits.starts_with("0.")
            && !digits.starts_with("0e")
            && !digits.starts_with("0E");
        let mut after_points = digits.split('.').skip(1);
        let bare_point = digits.starts_with('.')
            || !after_points.all(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
        if !finite || leading_zero || bare_point {
            return Err(self.error("is no JSON number"));
        }
        Ok(Value::Number(text))
    }

    fn word(&mut self) -> Result<Value, ParseError> {
        let mut word = String::new();
        while let Some(c @ 'a'..='z') = self.rest.peek() {
            word.push(*c);
            self.next();
        }
        match word.as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            _ => Err(self.error("expected a JSON value")),
        }
    }
}

fn path_text(path: &[String]) -> String {
    format!("${}", path.concat())
}
