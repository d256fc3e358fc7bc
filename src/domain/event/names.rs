//! The names of kinds of events, which filters and followers know them by.

use super::EventKind;

impl EventKind {
    /// The kind's name, as the Events service and filters spell it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AccountCreated { .. } => "AccountCreated",
            Self::AccountDisabled => "AccountDisabled",
            Self::AccountEnabled => "AccountEnabled",
            Self::AccountDeleted => "AccountDeleted",
            Self::AccountKeyRewrapped { .. } => "AccountKeyRewrapped",
            Self::KeyringRotated { .. } => "KeyringRotated",
            Self::KeyringVersionRetired { .. } => "KeyringVersionRetired",
            Self::UserCreated { .. } => "UserCreated",
            Self::UserDeleted { .. } => "UserDeleted",
            Self::GroupCreated { .. } => "GroupCreated",
            Self::GroupDeleted { .. } => "GroupDeleted",
            Self::UserAddedToGroup { .. } => "UserAddedToGroup",
            Self::UserRemovedFromGroup { .. } => "UserRemovedFromGroup",
            Self::AccessKeyCreated { .. } => "AccessKeyCreated",
            Self::AccessKeyStatusChanged { .. } => "AccessKeyStatusChanged",
            Self::AccessKeyDeleted { .. } => "AccessKeyDeleted",
            Self::RoleCreated { .. } => "RoleCreated",
            Self::RoleUpdated { .. } => "RoleUpdated",
            Self::TrustPolicyChanged { .. } => "TrustPolicyChanged",
            Self::RoleDeleted { .. } => "RoleDeleted",
            Self::InlinePolicyPut { .. } => "InlinePolicyPut",
            Self::InlinePolicyDeleted { .. } => "InlinePolicyDeleted",
            Self::PolicyCreated { .. } => "PolicyCreated",
            Self::PolicyVersionCreated { .. } => "PolicyVersionCreated",
            Self::PolicyDeleted { .. } => "PolicyDeleted",
            Self::PolicyAttached { .. } => "PolicyAttached",
            Self::PolicyDetached { .. } => "PolicyDetached",
            Self::BoundaryPut { .. } => "BoundaryPut",
            Self::BoundaryDeleted { .. } => "BoundaryDeleted",
            Self::ProfileCreated { .. } => "ProfileCreated",
            Self::ProfileDeleted { .. } => "ProfileDeleted",
            Self::ProfileRoleAdded { .. } => "ProfileRoleAdded",
            Self::ProfileRoleRemoved { .. } => "ProfileRoleRemoved",
            Self::AgentCreated { .. } => "AgentCreated",
            Self::AgentDeleted { .. } => "AgentDeleted",
            Self::InstanceLaunched { .. } => "InstanceLaunched",
            Self::InstanceTerminated { .. } => "InstanceTerminated",
            Self::MetadataOptionsChanged { .. } => "MetadataOptionsChanged",
            Self::MetadataUsed { .. } => "MetadataUsed",
            Self::ProfileAssociated { .. } => "ProfileAssociated",
            Self::ProfileDisassociated { .. } => "ProfileDisassociated",
            Self::CredentialsRotated { .. } => "CredentialsRotated",
            Self::CredentialsRefused { .. } => "CredentialsRefused",
            Self::SessionIssued { .. } => "SessionIssued",
            Self::DocumentKeyCreated { .. } => "DocumentKeyCreated",
            Self::SessionsRevoked { .. } => "SessionsRevoked",
            Self::CredentialsUsed { .. } => "CredentialsUsed",
            Self::Entity(event) => event.name(),
            Self::Mfa(event) => event.name(),
            Self::Oidc(event) => event.name(),
            Self::GuardrailPut { .. } => "GuardrailPut",
            Self::GuardrailDeleted { .. } => "GuardrailDeleted",
        }
    }
}
