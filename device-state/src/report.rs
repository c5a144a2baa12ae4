//! The report: plain data, printed by others.
//!
//! Keys carry their unit. A `null` always has its reason in the `absent` map of the same object.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent::Absent;
use crate::device::Device;
use crate::library::Library;

/// The number of the report's format. Additions keep it, anything else raises it.
pub const SCHEMA: u32 = 1;

/// Everything that was found out about this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The number of this format.
    pub schema: u32,
    /// Who wrote the report.
    pub tool: Tool,
    /// When it was collected, in seconds since 1970.
    pub collected_unix_seconds: u64,
    /// Whether a simulated driver answered, and no real one.
    pub simulated: bool,
    /// The machine around the devices.
    pub host: Host,
    /// The driver, as its parts describe it.
    pub driver: Driver,
    /// The devices, in NVML's order; those that only CUDA lists come last.
    pub devices: Vec<Device>,
    /// How each device reaches each other one.
    pub links: Vec<Link>,
    /// The libraries that CUDA programs would use here.
    pub libraries: Vec<Library>,
    /// What went wrong while collecting. Empty when the report is whole.
    pub problems: Vec<Problem>,
    /// What a reader should know and could overlook.
    pub notes: Vec<String>,
}

/// Who wrote a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// The program.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The machine around the devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// The release of the operating system's kernel.
    pub kernel_release: Option<String>,
    /// Memory of the machine.
    pub memory_total_bytes: Option<u64>,
    /// Memory of the machine that programs could still get.
    pub memory_available_bytes: Option<u64>,
    /// The version of the NVIDIA kernel module that is loaded.
    pub module_version: Option<String>,
    /// The file that says so.
    pub module_file: Option<String>,
    /// The device nodes of the driver.
    pub nodes: Vec<Node>,
    /// Signs that this is a container, a virtual machine or another sandbox.
    pub sandbox: Vec<Mark>,
    /// Variables that change what CUDA does, if they are set.
    pub environment: BTreeMap<String, String>,
    /// Why values are missing.
    #[serde(default)]
    pub absent: Absent,
}

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Where it is.
    pub path: String,
    /// What it is for.
    pub purpose: NodePurpose,
    /// Whether this user could open it.
    pub usable: bool,
    /// What the system said, where it could not be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a device node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodePurpose {
    /// Talking to the driver.
    Control,
    /// One GPU.
    Device,
    /// Unified memory. CUDA does not start without it.
    UnifiedMemory,
    /// The paravirtual device of WSL.
    Wsl,
}

/// A sign of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// What was recognised.
    pub kind: Sandbox,
    /// What it was recognised by.
    pub evidence: String,
}

/// What may stand between a program and the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// A container that shares the kernel.
    Container,
    /// The Windows Subsystem for Linux.
    Wsl,
    /// gVisor: the kernel is a program, which knows a part of the driver's interface.
    Gvisor,
}

/// The driver, as its parts describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Driver {
    /// The version of the driver, as the kernel module or NVML tell.
    pub version: Option<String>,
    /// The version of NVML.
    pub nvml_version: Option<String>,
    /// The newest CUDA that the driver serves, as `major.minor`, from CUDA itself or else from NVML.
    pub cuda: Option<String>,
    /// The same in CUDA's own counting: 13000 is 13.0.
    pub cuda_number: Option<i32>,
    /// The newest `libcudart` that was found, as `major.minor`.
    pub runtime: Option<String>,
    /// How many devices NVML counts.
    pub nvml_devices: Option<u32>,
    /// How many devices CUDA counts.
    pub cuda_devices: Option<u32>,
    /// The files of libcuda that a program which uses both APIs has mapped. More than one is a mistake.
    #[serde(default)]
    pub libcuda_mapped: Vec<String>,
    /// How asking NVML ended.
    pub nvml_status: Status,
    /// How asking CUDA ended.
    pub cuda_status: Status,
    /// Why values are missing.
    #[serde(default)]
    pub absent: Absent,
}

