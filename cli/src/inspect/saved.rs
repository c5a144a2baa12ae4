//! Reports in files: reading them back, and taking out what identifies a machine.

use std::fs;
use std::path::Path;

use cuwhy_device_state::{Reason, Report, SCHEMA};
use serde::Deserialize;

use crate::failure::Failure;

/// Reads a saved report.
///
/// # Errors
///
/// [`Failure::Input`] when the file cannot be read, is no report, or is of a later schema.
pub fn read(path: &Path) -> Result<Report, Failure> {
    let failed = |cause: Box<dyn core::error::Error + Send + Sync>| Failure::Input {
        path: path.display().to_string(),
        cause,
    };
    let text = fs::read_to_string(path).map_err(|error| failed(error.into()))?;
    let head: Head = serde_json::from_str(&text).map_err(|error| {
        failed(format!("it is not a report of `cuwhy inspect --format json`: {error}").into())
    })?;
    if head.schema > SCHEMA {
        return Err(failed(
            format!(
                "the report has schema {}, and this cuwhy ({}) reads up to {SCHEMA}; use a newer cuwhy",
                head.schema,
                env!("CARGO_PKG_VERSION")
            )
            .into(),
        ));
    }
    serde_json::from_str(&text).map_err(|error| failed(error.into()))
}

#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Takes out what identifies the machine or its owner: UUIDs, serial numbers, names of programs, the
/// home folder. Devices keep distinct names, so that the report still holds together.
///
/// # Errors
///
/// [`Failure::Bug`] when the rest is no report any more.
pub fn anonymous(report: &Report, home: Option<&str>) -> Result<Report, Failure> {
    let mut report = report.clone();
    for device in &mut report.devices {
        if device.nvml.serial.take().is_some() {
            device.absent.set("serial", Reason::Removed);
        }
        for process in device.nvml.processes.iter_mut().flatten() {
            if process.name.take().is_some() {
                process.absent.set("name", Reason::Removed);
            }
        }
    }
    let bug = |error: serde_json::Error| Failure::Bug(error.to_string());
    let mut text = serde_json::to_string(&report).map_err(bug)?;
    for (place, device) in report.devices.iter().enumerate() {
        let (kind, bare) = match device.uuid.split_at_checked(4) {
            Some((kind @ ("GPU-" | "MIG-"), bare)) => (kind, bare),
            _ => continue,
        };
        text = text.replace(&device.uuid, &format!("{kind}removed-{place}"));
        text = text.replace(bare, &format!("removed-{place}"));
    }
    if let Some(home) = home.filter(|home| home.len() > 1) {
        // As JSON writes it, without the quotes.
        let written = serde_json::to_string(home).map_err(bug)?;
        text = text.replace(written.trim_matches('"'), "~");
    }
    serde_json::from_str(&text).map_err(bug)
}
