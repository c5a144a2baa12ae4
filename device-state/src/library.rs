//! One library file, and how it was found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent::Absent;

/// A library that CUDA programs of this environment would use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Library {
    /// Which library: `libcuda`, `libcudart`, `libnvidia-ml`, `libcupti`.
    pub name: String,
    /// Who needs it.
    pub wanted_by: String,
    /// Whether this is the file that a program gets which asks by name; others are only on the disk.
    pub chosen: bool,
    /// What was tried, in order.
    pub tried: Vec<Attempt>,
    /// The file, as it was found.
    pub loaded_from: Option<String>,
    /// The file behind all symbolic links.
    pub real_path: Option<String>,
    /// The name that the file gives itself.
    pub soname: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// Where the version was read: `file name`, `library call`, `package folder`.
    pub version_source: Option<String>,
    /// Where the file comes from.
    pub origin: Origin,
    /// Whether the process had it mapped before it was asked for.
    pub already_loaded: Option<bool>,
    /// How many functions we would call.
    pub functions_wanted: Option<u32>,
    /// How many of them the file has.
    pub functions_found: Option<u32>,
    /// Those that it lacks.
    pub functions_absent: Option<Vec<AbsentFunction>>,
    /// Why values are missing.
    #[serde(default)]
    pub absent: Absent,
}

/// A candidate, and what the loader said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The name or path.
    pub candidate: String,
    /// `loaded`, or the loader's own words.
    pub result: String,
}

/// A function that a library lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AbsentFunction {
    /// Its name.
    pub name: String,
    /// The CUDA version that introduced it, as `major.minor`. Functions of the runtime and of NVML that are
    /// older than 11.7 stand as 11.7.
    pub since: Option<String>,
    /// Why values are missing.
    #[serde(default, skip_serializing_if = "Absent::is_empty")]
    pub absent: Absent,
}

/// Where a library file comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The driver package.
    Driver,
    /// A CUDA toolkit.
    Toolkit,
    /// A forward-compatibility package: a newer libcuda for an older kernel module.
    Compat,
    /// A build-time stub, which cannot run anything.
    Stub,
    /// A Python wheel.
    Wheel,
    /// A conda environment.
    Conda,
    /// The Windows Subsystem for Linux.
    Wsl,
    /// `cuwhy sim`.
    Simulated,
    /// Somewhere else.
    Unknown,
}

impl Origin {
    /// The word for this origin, as in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Toolkit => "toolkit",
            Self::Compat => "compat",
            Self::Stub => "stub",
            Self::Wheel => "wheel",
            Self::Conda => "conda",
            Self::Wsl => "wsl",
            Self::Simulated => "simulated",
            Self::Unknown => "unknown",
        }
    }
}
