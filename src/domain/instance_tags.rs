//! Tags of instances. EC2's rules are not IAM's: keys differ in case, and other characters are allowed.
//! Source: Amazon EC2 User Guide, Using_Tags, "Tag restrictions".

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rejection::Rejection;

/// Tags of an instance.
pub const TAGS_MAX: usize = 50;
/// The name of their quota.
pub const TAGS_QUOTA: &str = "TagsPerInstance";
/// Characters of a key and of a value.
const KEY_CHARS_MAX: usize = 127;
const VALUE_CHARS_MAX: usize = 255;

/// The tags of a request.
///
/// # Errors
/// A key or value is not legal, a key is given twice, or there are too many.
pub fn parse(pairs: &[(String, String)]) -> Result<BTreeMap<Arc<str>, Arc<str>>, Rejection> {
    let refuse = |rule: String| Err(Rejection::Validation(rule));
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return refuse(
                "Tag keys starting with 'aws:' are reserved for internal use".to_owned(),
            );
        }
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return refuse(format!("Tag keys must have 1 to {KEY_CHARS_MAX} characters."));
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return refuse(format!("Tag values must have at most {VALUE_CHARS_MAX} characters."));
        }
        if key.contains(char::is_control) || value.contains(char::is_control) {
            return refuse("Tags must be texts of one line.".to_owned());
        }
        if tags.insert(Arc::from(key.as_str()), Arc::from(value.as_str())).is_some() {
            return refuse(format!("Duplicate tag key '{key}' specified."));
        }
    }
    if tags.len() > TAGS_MAX {
        return Err(Rejection::LimitExceeded { quota: TAGS_QUOTA, max: TAGS_MAX });
    }
    Ok(tags)
}
