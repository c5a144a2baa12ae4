//! Everything about each device.

use cuwhy_device_state::{Device, Kind, Report};

use super::words::{Values, headline, nvlinks, of, remarks, title, yes};
use crate::quantity::{bytes, megahertz, share, watts};
use crate::table::{Align, Cell, Table, Tone};

/// Everything about each device but what the other sections show.
pub fn devices(report: &Report) -> String {
    let mut text = headline(report);
    for device in &report.devices {
        text.push('\n');
        text.push_str(&title(device));
        text.push('\n');
        text.push_str(&one_device(device));
    }
    text.push_str(&remarks(report));
    text
}

fn one_device(device: &Device) -> String {
    let fields = &device.nvml;
    let cuda = &device.cuda;
    let mut values = Values {
        absent: &device.absent,
        table: Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]),
    };
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let degrees = |value: Option<u32>| value.map(|value| format!("{value} C"));
    values.show("pci", "pci", device.pci.clone());
    if device.kind == Kind::Mig {
        values.show("parent", "parent_uuid", device.parent_uuid.clone());
    }
    values.show("architecture", "architecture", fields.architecture.clone());
    values.show("serial", "serial", fields.serial.clone());
    values.show(
        "board part number",
        "board_part_number",
        fields.board_part_number.clone(),
    );
    values.show("video BIOS", "vbios_version", fields.vbios_version.clone());
    values.show(
        "GSP firmware",
        "gsp_firmware_version",
        fields.gsp_firmware_version.clone(),
    );
    values.show(
        "device node",
        "minor_number",
        fields
            .minor_number
            .map(|minor| format!("/dev/nvidia{minor}")),
    );
    values.show_with(
        "memory, total",
        "memory_total_bytes",
        fields.memory_total_bytes.map(bytes),
        "what is installed",
    );
    values.show(
        "memory, used",
        "memory_used_bytes",
        fields.memory_used_bytes.map(bytes),
    );
    values.show(
        "memory, free",
        "memory_free_bytes",
        fields.memory_free_bytes.map(bytes),
    );
    values.show_with(
        "memory, reserved",
        "memory_reserved_bytes",
        fields.memory_reserved_bytes.map(bytes),
        "by driver and firmware",
    );
    values.show_with(
        "memory, for CUDA",
        "cuda_memory_total_bytes",
        cuda.cuda_memory_total_bytes.map(bytes),
        if cuda.integrated == Some(true) {
            "shared with the host"
        } else {
            ""
        },
    );
    values.show(
        "BAR1, used of total",
        "bar1_total_bytes",
        fields
            .bar1_used_bytes
            .zip(fields.bar1_total_bytes)
            .map(|(used, total)| share(used, total)),
    );
    values.show_with(
        "utilisation",
        "utilisation_percent",
        fields.utilisation_percent.map(|value| format!("{value}%")),
        "time during which a kernel ran, not how busy the device was",
    );
    values.show(
        "utilisation, memory",
        "memory_utilisation_percent",
        fields
            .memory_utilisation_percent
            .map(|value| format!("{value}%")),
    );
    values.show(
        "utilisation, encoder",
        "encoder_utilisation_percent",
        fields
            .encoder_utilisation_percent
            .map(|value| format!("{value}%")),
    );
    values.show(
        "utilisation, decoder",
        "decoder_utilisation_percent",
        fields
            .decoder_utilisation_percent
            .map(|value| format!("{value}%")),
    );
    values.show(
        "temperature",
        "temperature_celsius",
        degrees(fields.temperature_celsius),
    );
    values.show(
        "temperature, memory",
        "temperature_memory_celsius",
        degrees(fields.temperature_memory_celsius),
    );
    values.show(
        "fan",
        "fan_percent",
        fields.fan_percent.map(|value| format!("{value}%")),
    );
    values.show(
        "power",
        "power_draw_milliwatts",
        fields.power_draw_milliwatts.map(watts),
    );
    values.show(
        "power limit",
        "power_limit_milliwatts",
        fields.power_limit_milliwatts.map(watts),
    );
    values.show(
        "power limits possible",
        "power_limit_minimum_milliwatts",
        fields
            .power_limit_minimum_milliwatts
            .zip(fields.power_limit_maximum_milliwatts)
            .map(|(low, high)| format!("{} to {}", watts(low), watts(high))),
    );
    values.show(
        "performance state",
        "performance_state",
        fields.performance_state.map(|state| format!("P{state}")),
    );
    for (label, key, now, most) in [
        (
            "clock, graphics",
            "graphics_clock_hertz",
            fields.graphics_clock_hertz,
            fields.graphics_clock_maximum_hertz,
        ),
        (
            "clock, multiprocessors",
            "sm_clock_hertz",
            fields.sm_clock_hertz,
            fields.sm_clock_maximum_hertz,
        ),
        (
            "clock, memory",
            "memory_clock_hertz",
            fields.memory_clock_hertz,
            fields.memory_clock_maximum_hertz,
        ),
        (
            "clock, video",
            "video_clock_hertz",
            fields.video_clock_hertz,
            fields.video_clock_maximum_hertz,
        ),
    ] {
        let value = now.map(|now| match most {
            Some(most) => format!("{} of {}", megahertz(now), megahertz(most)),
            None => megahertz(now),
        });
        values.show(label, key, value);
    }
    values.show(
        "PCIe generation",
        "pcie_generation",
        of(fields.pcie_generation, fields.pcie_generation_maximum),
    );
    if let Some(row) = idle_remark(device) {
        values.table.row(vec!["".into(), "".into(), row]);
    }
    values.show(
        "PCIe lanes",
        "pcie_width",
        of(fields.pcie_width, fields.pcie_width_maximum),
    );
    values.show("NVLink", "nvlinks", nvlinks(device));
    values.show("MIG", "mig_enabled", yes(fields.mig_enabled));
    if device.kind == Kind::Mig {
        values.show(
            "GPU instance",
            "gpu_instance_id",
            number(fields.gpu_instance_id),
        );
        values.show(
            "compute instance",
            "compute_instance_id",
            number(fields.compute_instance_id),
        );
    }
    values.show("compute mode", "compute_mode", fields.compute_mode.clone());
    values.show(
        "addressing mode",
        "addressing_mode",
        fields.addressing_mode.clone(),
    );
    values.show(
        "persistence mode",
        "persistence_enabled",
        yes(fields.persistence_enabled),
    );
    values.show(
        "multiprocessors",
        "multiprocessors",
        number(cuda.multiprocessors),
    );
    values.show("copy engines", "copy_engines", number(cuda.copy_engines));
    values.table.render()
}

fn idle_remark(device: &Device) -> Option<Cell> {
    let fields = &device.nvml;
    let lower = fields.pcie_generation? < fields.pcie_generation_maximum?;
    lower.then(|| Cell::toned("the generation drops while the device is idle", Tone::Faint))
}
