//! What NVML and CUDA say of the devices of this machine, joined by UUID: plain data.
//!
//! Sources ([`Nvml`], [`Cuda`], [`Machine`]) each answer with a part; [`collect`] asks them side by
//! side and joins the parts into one [`Report`]. A field that fails never takes another with it: it
//! is `null`, and the reason stands in the `absent` map beside it. Nothing here creates a CUDA context,
//! except the module [`probe`].

mod absent;
mod cache;
mod capability;
mod chain;
mod collect;
mod cuda;
mod cupti;
mod derive;
mod device;
mod elf;
mod here;
mod library;
mod loaded;
mod machine;
pub mod nvml;
mod parts;
pub mod pci;
pub mod probe;
mod provenance;
mod report;
mod search;
mod visible;

pub use absent::{Absent, Reason};
pub use capability::{CAPABILITIES, Meaning, capability};
pub use chain::chain;
pub use collect::{Sources, Stamp, collect, join, orders_differ, version_text};
pub use cuda::CudaDriver;
pub use device::{Capability, CudaFields, Device, Kind, NvLink, NvmlFields, Process};
pub use here::{here, in_one_line};
pub use library::{AbsentFunction, Attempt, Library, Origin};
pub use loaded::{ask_runtime_version, chosen_libraries, wanted_functions};
pub use machine::{Surroundings, VARIABLES};
pub use parts::{Cuda, CudaDevice, CudaPart, Depth, Machine, Nvml, NvmlDevice, NvmlPart};
pub use report::{
    Driver, Host, Link, Mark, Node, NodePurpose, Problem, Report, SCHEMA, Sandbox, Status, Tool,
};
pub use search::WantedFunction;
pub use visible::{Cut, Entry, Visible};
