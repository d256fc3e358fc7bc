//! The most that an account and its entities may hold. Source: IAM User Guide, reference_iam-quotas;
//! sizes of policies are in characters, and white space is not counted.

/// Users of an account.
pub const USERS_MAX: usize = 5_000;
/// Groups of an account.
pub const GROUPS_MAX: usize = 300;
/// Roles of an account.
pub const ROLES_MAX: usize = 1_000;
/// Managed policies of an account.
pub const POLICIES_MAX: usize = 1_500;
/// Instance profiles of an account.
pub const PROFILES_MAX: usize = 1_000;
/// Groups that a user may be in.
pub const GROUPS_PER_USER_MAX: usize = 10;
/// Long-term keys of a user or of the account's root.
pub const ACCESS_KEYS_PER_USER_MAX: usize = 2;
/// Managed policies attached to a user, role or group.
pub const ATTACHED_MAX: usize = 10;
/// Versions of a managed policy.
pub const VERSIONS_MAX: usize = 5;
/// Tags of an entity.
pub const TAGS_MAX: usize = 50;
/// All inline policies of a role together.
pub const INLINE_ROLE_CHARS_MAX: usize = 10_240;
/// All inline policies of a user together.
pub const INLINE_USER_CHARS_MAX: usize = 2_048;
/// All inline policies of a group together.
pub const INLINE_GROUP_CHARS_MAX: usize = 5_120;
