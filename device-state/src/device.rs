//! One device: a GPU, or an instance of one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absent::Absent;

/// A GPU or a MIG instance, as NVML and CUDA describe it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// The identity by which NVML and CUDA are joined: `GPU-…` or `MIG-…`.
    pub uuid: String,
    /// The PCI address as the kernel writes it: `0000:19:00.0`.
    pub pci: Option<String>,
    /// The marketing name.
    pub name: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// For an instance, the UUID of its GPU.
    pub parent_uuid: Option<String>,
    /// The index by which `nvidia-smi` knows it.
    pub nvml_index: Option<u32>,
    /// The ordinal by which CUDA programs of this environment know it.
    pub cuda_index: Option<u32>,
    /// What NVML knows.
    #[serde(flatten)]
    pub nvml: NvmlFields,
    /// What CUDA knows.
    #[serde(flatten)]
    pub cuda: CudaFields,
    /// Why values are missing.
    #[serde(default)]
    pub absent: Absent,
}

/// What a device is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A whole GPU.
    #[default]
    Gpu,
    /// A MIG instance: a part of a GPU that is a device of its own.
    Mig,
}

/// What NVML knows of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NvmlFields {
    /// Memory that is installed.
    pub memory_total_bytes: Option<u64>,
    /// Memory that programs hold.
    pub memory_used_bytes: Option<u64>,
    /// Memory that can still be had.
    pub memory_free_bytes: Option<u64>,
    /// Memory that the driver and the firmware hold.
    pub memory_reserved_bytes: Option<u64>,
    /// The size of the window through which the host and other devices reach the memory.
    pub bar1_total_bytes: Option<u64>,
    /// How much of that window is in use.
    pub bar1_used_bytes: Option<u64>,
    /// How much of that window is free.
    pub bar1_free_bytes: Option<u64>,
    /// The part of the last sample period during which at least one kernel ran: not how busy it was.
    pub utilisation_percent: Option<u32>,
    /// The part of the last sample period during which memory was read or written.
    pub memory_utilisation_percent: Option<u32>,
    /// Utilisation of the video encoder.
    pub encoder_utilisation_percent: Option<u32>,
    /// Utilisation of the video decoder.
    pub decoder_utilisation_percent: Option<u32>,
    /// Temperature of the GPU.
    pub temperature_celsius: Option<u32>,
    /// Temperature of the memory.
    pub temperature_memory_celsius: Option<u32>,
    /// Temperature at which the clocks are lowered.
    pub temperature_slowdown_celsius: Option<u32>,
    /// Temperature at which the device switches itself off.
    pub temperature_shutdown_celsius: Option<u32>,
    /// Speed of the first fan, of its maximum.
    pub fan_percent: Option<u32>,
    /// Power drawn by the board.
    pub power_draw_milliwatts: Option<u32>,
    /// The power limit that is in force.
    pub power_limit_milliwatts: Option<u32>,
    /// The power limit after a restart.
    pub power_limit_default_milliwatts: Option<u32>,
    /// The lowest power limit that can be set.
    pub power_limit_minimum_milliwatts: Option<u32>,
    /// The highest power limit that can be set.
    pub power_limit_maximum_milliwatts: Option<u32>,
    /// Energy drawn since the driver was loaded.
    pub energy_consumed_millijoules: Option<u64>,
    /// The performance state: 0 is the fastest, 15 the slowest.
    pub performance_state: Option<u32>,
    /// Clock of the graphics engine.
    pub graphics_clock_hertz: Option<u64>,
    /// Clock of the multiprocessors.
    pub sm_clock_hertz: Option<u64>,
    /// Clock of the memory.
    pub memory_clock_hertz: Option<u64>,
    /// Clock of the video engines.
    pub video_clock_hertz: Option<u64>,
    /// Highest clock of the graphics engine.
    pub graphics_clock_maximum_hertz: Option<u64>,
    /// Highest clock of the multiprocessors.
    pub sm_clock_maximum_hertz: Option<u64>,
    /// Highest clock of the memory.
    pub memory_clock_maximum_hertz: Option<u64>,
    /// Highest clock of the video engines.
    pub video_clock_maximum_hertz: Option<u64>,
    /// What holds the clocks down now (once called throttle reasons): `gpu_idle`, `sw_power_cap`,
    /// `hw_slowdown`, `hw_thermal_slowdown`, `hw_power_brake_slowdown`, `sw_thermal_slowdown` and others.
    pub clocks_event_reasons: Option<Vec<String>>,
    /// Whether memory errors are corrected.
    pub ecc_enabled: Option<bool>,
    /// Whether they will be after a restart.
    pub ecc_pending_enabled: Option<bool>,
    /// Errors corrected since the driver was loaded.
    pub ecc_corrected_volatile: Option<u64>,
    /// Errors not corrected since the driver was loaded.
    pub ecc_uncorrected_volatile: Option<u64>,
    /// Errors corrected in the device's life.
    pub ecc_corrected_aggregate: Option<u64>,
    /// Errors not corrected in the device's life.
    pub ecc_uncorrected_aggregate: Option<u64>,
    /// Memory rows replaced because of corrected errors.
    pub remapped_rows_corrected: Option<u32>,
    /// Memory rows replaced because of uncorrected errors.
    pub remapped_rows_uncorrected: Option<u32>,
    /// Whether a row waits to be replaced at the next reset.
    pub remapped_rows_pending: Option<bool>,
    /// Whether replacing a row failed.
    pub remapped_rows_failed: Option<bool>,
    /// Whether a memory page waits to be retired at the next reset (devices without row remapping).
    pub retired_pages_pending: Option<bool>,
    /// What the driver wants done: `none`, `reset`, `reboot`, `drain_p2p`, `drain_and_reset`.
    pub recovery_action: Option<String>,
    /// PCIe generation of the link now; it drops when the device is idle.
    pub pcie_generation: Option<u32>,
    /// The best PCIe generation that device and slot could do.
    pub pcie_generation_maximum: Option<u32>,
    /// PCIe lanes of the link now.
    pub pcie_width: Option<u32>,
    /// The most PCIe lanes that device and slot could do.
    pub pcie_width_maximum: Option<u32>,
    /// PCIe packets that were sent again.
    pub pcie_replays: Option<u32>,
    /// NVLink connections of the device.
    pub nvlinks: Option<Vec<NvLink>>,
    /// Whether the device is split into MIG instances.
    pub mig_enabled: Option<bool>,
    /// Whether it will be after a reset.
    pub mig_pending_enabled: Option<bool>,
    /// How many MIG instances the device can have.
    pub mig_instances_maximum: Option<u32>,
    /// For an instance, the number of its GPU instance.
    pub gpu_instance_id: Option<u32>,
    /// For an instance, the number of its compute instance.
    pub compute_instance_id: Option<u32>,
    /// Who may create contexts: `default`, `exclusive_thread`, `exclusive_process`, `prohibited`.
    pub compute_mode: Option<String>,
    /// How the device reaches pageable memory: `none`, `hmm`, `ats`.
    pub addressing_mode: Option<String>,
    /// The NUMA node that the device's own memory is, where it is one.
    pub device_numa_node: Option<u32>,
    /// Whether the driver stays loaded while nobody uses the device.
    pub persistence_enabled: Option<bool>,
    /// The architecture.
    pub architecture: Option<String>,
    /// The version of the video BIOS.
    pub vbios_version: Option<String>,
    /// The version of the firmware of the GPU system processor.
    pub gsp_firmware_version: Option<String>,
    /// The part number of the board.
    pub board_part_number: Option<String>,
    /// The serial number of the board.
    pub serial: Option<String>,
    /// The number in the name of the device node.
    pub minor_number: Option<u32>,
    /// Programs that use the device.
    pub processes: Option<Vec<Process>>,
}

