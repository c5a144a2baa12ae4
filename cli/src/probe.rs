//! Trying what devices claim, in processes of their own.

use std::time::Duration;

use cuwhy_device_state::probe::{TRIALS, Tried, UNTRIED};
use cuwhy_device_state::{Capability, Depth, Problem, Reason, Report, Status};

use crate::collection::{Part, ask};

/// What came of one trial, or of its process.
type Answer = Result<Tried, Status>;

/// Makes the trials of these keys in one process.
type Ways<'a> = &'a dyn Fn(&[&str]) -> Result<Vec<Tried>, Status>;

/// Tries every device that CUDA lists, and writes into the report what came of it.
pub fn run(report: &mut Report, limit: Duration) {
    let mut problems = Vec::new();
    for device in &mut report.devices {
        let (Some(ordinal), Some(capabilities)) =
            (device.cuda_index, device.cuda.capabilities.as_mut())
        else {
            continue;
        };
        for (key, tried) in all(&|keys| tries(ordinal, keys, limit)) {
            if let Err(status) = &tried {
                problems.push(Problem {
                    part: "probe".into(),
                    device: Some(device.uuid.clone()),
                    message: format!("{key}: {}", status.describe()),
                });
            }
            if let Some(capability) = capabilities.get_mut(key) {
                note(capability, answer(key, tried));
            }
        }
        for (key, why) in UNTRIED {
            if let Some(capability) = capabilities.get_mut(*key) {
                capability.evidence = Some(format!("not tried: {why}"));
            }
        }
    }
    report.problems.append(&mut problems);
}

/// Every trial, with what came of it or of its process.
///
/// They share a process as long as that goes on. One that leaves its context unusable ends its process
/// and is an answer; the rest goes on in another. When a process dies or hangs, nobody knows in which
/// trial: then each of the rest gets a process of its own.
fn all(tries: Ways<'_>) -> Vec<(&'static str, Answer)> {
    let mut left: Vec<&'static str> = TRIALS.iter().map(|trial| trial.key).collect();
    let mut done = Vec::new();
    while !left.is_empty() {
        let Ok(answers) = tries(&left) else { break };
        let before = left.len();
        for tried in answers {
            if let Some(place) = left.iter().position(|key| *key == tried.key) {
                done.push((left.remove(place), Ok(tried)));
            }
        }
        if left.len() == before {
            break;
        }
    }
    for key in left {
        let answer = tries(&[key]).map(|mut answers| answers.pop());
        let answer = match answer {
            Ok(Some(tried)) => Ok(tried),
            Ok(None) => Err(Status::Crashed {
                message: "it ended without an answer".into(),
            }),
            Err(status) => Err(status),
        };
        done.push((key, answer));
    }
    done
}

/// A trial that crashes or hangs is an answer: it does not work.
fn answer(key: &str, tried: Answer) -> Tried {
    tried.unwrap_or_else(|status| {
        let what = TRIALS.iter().find(|trial| trial.key == key);
        let what = what.map_or(key, |trial| trial.what);
        Tried {
            key: key.to_owned(),
            works: Some(false),
            reason: None,
            evidence: format!("{what}: {}", status.describe()),
        }
    })
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use cuwhy_device_state::Status;
    use cuwhy_device_state::probe::{TRIALS, Tried};

    use super::{all, answer};

    fn works(key: &str) -> Tried {
        Tried {
            key: key.to_owned(),
            works: Some(true),
            reason: None,
            evidence: String::new(),
        }
    }

    /// Every trial works, but the process dies of one of them.
    fn with_a_deadly_one(deadly: &str, keys: &[&str]) -> Result<Vec<Tried>, Status> {
        if keys.contains(&deadly) {
            let message = "signal 11".to_owned();
            return Err(Status::Crashed { message });
        }
        Ok(keys.iter().map(|key| works(key)).collect())
    }

    #[test]
    fn one_that_kills_its_process_takes_no_other_along() {
        let answers = all(&|keys| with_a_deadly_one("managed", keys));
        assert_eq!(answers.len(), TRIALS.len());
        for (key, tried) in answers {
            let tried = answer(key, tried);
            assert_eq!(tried.works, Some(key != "managed"), "{key}");
            assert_eq!(tried.evidence.contains("signal 11"), key == "managed");
        }
    }

    #[test]
    fn what_an_unusable_context_left_undone_goes_on_in_another_process() {
        let processes = RefCell::new(Vec::new());
        let answers = all(&|keys| {
            processes.borrow_mut().push(keys.len());
            let end = keys.iter().position(|key| *key == "pools");
            let made = &keys[..end.map_or(keys.len(), |end| end + 1)];
            Ok(made.iter().map(|key| works(key)).collect())
        });
        assert_eq!(answers.len(), TRIALS.len());
        assert!(answers.iter().all(|(_, tried)| tried.is_ok()));
        assert_eq!(processes.borrow().len(), 2);
    }

    #[test]
    fn a_process_that_never_answers_is_not_asked_for_ever() {
        let asked = RefCell::new(0);
        let answers = all(&|_| {
            *asked.borrow_mut() += 1;
            Ok(Vec::new())
        });
        assert_eq!(*asked.borrow(), 1 + TRIALS.len());
        assert!(answers.iter().all(|(_, tried)| tried.is_err()));
    }
}
