//! What each source says on its own, before it is joined.
//!
//! Parts are plain data, so that a source may run in another process, and so that a machine can be
//! recorded and replayed.

use serde::{Deserialize, Serialize};

use crate::absent::Absent;
use crate::device::{CudaFields, Kind, NvmlFields};
use crate::library::Library;
use crate::report::{Link, Problem, Status};

/// How much to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// What the overview shows.
    Overview,
    /// Everything.
    Everything,
}

/// Whoever can ask NVML.
pub trait Nvml: Sync {
    /// Asks. Never fails as a whole: the status says what happened.
    fn ask(&self, depth: Depth) -> NvmlPart;
}

/// Whoever can ask CUDA, without creating a context.
pub trait Cuda: Sync {
    /// Asks. Never fails as a whole: the status says what happened.
    fn ask(&self, depth: Depth) -> CudaPart;
}

/// Whoever can look at the machine around the devices.
pub trait Machine: Sync {
    /// Looks.
    fn look(&self) -> crate::report::Host;
    /// Lists the library files that programs could find, beside those that the other parts loaded.
    fn libraries(&self, depth: Depth) -> Vec<Library>;
}

/// What NVML says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NvmlPart {
    /// How asking ended.
    pub status: Status,
    /// The version of the driver.
    pub driver_version: Option<String>,
    /// The version of NVML.
    pub nvml_version: Option<String>,
    /// The newest CUDA that the driver serves, in CUDA's counting.
    pub cuda_number: Option<i32>,
    /// How many devices there are, those included that cannot be used.
    pub count: Option<u32>,
    /// The devices and their instances.
    pub devices: Vec<NvmlDevice>,
    /// What NVML knows of the links between devices.
    pub links: Vec<Link>,
    /// The library file.
    pub library: Option<Library>,
    /// What went wrong.
    pub problems: Vec<Problem>,
    /// Why values are missing.
    pub absent: Absent,
}

/// A device as NVML describes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NvmlDevice {
    /// Its identity.
    pub uuid: String,
    /// Its PCI address.
    pub pci: Option<String>,
    /// Its index; an instance has none.
    pub index: Option<u32>,
    /// Its name.
    pub name: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// For an instance, its GPU.
    pub parent_uuid: Option<String>,
    /// Everything else.
    pub fields: NvmlFields,
    /// Why values are missing.
    pub absent: Absent,
}

/// What CUDA says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CudaPart {
    /// How asking ended.
    pub status: Status,
    /// The newest CUDA that the driver serves, in CUDA's counting.
    pub cuda_number: Option<i32>,
    /// How many devices there are for this environment.
    pub count: Option<u32>,
    /// The devices.
    pub devices: Vec<CudaDevice>,
    /// What CUDA knows of the links between devices.
    pub links: Vec<Link>,
    /// The library file.
    pub library: Option<Library>,
    /// Files of that library which the process has mapped, and how many: more than one is a mistake.
    pub mapped: Vec<String>,
    /// What went wrong.
    pub problems: Vec<Problem>,
    /// Why values are missing.
    pub absent: Absent,
}

/// A device as CUDA describes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CudaDevice {
    /// Its ordinal.
    pub ordinal: u32,
    /// Its identity, if CUDA says: `GPU-…` or `MIG-…`.
    pub uuid: Option<String>,
    /// Its PCI address.
    pub pci: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Everything else.
    pub fields: CudaFields,
    /// Why values are missing.
    pub absent: Absent,
}
