//! Every field of a device, each asked for on its own.

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{
    Clock, ComputeMode, EccCounter, MemoryError, TemperatureSensor, TemperatureThreshold,
};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id;

use super::calls::{
    InstanceCall, addressing_mode, clocks_event_reasons, memory_first_form, number, remapped_rows,
};
use super::lists::{nvlinks, processes};
use super::reason::{from_error, from_status};
use crate::absent::{Absent, Reason};
use crate::device::{Kind, NvmlFields};
use crate::parts::Depth;

/// Asks for every field.
pub(super) fn ask(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
    kind: Kind,
    depth: Depth,
    absent: &mut Absent,
) -> NvmlFields {
    let mut fields = NvmlFields::default();
    let overview = depth == Depth::Overview;
    memory(nvml, device, &mut fields, absent);
    activity(device, &mut fields, absent);
    temperature_and_power(device, overview, &mut fields, absent);
    clocks(nvml, device, overview, &mut fields, absent);
    health(nvml, device, &mut fields, absent);
    modes(nvml, device, kind, &mut fields, absent);
    if !overview {
        bus(device, &mut fields, absent);
        identity(device, &mut fields, absent);
        fields.nvlinks = absent.keep("nvlinks", nvlinks(device));
    }
    fields.processes = absent.keep("processes", processes(nvml, device));
    absent.explain_nulls(&fields, &Reason::NotCollected);
    fields
}

fn memory(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
    fields: &mut NvmlFields,
    absent: &mut Absent,
) {
    match device.memory_info().map_err(from_error) {
        Ok(info) => {
            fields.memory_total_bytes = Some(info.total);
            fields.memory_used_bytes = Some(info.used);
            fields.memory_free_bytes = Some(info.free);
            fields.memory_reserved_bytes = Some(info.reserved);
        }
        Err(newer) => {
            absent.set("memory_reserved_bytes", newer.clone());
            // Drivers before 510 know only the first form, which counts what is reserved as used.
            let older = if newer == Reason::SymbolMissing {
                memory_first_form(nvml, device)
            } else {
                Err(newer)
            };
            match older {
                Ok(info) => {
                    fields.memory_total_bytes = Some(info.total);
                    fields.memory_used_bytes = Some(info.used);
                    fields.memory_free_bytes = Some(info.free);
                }
                Err(reason) => {
                    for key in [
                        "memory_total_bytes",
                        "memory_used_bytes",
                        "memory_free_bytes",
                    ] {
                        absent.set(key, reason.clone());
                    }
                }
            }
        }
    }
    match device.bar1_memory_info().map_err(from_error) {
        Ok(info) => {
            fields.bar1_total_bytes = Some(info.total);
            fields.bar1_used_bytes = Some(info.used);
            fields.bar1_free_bytes = Some(info.free);
        }
        Err(reason) => {
            for key in ["bar1_total_bytes", "bar1_used_bytes", "bar1_free_bytes"] {
                absent.set(key, reason.clone());
            }
        }
    }
}

fn activity(device: &Device<'_>, fields: &mut NvmlFields, absent: &mut Absent) {
    match device.utilization_rates().map_err(from_error) {
        Ok(rates) => {
            fields.utilisation_percent = Some(rates.gpu);
            fields.memory_utilisation_percent = Some(rates.memory);
        }
        Err(reason) => {
            absent.set("utilisation_percent", reason.clone());
            absent.set("memory_utilisation_percent", reason);
        }
    }
    fields.encoder_utilisation_percent = absent.keep(
        "encoder_utilisation_percent",
        device
            .encoder_utilization()
            .map(|info| info.utilization)
            .map_err(from_error),
    );
    fields.decoder_utilisation_percent = absent.keep(
        "decoder_utilisation_percent",
        device
            .decoder_utilization()
            .map(|info| info.utilization)
            .map_err(from_error),
    );
}

