//! Which streams are alive.

use std::collections::{HashMap, VecDeque};

/// How many destroyed streams are remembered.
const MOST_DEAD: usize = 1024;

/// Handles of streams that were seen, and whether they are alive.
#[derive(Debug, Default)]
pub(super) struct Streams {
    known: HashMap<u64, bool>,
    dead: VecDeque<u64>,
}

impl Streams {
    pub(super) fn created(&mut self, handle: u64) {
        self.known.insert(handle, true);
    }

    pub(super) fn destroyed(&mut self, handle: u64) {
        self.known.insert(handle, false);
        self.dead.push_back(handle);
        while self.dead.len() > MOST_DEAD {
            let Some(oldest) = self.dead.pop_front() else {
                return;
            };
            // A handle that was used again is alive and stays.
            if self.known.get(&oldest) == Some(&false) && !self.dead.contains(&oldest) {
                self.known.remove(&oldest);
            }
        }
    }

    pub(super) fn alive(&self, handle: u64) -> Option<bool> {
        self.known.get(&handle).copied()
    }
}
