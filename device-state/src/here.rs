//! Asking from inside a program that uses CUDA itself.

use crate::collect::{Sources, collect};
use crate::cuda::CudaDriver;
use crate::device::Device;
use crate::library::Library;
use crate::loaded::wanted_functions;
use crate::machine::Surroundings;
use crate::nvml::NvmlLibrary;
use crate::parts::{Depth, Machine};
use crate::report::{Host, Report, Tool};

impl Machine for Surroundings {
    fn look(&self) -> Host {
        Surroundings::look(self)
    }

    fn libraries(&self, depth: Depth) -> Vec<Library> {
        self.search(depth, &wanted_functions)
    }
}

/// Collects a report in this process, without a time limit.
///
/// This calls `cuInit`, which programs that use CUDA have called before; it creates no context.
pub fn here(depth: Depth) -> Report {
    let sources = Sources {
        nvml: Some(&NvmlLibrary),
        cuda: Some(&CudaDriver),
        machine: &Surroundings::here(),
    };
    let tool = Tool {
        name: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    collect(sources, depth, tool)
}

/// Says in one line how a device is: memory, what is wrong with it, what slows it down, who uses it.
///
/// What is not known is left out; a device of which nothing is known gives an empty line.
pub fn in_one_line(device: &Device) -> String {
    let fields = &device.nvml;
    let mut words = Vec::new();
    let gibibytes = |bytes: u64| {
        let tenths = (u128::from(bytes) * 10 + (1 << 29)) >> 30;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    if let (Some(used), Some(total)) = (fields.memory_used_bytes, fields.memory_total_bytes) {
        words.push(format!(
            "{} of {} GiB used",
            gibibytes(used),
            gibibytes(total)
        ));
    }
    if let Some(errors) = fields.ecc_uncorrected_volatile.filter(|errors| *errors > 0) {
        words.push(format!("{errors} uncorrected ECC errors"));
    }
    if fields.remapped_rows_pending == Some(true) {
        words.push("row remapping pending".into());
    }
    if fields.remapped_rows_failed == Some(true) {
        words.push("row remapping failed".into());
    }
    if let Some(action) = fields
        .recovery_action
        .as_deref()
        .filter(|action| *action != "none")
    {
        words.push(format!("the driver asks for {action}"));
    }
    let slowed: Vec<&str> = fields
        .clocks_event_reasons
        .iter()
        .flatten()
        .map(String::as_str)
        .filter(|reason| *reason != "gpu_idle")
        .collect();
    if !slowed.is_empty() {
        words.push(format!("clocks held by {}", slowed.join(" and ")));
    }
    if let Some(mode) = fields
        .compute_mode
        .as_deref()
        .filter(|mode| *mode != "default")
    {
        words.push(format!("compute mode {mode}"));
    }
    if let Some(processes) = fields.processes.as_ref().filter(|list| !list.is_empty()) {
        let number = processes.len();
        words.push(format!(
            "{number} {}",
            if number == 1 { "program" } else { "programs" }
        ));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::NvmlFields;

    #[test]
    fn one_line_says_what_is_known_and_unusual() {
        assert_eq!(in_one_line(&Device::default()), "");
        let device = Device {
            nvml: NvmlFields {
                memory_used_bytes: Some(105_656_195_481),
                memory_total_bytes: Some(150_754_820_096),
                ecc_uncorrected_volatile: Some(2),
                recovery_action: Some("none".into()),
                clocks_event_reasons: Some(vec!["gpu_idle".into(), "sw_power_cap".into()]),
                compute_mode: Some("default".into()),
                processes: Some(Vec::new()),
                ..NvmlFields::default()
            },
            ..Device::default()
        };
        assert_eq!(
            in_one_line(&device),
            "98.4 of 140.4 GiB used, 2 uncorrected ECC errors, clocks held by sw_power_cap"
        );
    }
}
