//! Both edges as data, for tests that play every operation: accounts with one of everything (`estate`), operations as
//! lists of places for values (`operation`) with what each stands for (`references`), calls of either edge (`wire`),
//! and answers without what is drawn (`scrub`).

#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod estate;
pub(crate) mod operation;
pub(crate) mod references;
pub(crate) mod scrub;
pub(crate) mod wire;
