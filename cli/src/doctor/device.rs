//! Checks of each device.

use cuwhy_device_state::{Device, Kind, Report};

use super::check::{Outcome, Word};
use crate::quantity::count;

/// How a device is called in a check: by both indices.
pub(super) fn name(device: &Device) -> String {
    let mut names = Vec::new();
    names.extend(device.cuda_index.map(|index| format!("cuda:{index}")));
    names.extend(device.nvml_index.map(|index| format!("nvml:{index}")));
    if names.is_empty() {
        device.uuid.clone()
    } else {
        names.join(" = ")
    }
}

/// What one device shows: how bad it is, and what.
type Sign = (Word, String);

/// Looks at every device, and says the worst.
fn each(
    report: &Report,
    sentence: &str,
    next: &str,
    look: impl Fn(&Device) -> Option<Vec<Sign>>,
) -> Outcome {
    let mut known = 0;
    let mut evidence = Vec::new();
    let mut worst = Word::Pass;
    for device in &report.devices {
        let Some(signs) = look(device) else { continue };
        known += 1;
        for (word, sign) in signs {
            worst = worst.max(word);
            evidence.push((name(device), sign));
        }
    }
    match (known, worst) {
        (0, _) => Outcome::skip("no device tells"),
        (_, Word::Fail) => Outcome::fail(sentence).saw_all(evidence).next(next),
        (_, Word::Warn) => Outcome::warn(sentence).saw_all(evidence).next(next),
        _ => Outcome::pass(count(known, "device")),
    }
}

/// `device.mode`.
pub(super) fn mode(report: &Report) -> Outcome {
    each(
        report,
        "a device does not let programs create contexts freely",
        "nvidia-smi -i INDEX -c DEFAULT (as root) allows everybody; or use another device",
        |device| {
            let mode = device.nvml.compute_mode.as_deref()?;
            let users = device.nvml.processes.as_ref().map_or(0, Vec::len);
            Some(match mode {
                "prohibited" => vec![(Word::Fail, "compute mode is prohibited".into())],
                "exclusive_process" | "exclusive_thread" if users > 0 => vec![(
                    Word::Warn,
                    format!(
                        "compute mode is {mode}, and {} has it",
                        count(users, "program")
                    ),
                )],
                _ => Vec::new(),
            })
        },
    )
}

/// `device.mig`.
pub(super) fn mig(report: &Report) -> Outcome {
    let split: Vec<&Device> = report
        .devices
        .iter()
        .filter(|device| device.nvml.mig_enabled == Some(true))
        .collect();
    let pending: Vec<&Device> = report
        .devices
        .iter()
        .filter(|device| {
            device.nvml.mig_enabled.is_some()
                && device.nvml.mig_enabled != device.nvml.mig_pending_enabled
        })
        .collect();
    for gpu in &split {
        let instances = report
            .devices
            .iter()
            .filter(|device| device.parent_uuid.as_deref() == Some(gpu.uuid.as_str()))
            .count();
        if instances == 0 {
            return Outcome::fail("a GPU is split by MIG and has no instance that could be used")
                .saw(name(gpu), "MIG is on, no instance is listed")
                .next("create instances (nvidia-smi mig -cgi ... -C), or switch MIG off (nvidia-smi -i INDEX -mig 0)");
        }
    }
    if let Some(gpu) = pending.first() {
        return Outcome::warn("a change of MIG mode waits for a reset")
            .saw(name(gpu), "MIG mode and pending MIG mode differ")
            .next("nvidia-smi --gpu-reset -i INDEX, or reboot");
    }
    let instances = report
        .devices
        .iter()
        .filter(|device| device.kind == Kind::Mig)
        .count();
    if split.is_empty() && instances == 0 {
        Outcome::pass("not in use")
    } else {
        Outcome::pass(count(instances, "instance"))
    }
}

/// `device.health`.
pub(super) fn health(report: &Report) -> Outcome {
    each(
        report,
        "a device reports errors",
        "drain the device and do what the driver asks for (nvidia-smi --gpu-reset, reboot); if it comes back, have the board replaced",
        |device| {
            let fields = &device.nvml;
            let told = fields.ecc_uncorrected_volatile.is_some()
                || fields.remapped_rows_pending.is_some()
                || fields.retired_pages_pending.is_some()
                || fields.recovery_action.is_some();
            if !told {
                return None;
            }
            let mut signs = Vec::new();
            if let Some(action) = fields
                .recovery_action
                .as_deref()
                .filter(|action| *action != "none")
            {
                signs.push((Word::Fail, format!("the driver asks for: {action}")));
            }
            if fields.remapped_rows_failed == Some(true) {
                signs.push((Word::Fail, "replacing a memory row failed".into()));
            }
            if let Some(errors) = fields.ecc_uncorrected_volatile.filter(|errors| *errors > 0) {
                signs.push((
                    Word::Warn,
                    format!("{errors} uncorrected memory errors since the driver started"),
                ));
            }
            if fields.remapped_rows_pending == Some(true) {
                signs.push((
                    Word::Warn,
                    "a memory row waits to be replaced at the next reset".into(),
                ));
            }
            if fields.retired_pages_pending == Some(true) {
                signs.push((
                    Word::Warn,
                    "a memory page waits to be retired at the next reset".into(),
                ));
            }
            Some(signs)
        },
    )
}

/// `device.clocks`.
pub(super) fn clocks(report: &Report) -> Outcome {
    each(
        report,
        "a device is slowed down",
        "look after cooling and power supply; nvidia-smi -q -d PERFORMANCE shows the same reasons",
        |device| {
            let reasons = device.nvml.clocks_event_reasons.as_ref()?;
            Some(
                reasons
                    .iter()
                    .filter_map(|reason| {
                        let words = match reason.as_str() {
                            "hw_thermal_slowdown" => "too hot (hardware)",
                            "sw_thermal_slowdown" => "too hot (software)",
                            "hw_power_brake_slowdown" => "power brake from outside",
                            // Set together with one of those above.
                            "hw_slowdown" if reasons.len() == 1 => "hardware slowdown",
                            _ => return None,
                        };
                        let degrees = device
                            .nvml
                            .temperature_celsius
                            .map_or(String::new(), |degrees| format!(", {degrees} C"));
                        Some((Word::Warn, format!("{words}: {reason}{degrees}")))
                    })
                    .collect(),
            )
        },
    )
}

/// `device.link`.
pub(super) fn link(report: &Report) -> Outcome {
    each(
        report,
        "a device has a narrower link than it could have",
        "reseat the board or its riser, look at the slot's own width and the BIOS; copies are slower by the same factor",
        |device| {
            let fields = &device.nvml;
            let (width, most) = fields.pcie_width.zip(fields.pcie_width_maximum)?;
            let mut signs = Vec::new();
            if width < most && width > 0 {
                signs.push((Word::Warn, format!("{width} of {most} PCIe lanes")));
            }
            // The generation drops when nobody uses the device, which is no fault.
            let busy = fields.utilisation_percent.unwrap_or(0) > 0;
            if let (true, Some(now), Some(best)) =
                (busy, fields.pcie_generation, fields.pcie_generation_maximum)
                && now < best
            {
                signs.push((
                    Word::Warn,
                    format!("PCIe generation {now} of {best} while a kernel runs"),
                ));
            }
            Some(signs)
        },
    )
}
