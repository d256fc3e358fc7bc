//! GetAccessKeyLastUsed, and last uses as messages.

use tonic::Status;

use super::{Front, convert, field};
use crate::domain::event::KeyOwner;
use crate::domain::last_use::LastUse;
use crate::identity::{AccessKeyId, Arn, Path};
use crate::proto::v1;
use crate::proto::v1::{GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse};
use crate::sts::RequestInfo;

impl Front {
    pub(super) async fn iam_get_access_key_last_used(
        &self,
        info: &RequestInfo,
        request: GetAccessKeyLastUsedRequest,
    ) -> Result<GetAccessKeyLastUsedResponse, Status> {
        let key: AccessKeyId = field("access_key_id", &request.access_key_id)?;
        let own = self.own_account(info)?;
        let view = self.service.view();
        let held = view.state.key(&key).filter(|held| held.account.id == own.id);
        let owner = held.map(|held| held.owner);
        let resource = match &owner {
            Some(KeyOwner::User(name)) => {
                let path = own.user(name).map_or(Path::default(), |user| user.path.clone());
                Arn::user(own.id, &path, name)
            }
            _ => Arn::root(own.id),
        };
        let action = "iam:GetAccessKeyLastUsed";
        let (view, _) = self.read(info, request.min_sequence, action, resource.as_str()).await?;
        // Another account's key is not there for this caller.
        let owner = owner.ok_or_else(|| Status::not_found("the access key does not exist"))?;
        let user_name = match owner {
            KeyOwner::User(name) => name.to_string(),
            _ => String::new(),
        };
        let last_use = self.service.last_use(own.id, &key).as_ref().map(shown);
        Ok(GetAccessKeyLastUsedResponse { user_name, last_use, sequence: view.sequence })
    }
}

pub(super) fn shown(last: &LastUse) -> v1::LastUse {
    v1::LastUse {
        time: convert::time(last.time),
        service: last.service.to_string(),
        region: last.region.to_string(),
    }
}
