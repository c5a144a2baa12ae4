//! Which libraries the workers load.

use std::env;
use std::path::PathBuf;

/// A GPU, or the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// Whatever driver the loader finds.
    Found,
    /// The simulator beside this program.
    Simulated,
}

/// The variables that make a worker load the libraries meant; those that are set already win.
#[must_use]
pub fn libraries(machine: Machine) -> Vec<(&'static str, PathBuf)> {
    if machine == Machine::Found {
        return Vec::new();
    }
    let named = [
        ("CUWHY_LIBCUDA", "libcuwhy_sim.so"),
        ("CUWHY_LIBCUDART", "libcuwhy_sim_cudart13.so"),
    ];
    let unset = |name: &str| env::var_os(name).is_none_or(|value| value.is_empty());
    named
        .into_iter()
        .filter(|(variable, _)| unset(variable))
        .filter_map(|(variable, file)| Some((variable, beside(file)?)))
        .collect()
}

/// A library in the folder of this program, or where an installation has it.
fn beside(file: &str) -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folder = program.parent()?;
    let places = ["deps", ".", "../lib/cuwhy", "../lib", "..", "../deps"];
    places
        .iter()
        .map(|place| folder.join(place).join(file))
        .find(|path| path.is_file())
}