fn temperature_and_power(
    device: &Device<'_>,
    overview: bool,
    fields: &mut NvmlFields,
    absent: &mut Absent,
) {
    fields.temperature_celsius = absent.keep(
        "temperature_celsius",
        device
            .temperature(TemperatureSensor::Gpu)
            .map_err(from_error),
    );
    fields.power_draw_milliwatts = absent.keep(
        "power_draw_milliwatts",
        device.power_usage().map_err(from_error),
    );
    fields.power_limit_milliwatts = absent.keep(
        "power_limit_milliwatts",
        device.enforced_power_limit().map_err(from_error),
    );
    fields.performance_state = absent.keep(
        "performance_state",
        device
            .performance_state()
            .map_err(from_error)
            .and_then(|state| match state.as_c() {
                number @ 0..=15 => Ok(number),
                _ => Err(Reason::Unsupported),
            }),
    );
    if overview {
        return;
    }
    fields.temperature_memory_celsius = absent.keep(
        "temperature_memory_celsius",
        number(device, field_id::NVML_FI_DEV_MEMORY_TEMP).and_then(|value| {
            // Devices without the sensor answer 0, which no running memory has.
            match u32::try_from(value) {
                Ok(0) | Err(_) => Err(Reason::Unsupported),
                Ok(degrees) => Ok(degrees),
            }
        }),
    );
    fields.temperature_slowdown_celsius = absent.keep(
        "temperature_slowdown_celsius",
        device
            .temperature_threshold(TemperatureThreshold::Slowdown)
            .map_err(from_error),
    );
    fields.temperature_shutdown_celsius = absent.keep(
        "temperature_shutdown_celsius",
        device
            .temperature_threshold(TemperatureThreshold::Shutdown)
            .map_err(from_error),
    );
    fields.fan_percent = absent.keep(
        "fan_percent",
        match device.num_fans() {
            Ok(0) => Err(Reason::Unsupported),
            // To NVML the first of no fans is an invalid argument; not every driver can be asked how many there are.
            _ => match device.fan_speed(0) {
                Err(NvmlError::InvalidArg) => Err(Reason::Unsupported),
                speed => speed.map_err(from_error),
            },
        },
    );
    fields.power_limit_default_milliwatts = absent.keep(
        "power_limit_default_milliwatts",
        device.power_management_limit_default().map_err(from_error),
    );
    match device
        .power_management_limit_constraints()
        .map_err(from_error)
    {
        Ok(limits) => {
            fields.power_limit_minimum_milliwatts = Some(limits.min_limit);
            fields.power_limit_maximum_milliwatts = Some(limits.max_limit);
        }
        Err(reason) => {
            absent.set("power_limit_minimum_milliwatts", reason.clone());
            absent.set("power_limit_maximum_milliwatts", reason);
        }
    }
    fields.energy_consumed_millijoules = absent.keep(
        "energy_consumed_millijoules",
        device.total_energy_consumption().map_err(from_error),
    );
}

fn clocks(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
    overview: bool,
    fields: &mut NvmlFields,
    absent: &mut Absent,
) {
    fields.clocks_event_reasons =
        absent.keep("clocks_event_reasons", clocks_event_reasons(nvml, device));
    if overview {
        return;
    }
    let now = |clock| {
        device
            .clock_info(clock)
            .map(|megahertz| u64::from(megahertz) * 1_000_000)
            .map_err(from_error)
    };
    fields.graphics_clock_hertz = absent.keep("graphics_clock_hertz", now(Clock::Graphics));
    fields.sm_clock_hertz = absent.keep("sm_clock_hertz", now(Clock::SM));
    fields.memory_clock_hertz = absent.keep("memory_clock_hertz", now(Clock::Memory));
    fields.video_clock_hertz = absent.keep("video_clock_hertz", now(Clock::Video));
    let highest = |clock| {
        device
            .max_clock_info(clock)
            .map(|megahertz| u64::from(megahertz) * 1_000_000)
            .map_err(from_error)
    };
    fields.graphics_clock_maximum_hertz =
        absent.keep("graphics_clock_maximum_hertz", highest(Clock::Graphics));
    fields.sm_clock_maximum_hertz = absent.keep("sm_clock_maximum_hertz", highest(Clock::SM));
    fields.memory_clock_maximum_hertz =
        absent.keep("memory_clock_maximum_hertz", highest(Clock::Memory));
    fields.video_clock_maximum_hertz =
        absent.keep("video_clock_maximum_hertz", highest(Clock::Video));
}

fn health(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
    fields: &mut NvmlFields,
    absent: &mut Absent,
) {
    match device.is_ecc_enabled().map_err(from_error) {
        Ok(state) => {
            fields.ecc_enabled = Some(state.currently_enabled);
            fields.ecc_pending_enabled = Some(state.pending_enabled);
        }
        Err(reason) => {
            absent.set("ecc_enabled", reason.clone());
            absent.set("ecc_pending_enabled", reason);
        }
    }
    let errors = |error: MemoryError, counter: EccCounter| {
        device.total_ecc_errors(error, counter).map_err(from_error)
    };
    fields.ecc_corrected_volatile = absent.keep(
        "ecc_corrected_volatile",
        errors(MemoryError::Corrected, EccCounter::Volatile),
    );
    fields.ecc_uncorrected_volatile = absent.keep(
        "ecc_uncorrected_volatile",
        errors(MemoryError::Uncorrected, EccCounter::Volatile),
    );
    fields.ecc_corrected_aggregate = absent.keep(
        "ecc_corrected_aggregate",
        errors(MemoryError::Corrected, EccCounter::Aggregate),
    );
    fields.ecc_uncorrected_aggregate = absent.keep(
        "ecc_uncorrected_aggregate",
        errors(MemoryError::Uncorrected, EccCounter::Aggregate),
    );
    match remapped_rows(nvml, device) {
        Ok(rows) => {
            fields.remapped_rows_corrected = Some(rows.corrected);
            fields.remapped_rows_uncorrected = Some(rows.uncorrected);
            fields.remapped_rows_pending = Some(rows.pending != 0);
            fields.remapped_rows_failed = Some(rows.failed != 0);
        }
        Err(reason) => {
            for key in [
                "remapped_rows_corrected",
                "remapped_rows_uncorrected",
                "remapped_rows_pending",
                "remapped_rows_failed",
            ] {
                absent.set(key, reason.clone());
            }
        }
    }
    fields.retired_pages_pending = absent.keep(
        "retired_pages_pending",
        device.are_pages_pending_retired().map_err(from_error),
    );
    fields.recovery_action = absent.keep(
        "recovery_action",
        number(device, field_id::NVML_FI_DEV_GET_GPU_RECOVERY_ACTION).map(|action| match action {
            0 => "none".to_owned(),
            1 => "reset".to_owned(),
            2 => "reboot".to_owned(),
            3 => "drain_p2p".to_owned(),
            4 => "drain_and_reset".to_owned(),
            other => format!("other_{other}"),
        }),
    );
}

