//! Checks of CUDA's start and of how it counts.

use cuwhy_device_state::{
    Device, Kind, NodePurpose, Report, Sandbox, Status, Visible, orders_differ,
};

use super::check::Outcome;
use crate::quantity::count;

/// `cuda.init`.
pub(super) fn init(report: &Report) -> Outcome {
    let sandbox: Vec<String> = report
        .host
        .sandbox
        .iter()
        .map(|mark| match mark.kind {
            Sandbox::Container => "container".to_owned(),
            Sandbox::Wsl => "WSL".to_owned(),
            Sandbox::Gvisor => "gVisor".to_owned(),
        })
        .collect();
    let around = |outcome: Outcome| {
        if sandbox.is_empty() {
            outcome
        } else {
            outcome.saw("inside", sandbox.join(", "))
        }
    };
    match &report.driver.cuda_status {
        Status::Answered => Outcome::pass("cuInit succeeded"),
        Status::NotAsked => Outcome::skip("CUDA was not asked (--no-cuda)"),
        Status::TimedOut { limit_milliseconds } => around(Outcome::fail(format!(
            "cuInit did not return within {limit_milliseconds} ms"
        )))
        .next("a hung driver: look into the kernel's log (dmesg | grep -i nvrm), wait with --timeout, or reboot"),
        Status::Crashed { message } => around(Outcome::fail("the process that called cuInit died"))
            .saw("ended", message)
            .next("look into the kernel's log (dmesg | grep -i nvrm); reinstall the driver"),
        Status::Refused { code, name, call } => {
            let next = match code {
                100 => "no device is visible: see host.nodes and cuda.visible, and whether nvidia-smi lists one",
                3 => "the process was forked after CUDA started, or the driver is shutting down",
                35 | 36 => "update the driver",
                46 => "the device is busy or in exclusive mode: see device.mode",
                101 => "correct CUDA_VISIBLE_DEVICES",
                802 => "start nvidia-fabricmanager: the machine has NVSwitch and waits for it",
                803 | 804 => "see library.driver.compat",
                999 => "often /dev/nvidia-uvm is missing or not allowed: see host.nodes; run nvidia-modprobe -u -c 0",
                _ => "look into the kernel's log (dmesg | grep -i nvrm), and whether nvidia-smi works",
            };
            around(Outcome::fail(format!("{call} answers {name} ({code})"))).next(next)
        }
        other => around(Outcome::fail(other.describe()))
            .next("see the checks of libraries above"),
    }
}

/// The devices as CUDA would count them without the variable: NVML's order is by PCI address.
fn whole(report: &Report) -> Vec<&Device> {
    report
        .devices
        .iter()
        .filter(|device| device.kind == Kind::Gpu)
        .collect()
}

/// `cuda.visible`.
pub(super) fn visible(report: &Report) -> Outcome {
    let Some(value) = report.host.environment.get("CUDA_VISIBLE_DEVICES") else {
        return Outcome::pass("CUDA_VISIBLE_DEVICES is not set");
    };
    let said = format!("CUDA_VISIBLE_DEVICES={value}");
    let parsed = Visible::parse(value);
    if parsed.entries.is_empty() {
        let why = parsed
            .cut
            .as_ref()
            .map_or_else(|| "it is empty".to_owned(), |cut| cut.why.clone());
        return Outcome::fail("CUDA_VISIBLE_DEVICES hides every device")
            .saw("set", said)
            .saw("why", why)
            .next("unset it, or name the devices to use");
    }
    // Only a whole list tells whether an index is too high: NVML lists what CUDA hides.
    let counted = if report.driver.nvml_status.answered() {
        let uuids: Vec<String> = report
            .devices
            .iter()
            .map(|device| device.uuid.clone())
            .collect();
        let gpus: Vec<String> = whole(report)
            .iter()
            .map(|device| device.uuid.clone())
            .collect();
        // Numbers count whole GPUs; a UUID may be an instance's.
        let by_number = parsed
            .entries
            .iter()
            .all(|entry| matches!(entry, cuwhy_device_state::Entry::Index(_)));
        Some(parsed.apply(if by_number { &gpus } else { &uuids }))
    } else {
        None
    };
    match counted {
        Some((shown, Some(cut))) => {
            let words = if shown.is_empty() {
                "CUDA_VISIBLE_DEVICES hides every device"
            } else {
                "CUDA_VISIBLE_DEVICES is cut off by an entry that CUDA does not accept"
            };
            let outcome = if shown.is_empty() {
                Outcome::fail(words)
            } else {
                Outcome::warn(words)
            };
            outcome
                .saw("set", said)
                .saw(
                    "entry",
                    format!("number {}, {:?}: {}", cut.place + 1, cut.entry, cut.why),
                )
                .saw("visible", count(shown.len(), "device"))
                .next("correct or remove this entry: CUDA ignores it and everything after it")
        }
        Some((shown, None)) => Outcome::pass(format!("{said}: {}", count(shown.len(), "device"))),
        None => match parsed.cut {
            Some(cut) => Outcome::warn(
                "CUDA_VISIBLE_DEVICES is cut off by an entry that CUDA does not accept",
            )
            .saw("set", said)
            .saw(
                "entry",
                format!("number {}, {:?}: {}", cut.place + 1, cut.entry, cut.why),
            )
            .next("correct or remove this entry: CUDA ignores it and everything after it"),
            None => Outcome::pass(said),
        },
    }
}

