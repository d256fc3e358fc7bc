//! The domain: commands, events, the state they make, and the rules between them. Pure: time, randomness
//! and identity of the caller arrive in the command, so that every decision can be replayed.

pub mod access;
pub mod account_key;
pub mod addresses;
mod apply;
pub mod aws_policies;
pub mod command;
pub mod constraint;
pub mod decide;
pub mod documents;
pub mod entity;
#[cfg(test)]
mod entity_tests;
pub mod event;
pub mod fleet;
#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod group_tests;
pub mod history;
mod instance;
pub mod instance_tags;
pub mod inventory;
pub mod last_use;
pub mod metadata;
#[cfg(test)]
mod metadata_tests;
pub mod mfa;
#[cfg(test)]
mod mfa_tests;
pub mod oidc;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod quota_tests;
pub mod quotas;
pub mod rejection;
pub mod revocation;
#[cfg(test)]
mod revocation_tests;
pub mod rotation;
#[cfg(test)]
mod rotation_tests;
pub mod session;
mod session_limits;
#[cfg(test)]
mod session_tests;
pub mod state;
pub mod tags;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod tests;
pub mod trust;
#[cfg(test)]
mod trust_tests;
pub mod usage;

pub use apply::Nonsense;
