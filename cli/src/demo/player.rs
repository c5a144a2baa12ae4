//! The other process, as this one sees it: asked, listened to, and replaced when it is gone.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use cuwhy_validate::Prediction;
use cuwhy_validate::repro::{Answer, Which};
use serde_json::{Value, json};

use super::chosen::Chosen;
use super::play::{Answered, Judged, Line, Said};
use crate::failure::Failure;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(60);
const PAGE: u64 = 4096;
/// Where the simulator's settings are.
const SIM: &str = "CUWHY_SIM";

/// What came of one call.
#[derive(Debug)]
pub(super) enum Played {
    /// It was judged and made.
    Made(Made),
    /// It cannot be shown here.
    Skipped(String),
}

/// A call that was judged and made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) call: String,
    pub(super) predicted: Value,
    pub(super) answered: Value,
    pub(super) answered_words: String,
    pub(super) agrees: bool,
    /// What is wrong with it.
    pub(super) complaints: Vec<String>,
    pub(super) said: Said,
}

/// Plays reproducers in another process, and in a new one whenever a call was the last of the old.
#[derive(Debug)]
pub(super) struct Player {
    width: usize,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    /// The simulator's setting that it was started with.
    setting: Option<&'static str>,
    child: Child,
    asks: ChildStdin,
    says: Receiver<String>,
}

impl Player {
    pub(super) const fn new(width: usize) -> Self {
        Self {
            width,
            running: None,
        }
    }

    /// Shows one of the two calls of a reproducer.
    ///
    /// # Errors
    ///
    /// [`Failure::Failed`] where the other process cannot be started, or says nothing that can be read.
    pub(super) fn play(&mut self, chosen: &Chosen, which: Which) -> Result<Played, Failure> {
        let word = match which {
            Which::Wrong => "wrong",
            Which::Right => "right",
        };
        let mut running = self.ready(chosen.reproducer.setting)?;
        let asked = writeln!(running.asks, "{} {word}", chosen.index);
        asked.map_err(|cause| failed("the other process does not listen", cause))?;
        let judged = match running.line()? {
            Some(Line::Judged(judged)) => judged,
            Some(Line::Skipped { why, last }) => {
                self.keep(running, last);
                return Ok(Played::Skipped(why));
            }
            Some(Line::Answered(_)) => {
                return Err(Failure::Bug("a call was made before it was judged".into()));
            }
            Some(Line::Fault { .. }) | None => {
                return Ok(Played::Made(Made::gone(running.end())));
            }
        };
        match running.line()? {
            Some(Line::Answered(answered)) => {
                self.keep(running, answered.last);
                Ok(Played::Made(Made::returned(judged, answered)))
            }
            Some(Line::Skipped { why, last }) => {
                self.keep(running, last);
                Ok(Played::Skipped(why))
            }
            Some(Line::Judged(_)) => Err(Failure::Bug("a call was judged twice".into())),
            Some(Line::Fault { address, .. }) => {
                let made = Made::died(judged, running.end(), Some(address));
                Ok(Played::Made(made))
            }
            None => Ok(Played::Made(Made::died(judged, running.end(), None))),
        }
    }

    /// Keeps the process for the next call, unless this was its last.
    fn keep(&mut self, running: Running, last: bool) {
        if last {
            running.end();
        } else {
            self.running = Some(running);
        }
    }

    /// The process that is there, or a new one.
    fn ready(&mut self, setting: Option<&'static str>) -> Result<Running, Failure> {
        match self.running.take() {
            Some(running) if running.setting == setting => Ok(running),
            other => {
                other.map(Running::end);
                Running::start(self.width, setting)
            }
        }
    }
}

impl Running {
    fn start(width: usize, setting: Option<&'static str>) -> Result<Self, Failure> {
        let program =
            env::current_exe().map_err(|cause| failed("this program cannot find itself", cause))?;
        let mut command = Command::new(program);
        if let Some(setting) = setting {
            let others = env::var(SIM).unwrap_or_default();
            command.env(SIM, format!("{others},{setting}"));
        }
        let mut child = command
            .args(["demo", "--play", &width.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|cause| failed("this program cannot start itself", cause))?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::Bug("a process has no pipes".into()));
        };
        let (to, says) = channel();
        thread::spawn(move || {
            for line in BufReader::new(answers).lines() {
                let Ok(line) = line else { break };
                if to.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            setting,
            child,
            asks,
            says,
        })
    }

