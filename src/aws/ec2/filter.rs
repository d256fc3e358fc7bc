//! Filters of Describe calls: the values of a filter are alternatives, filters add up. `*` stands for any
//! characters and `?` for one; a backslash takes the character after it as it is.
//! Source: Amazon EC2 API Reference, Filter; User Guide, Using_Filtering.

use crate::aws::fault::Fault;
use crate::aws::shape::Rule::{Items, Length};
use crate::aws::shape::request;

request! {
    /// A filter.
    Filter {
        name: String = "Name" [Length(1, 255)],
        values: Vec<String> = "Value" [Items(1, 200), Length(0, 255)],
    }
}

/// Filters of a request, at most.
pub(super) const FILTERS_MAX: usize = 50;

/// Keeps what passes all filters. `values` gives what a thing has under a filter's name, and none for a name
/// that is no filter.
pub(super) fn filtered<T>(
    things: impl IntoIterator<Item = T>,
    filters: &[Filter],
    values: impl Fn(&T, &str) -> Option<Vec<String>>,
) -> Result<Vec<T>, Fault> {
    let mut kept = Vec::new();
    for thing in things {
        let mut passes = true;
        for Filter { name, values: patterns } in filters {
            let held = values(&thing, name).ok_or_else(|| unknown(name))?;
            passes &= patterns.iter().any(|pattern| held.iter().any(|held| glob(pattern, held)));
        }
        if passes {
            kept.push(thing);
        }
    }
    Ok(kept)
}

/// There is no such filter.
pub(super) fn unknown(name: &str) -> Fault {
    let name: String = name.chars().take(128).collect();
    Fault::validation(format!("The filter '{name}' is invalid"))
}

/// Whether a pattern stands for a text. Linear but for the way back to the last `*`.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(from)) {
            (None, None) => return true,
            (Some(Token::Any), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(Token::One), Some(_)) => {
                at += 1;
                from += 1;
            }
            (Some(Token::Same(wanted)), Some(is)) if wanted == is => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((before, matched)) if matched < text.len() => {
                    star = Some((before, matched + 1));
                    at = before + 1;
                    from = matched + 1;
                }
                _ => return false,
            },
        }
    }
}

enum Token {
    Any,
    One,
    Same(char),
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut chars = pattern.chars();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Same(chars.next().unwrap_or('\\')),
            c => Token::Same(c),
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects clients: patterns mean what EC2 says they mean.
    #[test]
    fn patterns_stand_for_texts() {
        let matching = [
            ("", ""),
            ("*", ""),
            ("a*c", "abbc"),
            ("?b", "ab"),
            ("a\\*", "a*"),
            ("**a", "ba"),
            ("*a*b", "xaxbab"),
        ];
        for (pattern, text) in matching {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", ""), ("?", ""), ("a*c", "ab"), ("a\\*", "ab"), ("*a", "ab")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    /// Protects clients from filters that are not applied, silently.
    #[test]
    fn filters_add_up_and_unknown_ones_are_refused() {
        let filter = |name: &str, values: &[&str]| Filter {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let values = |thing: &&str, name: &str| (name == "name").then(|| vec![(*thing).to_owned()]);
        let things = ["ab", "ac", "bc"];
        let filters = [filter("name", &["a*", "x"]), filter("name", &["?c"])];
        assert_eq!(filtered(things, &filters, values).unwrap(), ["ac"]);
        let fault = filtered(things, &[filter("colour", &["red"])], values).unwrap_err();
        assert!(fault.body(crate::aws::api::Api::Ec2, false, "").contains("'colour' is invalid"));
    }
}
