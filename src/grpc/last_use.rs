//! Last uses as messages.

use super::convert;
use crate::domain::last_use::LastUse;
use crate::proto::v1;

pub(super) fn shown(last: &LastUse) -> v1::LastUse {
    v1::LastUse {
        time: convert::time(last.time),
        service: last.service.to_string(),
        region: last.region.to_string(),
    }
}
