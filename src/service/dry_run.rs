//! What a request would come to, without doing it: the dry runs of EC2.

use std::sync::Arc;

use super::{RequestInfo, Service};
use crate::domain::command::{Action, Command};
use crate::domain::decide::decide;
use crate::domain::rejection::Rejection;
use crate::identity::AccountId;

impl Service {
    /// Decides `action` against the newest state and writes nothing.
    ///
    /// # Errors
    /// The action would be refused now.
    pub(super) fn dry_run(
        &self,
        info: &RequestInfo,
        account: AccountId,
        action: Action,
    ) -> Result<(), Rejection> {
        let command = Command {
            account,
            caller: info.caller.clone(),
            time: self.now(),
            request_id: info.request_id.clone(),
            trace_id: Arc::from(""),
            idempotency: None,
            action,
        };
        let view = self.view();
        let decided = decide(&view.state, &command);
        decided.map(|_| ()).map_err(|rejection| self.sealed(&view.state, rejection))
    }
}
