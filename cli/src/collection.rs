//! Asking each library in a process of its own, so that one that hangs or crashes costs its own
//! part of the report and nothing else.

use std::env;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cuwhy_device_state as state;
use serde::Serialize;
use serde::de::DeserializeOwned;
use state::{
    CudaPart, Depth, Host, Library, Machine, NvmlPart, Problem, Report, Sources, Status,
    Surroundings, Tool,
};

/// What is asked for, and whom.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// How much.
    pub depth: Depth,
    /// Whether NVML is asked.
    pub nvml: bool,
    /// Whether CUDA is asked.
    pub cuda: bool,
    /// How long each part may take.
    pub limit: Duration,
}

/// The parts that are asked for in processes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// NVML.
    Nvml,
    /// CUDA.
    Cuda,
    /// Library files.
    Libraries,
    /// What can be tried of each device; creates contexts.
    Probe,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Nvml => "nvml",
            Self::Cuda => "cuda",
            Self::Libraries => "libraries",
            Self::Probe => "probe",
        }
    }
}

/// Collects a report about this machine.
pub fn collect(request: Request) -> Report {
    let elsewhere = Elsewhere {
        limit: request.limit,
        surroundings: Surroundings::here(),
        lost: std::sync::Mutex::new(Vec::new()),
    };
    let sources = Sources {
        nvml: request.nvml.then_some(&elsewhere as &dyn state::Nvml),
        cuda: request.cuda.then_some(&elsewhere as &dyn state::Cuda),
        machine: &elsewhere,
    };
    let mut report = state::collect(sources, request.depth, tool());
    let lost = elsewhere.lost.into_inner().unwrap_or_default();
    report.problems.extend(lost);
    report
}

/// Who writes reports.
pub fn tool() -> Tool {
    Tool {
        name: "cuwhy".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// Sources that live in child processes.
struct Elsewhere {
    limit: Duration,
    surroundings: Surroundings,
    lost: std::sync::Mutex<Vec<Problem>>,
}

impl state::Nvml for Elsewhere {
    fn ask(&self, depth: Depth) -> NvmlPart {
        ask(Part::Nvml, depth, &[], self.limit).unwrap_or_else(|status| NvmlPart {
            status,
            ..NvmlPart::default()
        })
    }
}

impl state::Cuda for Elsewhere {
    fn ask(&self, depth: Depth) -> CudaPart {
        ask(Part::Cuda, depth, &[], self.limit).unwrap_or_else(|status| CudaPart {
            status,
            ..CudaPart::default()
        })
    }
}

impl Machine for Elsewhere {
    fn look(&self) -> Host {
        self.surroundings.look()
    }

    fn libraries(&self, depth: Depth) -> Vec<Library> {
        // The overview wants versions only, which the files' names tell.
        if depth == Depth::Overview {
            return self.surroundings.search(depth, &state::wanted_functions);
        }
        ask(Part::Libraries, depth, &[], self.limit).unwrap_or_else(|status: Status| {
            if let Ok(mut lost) = self.lost.lock() {
                lost.push(Problem {
                    part: "libraries".into(),
                    device: None,
                    message: status.describe(),
                });
            }
            self.surroundings.search(depth, &state::wanted_functions)
        })
    }
}

/// The libraries, with those opened that must be opened to learn more.
pub fn libraries(depth: Depth) -> Vec<Library> {
    let surroundings = Surroundings::here();
    let mut libraries = state::chosen_libraries(&surroundings);
    let mut found = surroundings.search(depth, &state::wanted_functions);
    for library in &mut found {
        state::ask_runtime_version(library);
    }
    libraries.append(&mut found);
    libraries
}

/// Runs this program again for one part, and reads its answer.
///
/// # Errors
///
/// How asking ended, when there is no answer.
pub fn ask<T: DeserializeOwned>(
    part: Part,
    depth: Depth,
    more: &[String],
    limit: Duration,
) -> Result<T, Status> {
    let crashed = |message: String| Status::Crashed { message };
    let program = env::current_exe()
        .map_err(|error| crashed(format!("this program cannot find itself: {error}")))?;
    let depth = match depth {
        Depth::Overview => "overview",
        Depth::Everything => "everything",
    };
    let child = Command::new(program)
        .args(["ask", part.word(), depth])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| crashed(format!("this program cannot start itself: {error}")))?;
    match finish(child, limit) {
        Ending::Answer(answer) => serde_json::from_str(&answer)
            .map_err(|error| crashed(format!("its answer cannot be read: {error}"))),
        Ending::TimedOut => Err(Status::TimedOut {
            limit_milliseconds: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
        }),
        Ending::Died { complaints, status } => {
            let last = complaints.trim().lines().last().unwrap_or("").to_owned();
            let how = ending(status);
            Err(crashed(if last.is_empty() {
                how
            } else {
                format!("{how}: {last}")
            }))
        }
    }
}

/// Says how a process ended.
fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(6), _) => "signal 6 (SIGABRT)".into(),
        (Some(9), _) => "signal 9 (SIGKILL)".into(),
        (Some(11), _) => "signal 11 (SIGSEGV)".into(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "unknown ending".into(),
    }
}

