//! The process that sets scenes and makes calls, and may die of one.
//!
//! It reads lines from its standard input - a reproducer's place in the list, and which of its two
//! calls - and answers each with one or two lines of JSON: what was judged, and what came of it.

use std::io::{self, BufRead as _};

use cuda_sys::driver::Driver;
use cuda_sys::runtime::Runtime;
use cuwhy_validate::device_state::describe;
use cuwhy_validate::finding::{Outcome, Style};
use cuwhy_validate::repro::{Answer, Place, Reproducer, Stage, Which, reproducers};
use cuwhy_validate::{Api, Prediction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::last_words;
use crate::commands::demo::glyphs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// What this process says of a call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// It was judged, and is about to be made.
    Judged(Judged),
    /// It was made, and this process lives.
    Answered(Answered),
    /// This process is dying of it.
    Fault { signal: i32, address: u64 },
    /// It cannot be shown here.
    Skipped {
        why: String,
        /// Whether this process is of no use afterwards.
        last: bool,
    },
}

/// A call before it is made.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) call: String,
    /// The prediction, as findings write it.
    pub(super) predicted: Value,
    /// The same in words.
    pub(super) words: String,
    /// Whether this process is expected to die of it.
    pub(super) dies: bool,
    /// In which page, where that was predicted.
    pub(super) page: Option<u64>,
    /// What is wrong with the verdict, for this call.
    pub(super) complaints: Vec<String>,
    pub(super) said: Said,
}

/// A call that returned.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answered {
    /// What it came to, as findings write it.
    pub(super) answered: Value,
    /// The same in words.
    pub(super) words: String,
    /// Whether that was predicted.
    pub(super) agrees: bool,
    /// Whether this process is of no use afterwards.
    pub(super) last: bool,
    pub(super) said: Said,
}

/// Findings, for programs and for people.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) findings: Vec<Value>,
    pub(super) text: String,
}

/// Plays until the standard input ends, or a call leaves this process of no use.
///
/// # Errors
///
/// [`Failure::NoDevice`] where nothing can be played, [`Failure::Output`] when nobody listens.
pub fn play(width: usize, output: &mut Output) -> Result<Exit, Failure> {
    no_core_file();
    last_words::say_them();
    let driver = Driver::get().map_err(|error| Failure::NoDevice(Box::new(error)))?;
    let runtime = Runtime::get().map_err(|error| Failure::NoDevice(Box::new(error)))?;
    let stage = Stage::open(driver, Some(runtime));
    let stage = stage.map_err(|error| Failure::NoDevice(Box::new(error)))?;
    let all = reproducers();
    for line in io::stdin().lock().lines() {
        let Some((one, which)) = line.ok().and_then(|line| read(&line, &all)) else {
            break;
        };
        if !one_call(&stage, &one, which, width, output)? {
            break;
        }
    }
    Ok(Exit::DONE)
}

fn read(line: &str, all: &[Reproducer]) -> Option<(Reproducer, Which)> {
    let (index, which) = line.split_once(' ')?;
    let which = match which {
        "wrong" => Which::Wrong,
        _ => Which::Right,
    };
    let one = all.get(index.parse::<usize>().ok()?)?;
    Some((*one, which))
}

/// Shows one call; says whether this process is still of use.
fn one_call(
    stage: &Stage,
    one: &Reproducer,
    which: Which,
    width: usize,
    output: &mut Output,
) -> Result<bool, Failure> {
    let place = one.place(which);
    let call = match stage.enter().and_then(|()| one.call(stage, which)) {
        Ok(call) => call,
        Err(skip) => {
            let last = place != Place::Here;
            let why = skip.to_string();
            say(&Line::Skipped { why, last }, output)?;
            return Ok(!last);
        }
    };
    if place == Place::Forked && forked()? == Fork::Parent {
        return Ok(false);
    }
    let style = Style {
        width,
        glyphs: glyphs(),
        colour: true,
    };
    let mut verdict = stage.check(&call);
    for finding in &mut verdict.findings {
        finding.device_state = describe(finding);
    }
    let predicted = Outcome::predicted(call.api, verdict.prediction);
    let judged = Judged {
        call: call.text(),
        words: predicted.words(),
        predicted: serde_json::json!(predicted),
        dies: matches!(
            verdict.prediction,
            Prediction::Fault { .. } | Prediction::Crash
        ),
        page: match verdict.prediction {
            Prediction::Fault { page, .. } => Some(page),
            _ => None,
        },
        complaints: one.complaints(which, &verdict),
        said: said(&verdict.findings, &style),
    };
    say(&Line::Judged(judged), output)?;
    let last = place != Place::Here || verdict.prediction.is_deadly();
    let line = match stage.answer(&call) {
        Err(skip) => Line::Skipped {
            why: skip.to_string(),
            last,
        },
        Ok(answer) => {
            let outcome = outcome(call.api, answer);
            for finding in &mut verdict.findings {
                finding.answered = Some(outcome.clone());
            }
            Line::Answered(Answered {
                words: outcome.words(),
                answered: serde_json::json!(outcome),
                agrees: answer.is(verdict.prediction),
                last,
                said: said(&verdict.findings, &style),
            })
        }
    };
    say(&line, output)?;
    if place == Place::Forked {
        // SAFETY: it ends this process, which is a copy, and runs nothing of its parent's.
        unsafe { libc::_exit(0) };
    }
    Ok(!last)
}

/// What a call and the next synchronisation came to.
fn outcome(api: Api, answer: Answer) -> Outcome {
    match answer {
        Answer::Status { status: 0, later } if later != 0 => {
            Outcome::predicted(api, Prediction::ContextDies(later))
        }
        Answer::Status { status, .. } => Outcome::status(api, status),
        Answer::Signal(_) => Outcome::Crash,
    }
}

fn said(findings: &[cuwhy_validate::Finding], style: &Style) -> Said {
    Said {
        findings: findings
            .iter()
            .map(|finding| serde_json::json!(finding))
            .collect(),
        text: findings.iter().map(|finding| finding.text(style)).collect(),
    }
}

fn say(line: &Line, output: &mut Output) -> Result<(), Failure> {
    let text = serde_json::to_string(line).map_err(|error| Failure::Bug(error.to_string()))?;
    output.line(&text)?;
    output.flush()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fork {
    Parent,
    Child,
}

/// Forks; the parent waits for its child.
fn forked() -> Result<Fork, Failure> {
    // SAFETY: the child goes on in this one thread, and what other threads held is of no use to it
    // but memory, whose lock the C library hands on.
    let child = unsafe { libc::fork() };
    if child == 0 {
        return Ok(Fork::Child);
    }
    if child < 0 {
        return Err(Failure::Failed {
            what: "this process cannot fork".into(),
            cause: Box::new(io::Error::last_os_error()),
        });
    }
    let mut status = 0;
    // SAFETY: `child` is a child of this process and `status` a live number.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    Ok(Fork::Parent)
}

/// Calls that kill are made on purpose: nobody wants to keep what is left.
fn no_core_file() {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `none` is a live limit. Where it is refused, a core file is all that is too much.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}
