//! Checks of memory: what is claimed against what was tried.

use cuwhy_device_state::{Report, Sandbox, capability};

use super::check::{Outcome, Word};
use super::device::name;

/// `memory.pinned`.
pub(super) fn pinned(report: &Report) -> Outcome {
    compare(
        report,
        &["unified_addressing", "map_host", "host_native_atomics"],
    )
}

/// `memory.register`.
pub(super) fn register(report: &Report) -> Outcome {
    compare(
        report,
        &[
            "host_register",
            "host_register_read_only",
            "registered_pointer_same",
        ],
    )
}

/// `memory.managed`.
pub(super) fn managed(report: &Report) -> Outcome {
    compare(report, &["managed", "concurrent_managed"])
}

/// `memory.pool`.
pub(super) fn pool(report: &Report) -> Outcome {
    compare(report, &["pools", "host_pools", "host_numa_pools"])
}

/// `memory.vmm`.
pub(super) fn vmm(report: &Report) -> Outcome {
    compare(
        report,
        &[
            "virtual_memory",
            "host_virtual_memory",
            "host_numa_virtual_memory",
            "dma_buf",
        ],
    )
}

/// `memory.pageable`.
pub(super) fn pageable(report: &Report) -> Outcome {
    let outcome = compare(report, &["pageable"]);
    if outcome.word > Word::Pass && outcome.word != Word::Skip {
        return outcome;
    }
    for device in &report.devices {
        let claimed = |key: &str| device.cuda.capabilities.as_ref()?.get(key)?.claimed;
        let (Some(pageable), Some(mode)) =
            (claimed("pageable"), device.nvml.addressing_mode.as_deref())
        else {
            continue;
        };
        let tables = claimed("pageable_host_page_tables").unwrap_or(false);
        let agree = match mode {
            "none" => !pageable,
            "hmm" => pageable && !tables,
            "ats" => pageable && tables,
            _ => true,
        };
        if !agree {
            return Outcome::warn("NVML and CUDA disagree on access to pageable memory")
                .saw(
                    name(device),
                    format!(
                        "NVML addressing mode {mode}; CUDA pageable access {}, through host page tables {}",
                        word(pageable),
                        word(tables)
                    ),
                )
                .next("trust CUDA's attributes, and try with --probe");
        }
    }
    outcome
}

fn word(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// Compares claims with behaviour, for every device.
fn compare(report: &Report, keys: &[&str]) -> Outcome {
    let mut claims = Vec::new();
    let mut evidence = Vec::new();
    let mut tried = 0;
    let mut untried = Vec::new();
    let mut failed = None;
    let mut devices = 0;
    let mut differ: Vec<String> = Vec::new();
    for device in &report.devices {
        let Some(capabilities) = &device.cuda.capabilities else {
            continue;
        };
        devices += 1;
        for key in keys {
            let Some(known) = capabilities.get(*key) else {
                continue;
            };
            let Some(claimed) = known.claimed else {
                continue;
            };
            let meaning = capability(key);
            let label = meaning.map_or(*key, |meaning| meaning.label);
            if devices == 1 {
                claims.push(format!("{label}: {}", word(claimed)));
            }
            let Some(probed) = known.probed else {
                untried.extend((devices == 1).then_some(label));
                failed = failed.or(known.evidence.as_ref());
                continue;
            };
            tried += 1;
            if probed == claimed {
                continue;
            }
            let attribute = meaning.map_or("", |meaning| meaning.attribute);
            evidence.push((
                "claimed".to_owned(),
                format!(
                    "{} on {}",
                    format_args!("{attribute} = {}", u8::from(claimed)),
                    name(device)
                ),
            ));
            evidence.push((
                "probed".to_owned(),
                known
                    .evidence
                    .clone()
                    .unwrap_or_else(|| word(probed).into()),
            ));
            let sentence = if claimed {
                format!("{label}: claimed, but it fails")
            } else {
                format!("{label}: not claimed, but it works")
            };
            if !differ.contains(&sentence) {
                differ.push(sentence);
            }
        }
    }
    if devices == 0 {
        return Outcome::skip("CUDA describes no device");
    }
    if differ.is_empty() {
        let claims = claims.join(", ");
        return if claims.is_empty() {
            Outcome::skip("this driver does not know the attribute")
        } else if tried > 0 {
            let rest = if untried.is_empty() {
                String::new()
            } else {
                format!("; not tried: {}", untried.join(", "))
            };
            Outcome::pass(format!("{claims}; tried, and so it is{rest}"))
        } else if let Some(evidence) = failed {
            Outcome::warn(format!("{claims} (claimed), and nothing could be tried"))
                .saw("tried", evidence.clone())
                .next("look at what failed; then try again with --probe")
        } else {
            Outcome::pass(format!("{claims} (claimed; --probe tries it)"))
        };
    }
    let mut outcome = Outcome::warn(differ.join("; ")).saw_all(evidence);
    let sandbox = report
        .host
        .sandbox
        .iter()
        .find(|mark| mark.kind != Sandbox::Container)
        .or(report.host.sandbox.first());
    if let Some(mark) = sandbox {
        let kind = match mark.kind {
            Sandbox::Gvisor => "gVisor",
            Sandbox::Wsl => "WSL",
            Sandbox::Container => "container",
        };
        outcome = outcome.saw("context", kind);
    }
    outcome.next(if devices > 0 && !report.host.sandbox.is_empty() {
        "use device or pinned memory here; the attribute cannot be trusted in this sandbox"
    } else {
        "do not rely on the attribute on this machine; please report it with `cuwhy doctor --probe --save FILE`"
    })
}