fn modes(
    nvml: &nvml_wrapper::Nvml,
    device: &Device<'_>,
    kind: Kind,
    fields: &mut NvmlFields,
    absent: &mut Absent,
) {
    fields.compute_mode = absent.keep(
        "compute_mode",
        device.compute_mode().map_err(from_error).map(|mode| {
            match mode {
                ComputeMode::Default => "default",
                ComputeMode::ExclusiveThread => "exclusive_thread",
                ComputeMode::Prohibited => "prohibited",
                ComputeMode::ExclusiveProcess => "exclusive_process",
            }
            .to_owned()
        }),
    );
    fields.addressing_mode = absent.keep("addressing_mode", addressing_mode(nvml, device));
    fields.persistence_enabled = absent.keep(
        "persistence_enabled",
        device.is_in_persistent_mode().map_err(from_error),
    );
    match kind {
        Kind::Gpu => {
            match device.mig_mode().map_err(from_error) {
                Ok(mode) => {
                    fields.mig_enabled = Some(mode.current == 1);
                    fields.mig_pending_enabled = Some(mode.pending == 1);
                }
                Err(reason) => {
                    absent.set("mig_enabled", reason.clone());
                    absent.set("mig_pending_enabled", reason);
                }
            }
            fields.mig_instances_maximum = absent.keep(
                "mig_instances_maximum",
                device.mig_device_count().map_err(from_error),
            );
            absent.set("gpu_instance_id", Reason::NotApplicable);
            absent.set("compute_instance_id", Reason::NotApplicable);
        }
        Kind::Mig => {
            for key in [
                "mig_enabled",
                "mig_pending_enabled",
                "mig_instances_maximum",
            ] {
                absent.set(key, Reason::NotApplicable);
            }
            let library = nvml.lib();
            let instance = |call: Option<InstanceCall>| {
                let call = call.ok_or(Reason::SymbolMissing)?;
                let mut id = 0;
                // SAFETY: the handle is used only while `device`, and with it the library, is alive.
                let handle = unsafe { device.handle() };
                // SAFETY: the handle is NVML's own, and the call writes one number.
                from_status(unsafe { call(handle, &raw mut id) })?;
                Ok(id)
            };
            fields.gpu_instance_id = absent.keep(
                "gpu_instance_id",
                instance(library.nvmlDeviceGetGpuInstanceId.as_ref().ok().copied()),
            );
            fields.compute_instance_id = absent.keep(
                "compute_instance_id",
                instance(
                    library
                        .nvmlDeviceGetComputeInstanceId
                        .as_ref()
                        .ok()
                        .copied(),
                ),
            );
        }
    }
}

fn bus(device: &Device<'_>, fields: &mut NvmlFields, absent: &mut Absent) {
    fields.pcie_generation = absent.keep(
        "pcie_generation",
        device.current_pcie_link_gen().map_err(from_error),
    );
    fields.pcie_generation_maximum = absent.keep(
        "pcie_generation_maximum",
        device.max_pcie_link_gen().map_err(from_error),
    );
    fields.pcie_width = absent.keep(
        "pcie_width",
        device.current_pcie_link_width().map_err(from_error),
    );
    fields.pcie_width_maximum = absent.keep(
        "pcie_width_maximum",
        device.max_pcie_link_width().map_err(from_error),
    );
    fields.pcie_replays = absent.keep(
        "pcie_replays",
        device.pcie_replay_counter().map_err(from_error),
    );
    fields.device_numa_node = absent.keep(
        "device_numa_node",
        device.numa_node_id().map_err(from_error),
    );
}

fn identity(device: &Device<'_>, fields: &mut NvmlFields, absent: &mut Absent) {
    fields.architecture = absent.keep(
        "architecture",
        device
            .architecture()
            .map_err(from_error)
            .map(|architecture| architecture.to_string()),
    );
    fields.vbios_version = absent.keep("vbios_version", device.vbios_version().map_err(from_error));
    fields.gsp_firmware_version = absent.keep(
        "gsp_firmware_version",
        device.gsp_firmware_version().map_err(from_error),
    );
    fields.board_part_number = absent.keep(
        "board_part_number",
        device.board_part_number().map_err(from_error),
    );
    fields.serial = absent.keep("serial", device.serial().map_err(from_error));
    fields.minor_number = absent.keep("minor_number", device.minor_number().map_err(from_error));
}
