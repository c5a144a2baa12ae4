//! CUPTI, the profilers' library: which one a program gets.

use std::fs;

use libloading::Library as Handle;

use crate::chain::chain;
use crate::library::{Attempt, Library};
use crate::loaded;
use crate::machine::Surroundings;

/// The names that the loader may know, the newest first.
const NAMES: [&str; 6] = [
    "libcupti.so.13",
    "libcupti.so.12",
    "libcupti.so.11.8",
    "libcupti.so.11.7",
    "libcupti.so.11.0",
    "libcupti.so",
];

/// Opens CUPTI by name, as a profiler would, and describes what came. It is not initialised.
pub(crate) fn chosen(surroundings: &Surroundings) -> Library {
    let mut tried = Vec::new();
    let mut found = None;
    for name in NAMES {
        // SAFETY: loading runs the file's own initialisers, as in every program that profiles.
        match unsafe { Handle::new(name) } {
            Ok(handle) => {
                found = mapped("libcupti.so");
                tried.push(Attempt {
                    candidate: name.to_owned(),
                    result: "loaded (the system's loader)".into(),
                });
                // CUDA's libraries do not survive being closed.
                core::mem::forget(handle);
                break;
            }
            Err(error) => tried.push(Attempt {
                candidate: name.to_owned(),
                result: chain(&error),
            }),
        }
    }
    loaded::by_name("libcupti", "profilers", tried, found, surroundings)
}

/// The first mapped file whose name begins so.
fn mapped(name: &str) -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines()
        .filter_map(|line| line.find('/').map(|start| &line[start..]))
        .find(|path| {
            path.rsplit('/')
                .next()
                .is_some_and(|file| file.starts_with(name))
        })
        .map(str::to_owned)
}
