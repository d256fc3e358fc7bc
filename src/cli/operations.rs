//! `locum operations`: what the AWS edge answers, with the parameters that are read and those that are not.

use serde_json::json;

use super::{Failure, say};
use crate::aws;

/// Runs `locum operations`.
pub(super) fn run() -> Result<(), Failure> {
    let told = json!({ "operations": aws::operations(), "unread": aws::UNREAD });
    Ok(say(serde_json::to_string_pretty(&told)?)?)
}
