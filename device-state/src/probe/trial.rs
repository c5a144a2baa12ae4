//! Every trial, and how a list of them is made.

use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, Step, Stop};
use super::{device, host, managed, place};
use crate::absent::Reason;

/// A capability that can be tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// The capability's key.
    pub key: &'static str,
    /// What is done, in short.
    pub what: &'static str,
    run: fn(&mut Attempt) -> Step<bool>,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The capability's key.
    pub key: String,
    /// Whether it works, if that could be found out.
    pub works: Option<bool>,
    /// Why it could not be found out.
    pub reason: Option<Reason>,
    /// The call that decided, and its answer.
    pub evidence: String,
}

macro_rules! trials {
    ($($key:literal, $what:literal, $run:expr;)*) => {
        /// Every trial. Those after which a context may be lost come last.
        pub const TRIALS: &[Trial] = &[$(Trial { key: $key, what: $what, run: $run },)*];
    };
}

trials! {
    "unified_addressing", "copying there and back by addresses alone", device::unified_addressing;
    "map_host", "reading and writing pinned memory from the device", host::map_host;
    "host_native_atomics", "adding from host and device at the same time", host::host_native_atomics;
    "host_register", "registering a page", host::host_register;
    "host_register_read_only", "registering a page that cannot be written", host::host_register_read_only;
    "registered_pointer_same", "using a registered page by the host's address on the device",
        host::registered_pointer_same;
    "managed", "reading and writing managed memory on both sides", managed::managed;
    "concurrent_managed", "touching managed memory while the device works", managed::concurrent_managed;
    "pools", "allocating from the default pool, filling and freeing in stream order", device::pools;
    "host_pools", "allocating from a pool on the host, and using that on both sides", place::host_pools;
    "host_numa_pools", "allocating from a pool on a NUMA node of the host, and using that on both sides", place::host_numa_pools;
    "virtual_memory", "reserving, creating, mapping and writing virtual memory", place::virtual_memory;
    "host_virtual_memory", "creating and mapping memory on the host, and using that on both sides", place::host_virtual_memory;
    "host_numa_virtual_memory", "creating and mapping memory on a NUMA node of the host, and using that on both sides", place::host_numa_virtual_memory;
    "dma_buf", "exporting device memory to a file descriptor", device::dma_buf;
    "pageable", "reading and writing plain memory from the device", host::pageable;
}

/// The capabilities that are not tried, each with the reason.
pub const UNTRIED: &[(&str, &str)] = &[
    (
        "direct_managed_from_host",
        "no call tells where a page lies, so nobody sees whether it moved",
    ),
    (
        "pageable_host_page_tables",
        "a program cannot see whether hardware or the driver translates its addresses",
    ),
    (
        "gpu_direct_rdma",
        "it takes a network card that reads device memory",
    ),
    (
        "multicast",
        "it would set up NVLink switches that other programs of this machine may be using",
    ),
    (
        "integrated",
        "it says how the machine is built, and there is nothing to try",
    ),
];

/// Makes the trials of these keys on one device, in this process.
///
/// A trial may leave the context unusable. Then the list ends with it: what is missing is to be tried in
/// another process.
pub fn run(ordinal: u32, keys: &[String]) -> Vec<Tried> {
    let wanted: Vec<&Trial> = TRIALS
        .iter()
        .filter(|trial| keys.iter().any(|key| key == trial.key))
        .collect();
    let mut attempt = match Attempt::begin(ordinal) {
        Ok(attempt) => attempt,
        Err(evidence) => {
            let reason = Some(Reason::Failed(evidence.clone()));
            return wanted
                .iter()
                .map(|trial| trial.came_to(None, reason.clone(), &evidence))
                .collect();
        }
    };
    let mut all = Vec::new();
    for trial in wanted {
        all.push(trial.make(&mut attempt));
        if !attempt.is_well() {
            break;
        }
    }
    all
}

impl Trial {
    fn make(&self, attempt: &mut Attempt) -> Tried {
        attempt.last = String::new();
        attempt.remark = None;
        match (self.run)(attempt) {
            Ok(true) => {
                let remark = attempt.remark.as_ref();
                let remark = remark.map_or_else(String::new, |remark| format!(" ({remark})"));
                self.came_to(Some(true), None, &format!("{}: works{remark}", self.what))
            }
            Ok(false) | Err(Stop::Refused) => self.came_to(Some(false), None, &attempt.last),
            Err(Stop::Unrelated(reason)) => self.came_to(None, Some(reason), &attempt.last),
        }
    }

    fn came_to(&self, works: Option<bool>, reason: Option<Reason>, evidence: &str) -> Tried {
        Tried {
            key: self.key.to_owned(),
            works,
            reason,
            evidence: evidence.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TRIALS, UNTRIED};
    use crate::capability::CAPABILITIES;

    #[test]
    fn every_capability_is_tried_or_says_why_not() {
        for capability in CAPABILITIES {
            let tried = TRIALS
                .iter()
                .filter(|trial| trial.key == capability.key)
                .count();
            let untried = UNTRIED
                .iter()
                .filter(|(key, _)| *key == capability.key)
                .count();
            assert_eq!(tried + untried, 1, "{}", capability.key);
        }
        assert_eq!(TRIALS.len() + UNTRIED.len(), CAPABILITIES.len());
    }
}
