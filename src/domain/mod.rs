//! The domain: commands, events, the state they make, and the rules between them. Pure: time, randomness
//! and identity of the caller arrive in the command, so that every decision can be replayed.

pub mod access;
pub mod account_key;
mod apply;
pub mod command;
pub mod decide;
pub mod event;
#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod group_tests;
pub mod history;
pub mod last_use;
pub mod metadata;
#[cfg(test)]
mod metadata_tests;
#[cfg(test)]
mod policy_tests;
pub mod rejection;
pub mod revocation;
#[cfg(test)]
mod revocation_tests;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod tests;

pub mod usage;

pub use apply::Nonsense;