/// How asking a library ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Status {
    /// It answered.
    Answered,
    /// It was not asked.
    #[default]
    NotAsked,
    /// The library cannot be loaded.
    NotLoaded {
        /// What the loader said.
        message: String,
    },
    /// The library is a build-time stub, or the driver says that it is.
    Stub {
        /// The file.
        message: String,
    },
    /// The library was loaded and refused.
    Refused {
        /// The number that it returned.
        code: i32,
        /// The C name of that number.
        name: String,
        /// The call that returned it.
        call: String,
    },
    /// It did not answer within the time limit.
    TimedOut {
        /// The limit.
        limit_milliseconds: u64,
    },
    /// The process that asked died.
    Crashed {
        /// How it died.
        message: String,
    },
}

impl Status {
    /// Says whether the library answered.
    pub fn answered(&self) -> bool {
        *self == Self::Answered
    }

    /// Says in one line what happened.
    pub fn describe(&self) -> String {
        match self {
            Self::Answered => "answered".into(),
            Self::NotAsked => "not asked".into(),
            Self::NotLoaded { message } => message.clone(),
            Self::Stub { message } => format!("build-time stub: {message}"),
            Self::Refused { code, name, call } => format!("{call} -> {name} ({code})"),
            Self::TimedOut { limit_milliseconds } => {
                format!("no answer within {limit_milliseconds} ms")
            }
            Self::Crashed { message } => format!("the process that asked died: {message}"),
        }
    }
}

/// How one device reaches another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// The UUID of the device that reads and writes.
    pub from: String,
    /// The UUID of the device that is read and written.
    pub to: String,
    /// Active NVLink connections between the two, through switches or directly.
    pub nvlinks: Option<u32>,
    /// The nearest common ancestor, in NVML's words: `internal`, `single`, `multiple`,
    /// `host_bridge`, `node`, `system`.
    pub ancestor: Option<String>,
    /// NVML's word on reading: `ok` or why not.
    pub nvml_read: Option<String>,
    /// NVML's word on writing.
    pub nvml_write: Option<String>,
    /// NVML's word on access over NVLink.
    pub nvml_nvlink: Option<String>,
    /// NVML's word on atomic operations.
    pub nvml_atomics: Option<String>,
    /// Whether CUDA can enable peer access.
    pub cuda_access: Option<bool>,
    /// CUDA's relative performance of the link; lower is better.
    pub cuda_performance_rank: Option<i32>,
    /// Whether CUDA does native atomic operations over the link.
    pub cuda_atomics: Option<bool>,
    /// Whether CUDA arrays can be read over the link.
    pub cuda_arrays: Option<bool>,
    /// Why values are missing.
    #[serde(default)]
    pub absent: Absent,
}

impl Link {
    /// Makes a link of which nothing is known.
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            nvlinks: None,
            ancestor: None,
            nvml_read: None,
            nvml_write: None,
            nvml_nvlink: None,
            nvml_atomics: None,
            cuda_access: None,
            cuda_performance_rank: None,
            cuda_atomics: None,
            cuda_arrays: None,
            absent: Absent::default(),
        }
    }

    /// Names the link as `nvidia-smi topo` does: `NV18`, `PIX`, `PXB`, `PHB`, `NODE`, `SYS`.
    pub fn short(&self) -> Option<String> {
        if let Some(count) = self.nvlinks.filter(|count| *count > 0) {
            return Some(format!("NV{count}"));
        }
        let word = match self.ancestor.as_deref()? {
            "internal" => "X",
            "single" => "PIX",
            "multiple" => "PXB",
            "host_bridge" => "PHB",
            "node" => "NODE",
            "system" => "SYS",
            other => other,
        };
        Some(word.to_owned())
    }
}

/// Something that went wrong while collecting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What was being collected: `nvml`, `cuda`, `libraries`, `device`.
    pub part: String,
    /// The UUID of the device concerned, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What went wrong.
    pub message: String,
}
