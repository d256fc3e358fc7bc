//! Which statements of a policy a request has to look at: those on its service, and those on any.

use super::parse::Statement;

/// Places of statements by the service of their actions.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceIndex {
    /// Sorted by service, which is in lower case.
    by_service: Box<[(Box<str>, Vec<usize>)]>,
    /// Statements with a wildcard for the service, with several services, or with `NotAction`.
    any: Box<[usize]>,
}

impl ServiceIndex {
    pub(super) fn new(statements: &[Statement]) -> Self {
        let mut by_service = std::collections::BTreeMap::<Box<str>, Vec<usize>>::new();
        let mut any = Vec::new();
        for (index, statement) in statements.iter().enumerate() {
            match &statement.service {
                Some(service) => by_service.entry(service.clone()).or_default().push(index),
                None => any.push(index),
            }
        }
        Self { by_service: by_service.into_iter().collect(), any: any.into_boxed_slice() }
    }

    /// The places to look at for a service, in lower case.
    pub(super) fn candidates(&self, service: &str) -> impl Iterator<Item = usize> {
        let found = self.by_service.binary_search_by(|(other, _)| (**other).cmp(service));
        let own = found.ok().and_then(|index| self.by_service.get(index));
        let own = own.map(|(_, places)| places.as_slice()).unwrap_or_default();
        own.iter().chain(&self.any).copied()
    }
}
