//! What this process allocated, as far as somebody told us.

use crate::facts::Owner;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What the registry knows of an address.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// It lies in memory that is alive.
    Live(Owner),
    /// It lies in memory that was freed.
    Dead(Owner),
}

/// A map of live allocations and registrations, and of the dead.
#[derive(Debug, Default)]
pub struct Registry {
    map: Mutex<BTreeMap<u64, Entry>>,
}

impl Registry {
    /// What is known of an address.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<Entry> {
        let map = self.map.lock().ok()?;
        let (_, entry) = map.range(..=address).next_back()?;
        let (Entry::Live(owner) | Entry::Dead(owner)) = entry;
        owner.range?.contains(address).then(|| entry.clone())
    }

    /// The first live allocation that begins after an address.
    #[must_use]
    pub fn next_after(&self, address: u64) -> Option<Owner> {
        let map = self.map.lock().ok()?;
        let (_, entry) = map.range(address.checked_add(1)?..).next()?;
        let (Entry::Live(owner) | Entry::Dead(owner)) = entry;
        Some(owner.clone())
    }

    /// The last live allocation that ends at or before an address.
    #[must_use]
    pub fn last_before(&self, address: u64) -> Option<Owner> {
        let map = self.map.lock().ok()?;
        let (_, entry) = map.range(..address).next_back()?;
        let (Entry::Live(owner) | Entry::Dead(owner)) = entry;
        Some(owner.clone())
    }
}
