//! How much text the records of all sessions together may hold.
//!
//! Owns the count. A record that gets no more of it still counts its messages; it must never hold
//! up a session.

use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes, for all who share it.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    taken: AtomicUsize,
}

impl Budget {
    /// Of so many bytes.
    pub const fn new(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    /// A share of it, of nothing yet.
    pub fn share(&'static self) -> Share {
        Share { of: self, bytes: 0 }
    }
}

/// What one record has of a budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    of: &'static Budget,
    bytes: usize,
}

impl Share {
    /// Takes so many bytes more; false = there are not as many left.
    pub fn take(&mut self, bytes: usize) -> bool {
        let before = self.of.taken.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.of.most {
            self.of.taken.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_has_another_has_not_until_it_is_given_back() {
        static ALL: Budget = Budget::new(100);
        let (mut one, mut other) = (ALL.share(), ALL.share());
        assert!(one.take(60) && one.take(10));
        assert!(!other.take(31));
        assert!(other.take(30) && !one.take(1));
        drop(one);
        assert!(!other.take(71) && other.take(70));
        drop(other);
        assert_eq!(ALL.taken.load(Ordering::Relaxed), 0);
    }
}
