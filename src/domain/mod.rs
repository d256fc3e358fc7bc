//! The domain: commands, events, the state they make, and the rules between them. Pure: time, randomness
//! and identity of the caller arrive in the command, so that every decision can be replayed.

pub mod access;
mod apply;
pub mod command;
pub mod decide;
pub mod event;
#[cfg(test)]
mod group_tests;
pub mod history;
#[cfg(test)]
mod policy_tests;
pub mod rejection;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod tests;

pub use apply::Nonsense;
