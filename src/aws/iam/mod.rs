//! The operations of IAM. Source: IAM API Reference.

mod access_keys;
mod roles;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::call::operations;

operations! {
    CreateRole => roles::create_role;
    GetRole => roles::get_role;
    ListRoles => roles::list_roles;
    UpdateAccessKey => access_keys::update_access_key;
}

/// A policy as answers hold it: percent-encoded as RFC 3986 says.
fn document(text: &str) -> String {
    const ESCAPED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ESCAPED).to_string()
}
