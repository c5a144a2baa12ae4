//! Which libraries the workers load.

use std::env;
use std::ffi::OsString;

use cuwhy_sim_libraries::{Libraries, Unversioned};

use crate::failure::Failure;

/// A GPU, or the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// Whatever driver the loader finds.
    Found,
    /// The simulator beside this program, with this runtime.
    Simulated(Unversioned),
}

/// The variables that make a worker load the libraries meant, with so many devices. A driver that CUWHY_LIBCUDA names is
/// kept: it is the simulator, or the run says so.
///
/// # Errors
///
/// [`Failure::Failed`] when the simulator is asked for and its libraries are not there.
pub fn libraries(
    machine: Machine,
    devices: Option<u8>,
) -> Result<Vec<(&'static str, OsString)>, Failure> {
    let named = env::var_os("CUWHY_LIBCUDA").is_some_and(|value| !value.is_empty());
    let Machine::Simulated(runtime) = machine else {
        return Ok(Vec::new());
    };
    if named {
        return Ok(Vec::new());
    }
    let folder = Libraries::find().and_then(|libraries| libraries.folder(runtime));
    match folder {
        Ok(folder) => {
            let mut variables = folder.environment();
            // What is said of the simulated machine otherwise stays said.
            if let Some(devices) = devices.filter(|_| env::var_os("CUWHY_SIM").is_none()) {
                variables.push(("CUWHY_SIM", format!("devices={devices}").into()));
            }
            Ok(variables)
        }
        Err(error) => Err(Failure::NoDevice(Box::new(error))),
    }
}