/// `cuda.count`.
pub(super) fn counts(report: &Report) -> Outcome {
    let Some(cuda) = report.driver.cuda_devices else {
        return Outcome::skip("CUDA's count is not known");
    };
    let nodes = report
        .host
        .nodes
        .iter()
        .filter(|node| node.purpose == NodePurpose::Device)
        .count();
    let mut words = vec![format!("CUDA {cuda}")];
    words.extend(
        report
            .driver
            .nvml_devices
            .map(|nvml| format!("NVML {nvml}")),
    );
    if nodes > 0 {
        words.push(format!("nodes {nodes}"));
    }
    let words = words.join(", ");
    if cuda == 0 {
        return Outcome::fail("CUDA starts and counts no device")
            .saw("counted", words)
            .next("see cuda.visible, and whether the container was given a GPU");
    }
    let Some(nvml) = report.driver.nvml_devices else {
        return Outcome::pass(words);
    };
    if cuda == nvml {
        return Outcome::pass(words);
    }
    if report.host.environment.contains_key("CUDA_VISIBLE_DEVICES") {
        return Outcome::pass(format!("{words}: CUDA_VISIBLE_DEVICES explains it"));
    }
    let split = report
        .devices
        .iter()
        .any(|device| device.nvml.mig_enabled == Some(true));
    if split {
        return Outcome::pass(format!("{words}: MIG explains it"));
    }
    Outcome::warn("CUDA and NVML count different numbers of devices")
        .saw("counted", words)
        .next("a device may be lost, in prohibited compute mode or without its node: see device.mode, host.nodes and the kernel's log")
}

/// `cuda.order`.
pub(super) fn order(report: &Report) -> Outcome {
    let both = report
        .devices
        .iter()
        .filter(|device| device.nvml_index.is_some() && device.cuda_index.is_some())
        .count();
    if both == 0 {
        return Outcome::skip("no device is listed by both");
    }
    let set = report.host.environment.get("CUDA_DEVICE_ORDER");
    if !orders_differ(&report.devices) {
        return Outcome::pass("nvml and cuda count in the same order");
    }
    let names: Vec<String> = report
        .devices
        .iter()
        .filter_map(|device| {
            Some(format!(
                "nvml:{} = cuda:{}",
                device.nvml_index?, device.cuda_index?
            ))
        })
        .collect();
    match set {
        Some(order) => Outcome::pass(format!(
            "orders differ, as CUDA_DEVICE_ORDER={order} and the variables ask: {}",
            names.join(", ")
        )),
        None if report.host.environment.contains_key("CUDA_VISIBLE_DEVICES") => {
            Outcome::pass(format!(
                "orders differ, as CUDA_VISIBLE_DEVICES asks: {}",
                names.join(", ")
            ))
        }
        None => Outcome::warn("nvml and cuda count these devices in different orders")
            .saw("order", names.join(", "))
            .next("set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name devices by UUID"),
    }
}
