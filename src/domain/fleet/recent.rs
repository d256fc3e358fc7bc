//! Values that many instances have in common, held once.

use std::sync::Arc;

use imbl::Vector;

/// Values that are looked through for an equal one. An account with more kinds of instances at a time pays memory.
const RECENT_MAX: usize = 16;

/// The values used last, the newest in front.
#[derive(Clone, Debug)]
pub(super) struct Recent<T>(Vector<Arc<T>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Vector::new())
    }
}

/// What is remembered decides on memory alone.
impl<T> PartialEq for Recent<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T: PartialEq + Clone> Recent<T> {
    /// A shared value that is equal to `value`.
    pub(super) fn share(&mut self, value: &T) -> Arc<T> {
        self.known(value).unwrap_or_else(|| self.remember(Arc::new(value.clone())))
    }

    /// As `share`, for a value that is shared already.
    pub(super) fn keep(&mut self, value: &Arc<T>) -> Arc<T> {
        match self.0.front() {
            Some(newest) if Arc::ptr_eq(newest, value) => value.clone(),
            _ => self.known(value).unwrap_or_else(|| self.remember(value.clone())),
        }
    }

    fn known(&mut self, value: &T) -> Option<Arc<T>> {
        let at = self.0.iter().position(|known| **known == *value)?;
        if at > 0 {
            let known = self.0.remove(at);
            self.0.push_front(known);
        }
        self.0.front().cloned()
    }

    fn remember(&mut self, value: Arc<T>) -> Arc<T> {
        self.0.push_front(value.clone());
        self.0.truncate(RECENT_MAX);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects memory: equal values are one, and no more are remembered than the bound.
    #[test]
    fn equal_values_are_shared() {
        let mut recent = Recent::default();
        let first = recent.share(&1);
        recent.share(&2);
        assert!(Arc::ptr_eq(&first, &recent.share(&1)));
        for value in 0..100 {
            recent.share(&value);
        }
        assert_eq!(recent.0.len(), RECENT_MAX);
        assert!(!Arc::ptr_eq(&first, &recent.share(&1)));
    }
}
