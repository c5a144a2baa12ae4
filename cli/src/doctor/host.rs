//! Checks of the machine around the devices.

use cuwhy_device_state::{NodePurpose, Report, Sandbox};

use super::check::Outcome;
use crate::quantity::count;

/// Says whether CUDA works although something that it usually needs is not seen.
fn cuda_works(report: &Report) -> bool {
    report.driver.cuda_status.answered()
}

fn is_wsl(report: &Report) -> bool {
    report
        .host
        .sandbox
        .iter()
        .any(|mark| mark.kind == Sandbox::Wsl)
}

/// `host.module`.
pub(super) fn module(report: &Report) -> Outcome {
    if let Some(version) = &report.host.module_version {
        let file = report.host.module_file.as_deref().unwrap_or("unknown");
        return Outcome::pass(version.clone()).saw("file", file);
    }
    if cuda_works(report) {
        return Outcome::pass("not seen from here, and CUDA works without");
    }
    if is_wsl(report) {
        return Outcome::pass("not needed: under WSL the driver is Windows'");
    }
    let nodes = if report.host.nodes.is_empty() {
        "none".into()
    } else {
        count(report.host.nodes.len(), "node")
    };
    if !report.host.nodes.is_empty() {
        return Outcome::warn("device nodes are here, and no version of the kernel module")
            .saw(
                "looked",
                "/sys/module/nvidia/version, /proc/driver/nvidia/version: absent",
            )
            .saw("nodes", nodes)
            .next(
                "if this is a container, mount the driver with the container runtime's GPU option",
            );
    }
    Outcome::fail("no NVIDIA kernel driver is loaded")
        .saw(
            "looked",
            format!("/sys/module/nvidia/version, /proc/driver/nvidia/version: absent; device nodes: {nodes}"),
        )
        .next("install the driver, or start the container with the GPU passed through")
}

/// `host.nodes`.
pub(super) fn nodes(report: &Report) -> Outcome {
    let nodes = &report.host.nodes;
    let of = |purpose| nodes.iter().filter(move |node| node.purpose == purpose);
    let evidence: Vec<(String, String)> = nodes
        .iter()
        .map(|node| {
            let state = node.error.clone().unwrap_or_else(|| "can be opened".into());
            (node.path.clone(), state)
        })
        .collect();
    if is_wsl(report) {
        return match of(NodePurpose::Wsl).next() {
            Some(node) if node.usable => Outcome::pass(node.path.clone()),
            Some(_) => Outcome::fail("/dev/dxg cannot be opened")
                .saw_all(evidence)
                .next("run as a user who may open /dev/dxg"),
            None if cuda_works(report) => {
                Outcome::pass("not seen from here, and CUDA works without")
            }
            None => Outcome::fail("/dev/dxg is missing")
                .next("use WSL 2 with GPU support; a container under WSL needs --gpus all"),
        };
    }
    let devices = of(NodePurpose::Device).count();
    if nodes.is_empty() {
        return if cuda_works(report) {
            Outcome::pass("none seen from here, and CUDA works without")
        } else {
            Outcome::fail("no device node of the driver").next(
                "load the kernel module (nvidia-modprobe creates the nodes), or pass the GPU into the container",
            )
        };
    }
    let closed: Vec<&str> = nodes
        .iter()
        .filter(|node| !node.usable)
        .map(|node| node.path.as_str())
        .collect();
    if !closed.is_empty() && !cuda_works(report) {
        return Outcome::fail(format!("{} cannot be opened", closed.join(", ")))
            .saw_all(evidence)
            .next("give this user the right to open them (group video or render), or the container the device");
    }
    for (purpose, path) in [
        (NodePurpose::Control, "/dev/nvidiactl"),
        (NodePurpose::UnifiedMemory, "/dev/nvidia-uvm"),
    ] {
        if of(purpose).next().is_none() && !cuda_works(report) {
            return Outcome::fail(format!("{path} is missing"))
                .saw_all(evidence)
                .next("run nvidia-modprobe -u -c 0 as root, or pass the node into the container; without it cuInit answers 999");
        }
    }
    if devices == 0 && !cuda_works(report) {
        return Outcome::fail("no node of a GPU")
            .saw_all(evidence)
            .next("pass /dev/nvidia0 and so on into the container");
    }
    let mut words = vec![count(devices, "device")];
    if of(NodePurpose::Control).next().is_some() {
        words.push("control".into());
    }
    if of(NodePurpose::UnifiedMemory).next().is_some() {
        words.push("unified memory".into());
    }
    if closed.is_empty() {
        Outcome::pass(words.join(", ")).saw_all(evidence)
    } else {
        Outcome::warn(format!("{} cannot be opened", closed.join(", ")))
            .saw_all(evidence)
            .next("if a device is missing, give this user the right to open its node")
    }
}

/// `host.sandbox`.
pub(super) fn sandbox(report: &Report) -> Outcome {
    if report.host.sandbox.is_empty() {
        return Outcome::pass("none detected");
    }
    let name = |kind: Sandbox| match kind {
        Sandbox::Container => "container",
        Sandbox::Wsl => "WSL",
        Sandbox::Gvisor => "gVisor",
    };
    let names: Vec<&str> = report
        .host
        .sandbox
        .iter()
        .map(|mark| name(mark.kind))
        .collect();
    let evidence = report
        .host
        .sandbox
        .iter()
        .map(|mark| (name(mark.kind).to_owned(), mark.evidence.clone()))
        .collect();
    Outcome::pass(names.join(", ")).saw_all(evidence)
}
