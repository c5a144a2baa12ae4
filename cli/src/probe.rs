//! Trying what devices claim, in processes of their own.

use std::time::Duration;

use cuwhy_device_state::probe::{TRIALS, Tried};
use cuwhy_device_state::{Capability, Depth, Problem, Reason, Report, Status};

use crate::collection::{Part, ask};

/// Tries every device that CUDA lists, and writes into the report what came of it.
///
/// All trials of a device share a process; when that dies or hangs, each gets one of its own.
pub fn run(report: &mut Report, limit: Duration) {
    let mut problems = Vec::new();
    for device in &mut report.devices {
        let (Some(ordinal), Some(capabilities)) =
            (device.cuda_index, device.cuda.capabilities.as_mut())
        else {
            continue;
        };
        let keys: Vec<&str> = TRIALS.iter().map(|trial| trial.key).collect();
        let mut answers = match tries(ordinal, &keys, limit) {
            Ok(all) => all,
            Err(_) => TRIALS
                .iter()
                .flat_map(|trial| {
                    tries(ordinal, &[trial.key], limit).unwrap_or_else(|status| {
                        problems.push(Problem {
                            part: "probe".into(),
                            device: Some(device.uuid.clone()),
                            message: format!("{}: {}", trial.key, status.describe()),
                        });
                        // A trial that crashes or hangs is an answer: it does not work.
                        vec![Tried {
                            key: trial.key.to_owned(),
                            works: Some(false),
                            reason: None,
                            evidence: format!("{}: {}", trial.what, status.describe()),
                        }]
                    })
                })
                .collect(),
        };
        for tried in answers.drain(..) {
            if let Some(capability) = capabilities.get_mut(&tried.key) {
                note(capability, tried);
            }
        }
    }
    report.problems.append(&mut problems);
}

fn tries(ordinal: u32, keys: &[&str], limit: Duration) -> Result<Vec<Tried>, Status> {
    let mut what = vec![ordinal.to_string()];
    what.extend(keys.iter().map(|key| (*key).to_owned()));
    ask(Part::Probe, Depth::Everything, &what, limit)
}

fn note(capability: &mut Capability, tried: Tried) {
    capability.evidence = Some(tried.evidence);
    capability.probed = tried.works;
    match (tried.works, tried.reason) {
        (Some(_), _) => {
            capability.absent.0.remove("probed");
        }
        (None, reason) => capability
            .absent
            .set("probed", reason.unwrap_or(Reason::NotProbed)),
    }
}
