//! Reports in files: reading them back, and taking out what identifies a machine.

use std::fs;
use std::path::Path;

use cuwhy_device_state::{Reason, Report, SCHEMA};
use serde::Deserialize;

use crate::doctor::Diagnosis;
use crate::failure::Failure;

/// Reads a saved report, or the one inside a saved diagnosis.
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
    // What `doctor --save` wrote holds a report.
    if head.report.is_some() {
        let diagnosis: Saved = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        return Ok(diagnosis.report);
    }
    serde_json::from_str(&text).map_err(|error| failed(error.into()))
}

#[derive(Deserialize)]
struct Saved {
    report: Report,
}

#[derive(Deserialize)]
struct Head {
    schema: u32,
    report: Option<Nested>,
}

#[derive(Deserialize)]
struct Nested {
    #[serde(rename = "schema")]
    _schema: u32,
}

/// Writes a diagnosis without what identifies the machine or its owner: UUIDs, serial numbers, names
/// of programs, the home folder. Devices keep distinct names, so that it still holds together.
///
/// # Errors
///
/// [`Failure::Bug`] when it cannot be written as JSON.
pub fn anonymous(diagnosis: &Diagnosis, home: Option<&str>) -> Result<String, Failure> {
    let mut diagnosis = diagnosis.clone();
    let mut serials = Vec::new();
    for device in &mut diagnosis.report.devices {
        if let Some(serial) = device.nvml.serial.take() {
            serials.push(serial);
            device.absent.set("serial", Reason::Removed);
        }
        for process in device.nvml.processes.iter_mut().flatten() {
            if process.name.take().is_some() {
                process.absent.set("name", Reason::Removed);
            }
        }
    }
    let bug = |error: serde_json::Error| Failure::Bug(error.to_string());
    let mut text = serde_json::to_string_pretty(&diagnosis).map_err(bug)?;
    for (place, device) in diagnosis.report.devices.iter().enumerate() {
        if let Some((kind @ ("GPU-" | "MIG-"), bare)) = device.uuid.split_at_checked(4) {
            text = text.replace(&device.uuid, &format!("{kind}removed-{place}"));
            text = text.replace(bare, &format!("removed-{place}"));
            // CUDA_VISIBLE_DEVICES may name a device by the beginning of its UUID.
            if let Some((beginning, _)) = bare.split_once('-') {
                text = text.replace(
                    &format!("{kind}{beginning}"),
                    &format!("{kind}removed-{place}"),
                );
            }
        }
    }
    for serial in serials.iter().filter(|serial| serial.len() > 4) {
        text = text.replace(serial.as_str(), "removed");
    }
    if let Some(home) = home.filter(|home| home.len() > 1) {
        // As JSON writes it, without the quotes.
        let written = serde_json::to_string(home).map_err(bug)?;
        text = text.replace(written.trim_matches('"'), "~");
    }
    Ok(text)
}