    /// The next line; none when the process is gone, or silent for too long.
    fn line(&self) -> Result<Option<Line>, Failure> {
        match self.says.recv_timeout(PATIENCE) {
            Ok(line) => {
                let line = serde_json::from_str(&line);
                line.map(Some).map_err(|cause| {
                    failed("the other process says what nobody understands", cause)
                })
            }
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => Ok(None),
        }
    }

    /// Waits for the end of a process that ends by itself, and makes one that does not.
    fn end(self) -> End {
        let Self {
            mut child, asks, ..
        } = self;
        drop(asks);
        for _ in 0..1000 {
            match child.try_wait() {
                Ok(Some(status)) => {
                    return match (status.signal(), status.code()) {
                        (Some(signal), _) => End::Signal(signal),
                        (None, Some(code)) => End::Code(code),
                        (None, None) => End::Unknown,
                    };
                }
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                Err(_) => return End::Unknown,
            }
        }
        // It may be gone meanwhile, which is as good.
        child.kill().ok();
        child.wait().ok();
        End::Unknown
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

/// How the other process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Signal(i32),
    Code(i32),
    Unknown,
}

impl End {
    fn words(self) -> String {
        match self {
            Self::Signal(libc::SIGSEGV) => "SIGSEGV".into(),
            Self::Signal(libc::SIGBUS) => "SIGBUS".into(),
            Self::Signal(signal) => format!("signal {signal}"),
            Self::Code(code) => format!("the end of the process, exit code {code}"),
            Self::Unknown => "nothing for a minute".into(),
        }
    }
}

impl Made {
    fn returned(judged: Judged, answered: Answered) -> Self {
        let mut complaints = judged.complaints;
        if !answered.agrees {
            complaints.push(surprise(&answered.words, &judged.words));
        }
        Self {
            call: judged.call,
            predicted: judged.predicted,
            answered: answered.answered,
            answered_words: answered.words,
            agrees: answered.agrees,
            complaints,
            said: answered.said,
        }
    }

    fn died(judged: Judged, how: End, address: Option<u64>) -> Self {
        let signal = match how {
            End::Signal(signal) => Some(signal),
            End::Code(_) | End::Unknown => None,
        };
        let by_fault = signal.is_some_and(|signal| Answer::Signal(signal).is(Prediction::Crash));
        let there = match (judged.page, address) {
            (Some(page), Some(address)) => address & !(PAGE - 1) == page,
            _ => true,
        };
        let mut words = how.words();
        if let Some(address) = address {
            words.push_str(&format!(" at {address:#x}"));
        }
        let agrees = judged.dies && by_fault && there;
        let mut complaints = judged.complaints;
        if !agrees {
            complaints.push(surprise(&words, &judged.words));
        }
        Self {
            call: judged.call,
            predicted: judged.predicted,
            answered: json!({
                "outcome": "died",
                "signal": signal,
                "address": address.map(|address| format!("{address:#x}")),
            }),
            answered_words: words,
            agrees,
            complaints,
            said: judged.said,
        }
    }

    /// One whose process was gone before it was judged.
    fn gone(how: End) -> Self {
        Self {
            call: String::new(),
            predicted: Value::Null,
            answered: Value::Null,
            answered_words: how.words(),
            agrees: false,
            complaints: vec![format!(
                "before the call was judged there was {}",
                how.words()
            )],
            said: Said::default(),
        }
    }
}

fn surprise(answered: &str, predicted: &str) -> String {
    format!("CUDA answered {answered}, and {predicted} was predicted")
}

fn failed(what: &str, cause: impl core::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Failed {
        what: what.into(),
        cause: Box::new(cause),
    }
}
