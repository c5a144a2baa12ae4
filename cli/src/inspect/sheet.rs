//! A report as CSV: one row per device, link, library, process or capability.

use cuwhy_device_state::Report;
use serde_json::Value;

use super::flat;

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One per device: what the overview shows.
    Overview,
    /// One per device: everything.
    Devices,
    /// One per device and capability.
    Capabilities,
    /// One per library file.
    Libraries,
    /// One per ordered pair of devices.
    Links,
    /// One per program and device.
    Processes,
    /// One per device: what tells of its health.
    Health,
}

/// The columns of the overview.
pub const OVERVIEW: &[&str] = &[
    "uuid",
    "nvml_index",
    "cuda_index",
    "pci",
    "name",
    "kind",
    "memory_used_bytes",
    "memory_total_bytes",
    "utilisation_percent",
    "temperature_celsius",
    "power_draw_milliwatts",
    "power_limit_milliwatts",
    "clocks_event_reasons",
];

/// The columns of the health section.
pub const HEALTH: &[&str] = &[
    "uuid",
    "nvml_index",
    "cuda_index",
    "clocks_event_reasons",
    "temperature_celsius",
    "temperature_slowdown_celsius",
    "temperature_shutdown_celsius",
    "ecc_enabled",
    "ecc_corrected_volatile",
    "ecc_uncorrected_volatile",
    "ecc_corrected_aggregate",
    "ecc_uncorrected_aggregate",
    "remapped_rows_corrected",
    "remapped_rows_uncorrected",
    "remapped_rows_pending",
    "remapped_rows_failed",
    "retired_pages_pending",
    "recovery_action",
    "pcie_replays",
    "pcie_width",
    "pcie_width_maximum",
];

/// Names of columns, and rows of as many values.
pub type Sheet = (Vec<String>, Vec<Vec<Value>>);

/// Makes the rows of a section.
pub fn sheet(report: &Report, rows: Rows) -> Sheet {
    match rows {
        Rows::Overview => chosen(report, &owned(OVERVIEW)),
        Rows::Health => chosen(report, &owned(HEALTH)),
        Rows::Devices => chosen(report, &flat::names(&report.devices)),
        Rows::Capabilities => capabilities(report),
        Rows::Libraries => libraries(report),
        Rows::Links => links(report),
        Rows::Processes => processes(report),
    }
}

/// Makes one row per device with these columns.
pub fn chosen(report: &Report, names: &[String]) -> Sheet {
    let rows = report
        .devices
        .iter()
        .map(|device| {
            let mut row = flat::device(device);
            names
                .iter()
                .map(|name| {
                    row.iter_mut()
                        .find(|(known, _)| known == name)
                        .map_or(Value::Null, |(_, value)| value.take())
                })
                .collect()
        })
        .collect();
    (names.to_vec(), rows)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn capabilities(report: &Report) -> Sheet {
    let names = ["uuid", "cuda_index", "capability", "claimed", "probed"];
    let rows = report
        .devices
        .iter()
        .flat_map(|device| {
            let known = device.cuda.capabilities.iter().flatten();
            known.map(|(name, capability)| {
                vec![
                    device.uuid.clone().into(),
                    device.cuda_index.into(),
                    name.clone().into(),
                    capability.claimed.into(),
                    capability.probed.into(),
                ]
            })
        })
        .collect();
    (owned(&names), rows)
}

fn libraries(report: &Report) -> Sheet {
    let names = [
        "name",
        "chosen",
        "loaded_from",
        "real_path",
        "soname",
        "version",
        "version_source",
        "origin",
        "functions_wanted",
        "functions_found",
    ];
    let rows = report
        .libraries
        .iter()
        .map(|library| {
            vec![
                library.name.clone().into(),
                library.chosen.into(),
                library.loaded_from.clone().into(),
                library.real_path.clone().into(),
                library.soname.clone().into(),
                library.version.clone().into(),
                library.version_source.clone().into(),
                library.origin.word().into(),
                library.functions_wanted.into(),
                library.functions_found.into(),
            ]
        })
        .collect();
    (owned(&names), rows)
}

fn links(report: &Report) -> Sheet {
    let names = [
        "from",
        "to",
        "nvlinks",
        "ancestor",
        "nvml_read",
        "nvml_write",
        "nvml_nvlink",
        "nvml_atomics",
        "cuda_access",
        "cuda_performance_rank",
        "cuda_atomics",
        "cuda_arrays",
    ];
    let rows = report
        .links
        .iter()
        .map(|link| {
            let mut fields = serde_json::to_value(link).unwrap_or_default();
            names
                .iter()
                .map(|name| fields.get_mut(*name).map_or(Value::Null, Value::take))
                .collect()
        })
        .collect();
    (owned(&names), rows)
}

fn processes(report: &Report) -> Sheet {
    let names = [
        "uuid",
        "nvml_index",
        "cuda_index",
        "pid",
        "name",
        "kind",
        "memory_used_bytes",
    ];
    let rows = report
        .devices
        .iter()
        .flat_map(|device| {
            let known = device.nvml.processes.iter().flatten();
            known.map(|process| {
                vec![
                    device.uuid.clone().into(),
                    device.nvml_index.into(),
                    device.cuda_index.into(),
                    process.pid.into(),
                    process.name.clone().into(),
                    process.kind.clone().into(),
                    process.memory_used_bytes.into(),
                ]
            })
        })
        .collect();
    (owned(&names), rows)
}

/// Whether the first line names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// It does.
    Written,
    /// It was written before.
    Omitted,
}

/// Writes a sheet as CSV. A missing value is an empty field; the reason is in the JSON form.
///
/// # Errors
///
/// When the rows cannot be written, which is a mistake in this program.
pub fn write((names, rows): &Sheet, head: Head) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if head == Head::Written {
        writer.write_record(names)?;
    }
    for row in rows {
        writer.write_record(row.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