/// An NVLink connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NvLink {
    /// Which one of the device's.
    pub link: u32,
    /// Whether it is up.
    pub active: bool,
    /// The version of NVLink: `4.0`.
    pub version: Option<String>,
    /// The PCI address of the other end.
    pub remote_pci: Option<String>,
    /// What the other end is: `gpu`, `switch`, `other`, `unknown`.
    pub remote_kind: Option<String>,
    /// Why values are missing.
    #[serde(default, skip_serializing_if = "Absent::is_empty")]
    pub absent: Absent,
}

/// A program that uses a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its number, as the driver counts: inside a container this may be the host's number.
    pub pid: u32,
    /// Its name, as the driver tells it.
    pub name: Option<String>,
    /// What it does: `compute`, `graphics` or `mps`.
    pub kind: String,
    /// Device memory that it holds.
    pub memory_used_bytes: Option<u64>,
    /// Why values are missing.
    #[serde(default, skip_serializing_if = "Absent::is_empty")]
    pub absent: Absent,
}

/// What CUDA knows of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CudaFields {
    /// Compute capability, as `major.minor`.
    pub compute_capability: Option<String>,
    /// Memory that CUDA sees; less than what is installed.
    pub cuda_memory_total_bytes: Option<u64>,
    /// Copy engines: how many copies can run beside kernels and beside each other.
    pub copy_engines: Option<u32>,
    /// Multiprocessors.
    pub multiprocessors: Option<u32>,
    /// Whether the device has no memory of its own and uses the host's.
    pub integrated: Option<bool>,
    /// Ways in which virtual memory can be handed to another process: `posix_fd`, `fabric`.
    pub virtual_memory_handles: Option<Vec<String>>,
    /// Ways in which memory pools can be handed to another process.
    pub pool_handles: Option<Vec<String>>,
    /// What bears on copies, in our words.
    pub capabilities: Option<BTreeMap<String, Capability>>,
    /// Every attribute that CUDA has of the device, by its C name.
    pub attributes: Option<BTreeMap<String, i32>>,
}

/// A claim and what came of trying it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capability {
    /// What the attribute says.
    pub claimed: Option<bool>,
    /// Whether it worked when it was tried.
    pub probed: Option<bool>,
    /// What was tried, and what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Why values are missing.
    #[serde(default, skip_serializing_if = "Absent::is_empty")]
    pub absent: Absent,
}