/// How asking in another process ended.
#[derive(Debug)]
enum Ending {
    /// It answered.
    Answer(String),
    /// It did not answer in time.
    TimedOut,
    /// It ended without an answer.
    Died {
        complaints: String,
        status: ExitStatus,
    },
}

/// What stands before an answer: libraries may print lines of their own accord.
const MARK: &str = "cuwhy answers: ";

/// Waits for the answer of a child; after the limit it is killed.
///
/// Whoever has answered is not waited for: a driver takes its time to let a process go.
fn finish(mut child: Child, limit: Duration) -> Ending {
    let end = Instant::now() + limit;
    let left = || end.saturating_duration_since(Instant::now());
    let answer = answer_in(child.stdout.take());
    let complaints = all_of(child.stderr.take());
    let ending = match answer.recv_timeout(left()) {
        Ok(Some(answer)) => Ending::Answer(answer),
        Ok(None) => {
            let complaints = complaints.recv_timeout(left()).unwrap_or_default();
            match wait_until(&mut child, end) {
                Some(status) => Ending::Died { complaints, status },
                None => Ending::TimedOut,
            }
        }
        Err(_) => Ending::TimedOut,
    };
    if matches!(ending, Ending::TimedOut) {
        drop(child.kill());
    }
    // A process that is stuck in the kernel ends when the kernel lets go, and that may be never.
    thread::spawn(move || child.wait());
    ending
}

fn wait_until(child: &mut Child, end: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_micros(50);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Sends the line that is an answer as soon as it is whole, or `None` when there is none.
fn answer_in(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Option<String>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let lines = stream.map(|stream| BufReader::new(stream).split(b'\n'));
        let answer = lines
            .into_iter()
            .flatten()
            .map_while(Result::ok)
            .find_map(|line| {
                let line = String::from_utf8_lossy(&line).into_owned();
                line.strip_prefix(MARK).map(str::to_owned)
            });
        drop(send.send(answer));
    });
    receive
}

/// Sends all that a stream says, at its end.
fn all_of(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What could be read before a failure is still worth having.
            drop(stream.read_to_end(&mut bytes));
        }
        drop(send.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    receive
}

/// Writes a part as the line that the process which asked waits for.
///
/// # Errors
///
/// When it cannot be written as JSON, which is a mistake in this program.
pub fn encode(part: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(format!("{MARK}{}", serde_json::to_string(part)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Ending {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        finish(child, limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_child_that_sleeps_is_ended() {
        let begin = Instant::now();
        let ending = shell("exec sleep 600", Duration::from_millis(50));
        assert!(matches!(ending, Ending::TimedOut));
        assert!(begin.elapsed() < LONG);
    }

    #[test]
    fn a_child_that_aborts_is_named() {
        let Ending::Died { complaints, status } = shell("echo oh >&2; kill -ABRT $$", LONG) else {
            panic!("it ended otherwise");
        };
        assert_eq!(ending(status), "signal 6 (SIGABRT)");
        assert_eq!(complaints, "oh\n");
    }

    #[test]
    fn an_answer_is_found_among_other_lines_and_is_enough() {
        let begin = Instant::now();
        let script = "echo noise; echo 'cuwhy answers: {}'; exec sleep 5";
        assert!(matches!(shell(script, LONG), Ending::Answer(answer) if answer == "{}"));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_long_answer_arrives_whole() {
        let script = "printf 'cuwhy answers: '; head -c 1000000 /dev/zero | tr '\\0' x; echo";
        assert!(matches!(shell(script, LONG), Ending::Answer(answer) if answer.len() == 1_000_000));
    }

    #[test]
    fn half_an_answer_is_none() {
        let ending = shell("exit 3", LONG);
        assert!(matches!(ending, Ending::Died { .. }));
    }
}
