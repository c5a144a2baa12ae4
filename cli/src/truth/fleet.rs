//! Several workers at work, each replaced when it dies.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::journal::{Header, Journal};
use super::line::{Lines, Next};
use super::record::{Answer, Begun};
use super::tally::Tally;
use super::worker::EPOCH;
use crate::failure::Failure;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides every case.
    pub seed: u64,
    /// The first case.
    pub first: u64,
    /// How many.
    pub cases: u64,
    /// The functions that are called; all where none is named.
    pub only: Vec<String>,
    /// Processes at work.
    pub workers: usize,
    /// How many devices take part: as many as there are, and no more than two, if not said.
    pub devices: Option<u8>,
    /// Variables for the workers.
    pub variables: Vec<(&'static str, OsString)>,
    /// Where finished parts are kept.
    pub journal: Option<PathBuf>,
    /// When to stop although cases are left.
    pub limit: Option<Duration>,
}

/// The workers of one run.
#[derive(Debug)]
pub struct Fleet {
    plan: Plan,
    /// What the workers say that they work with.
    pub machine: String,
    /// How many devices take part.
    pub devices: u8,
    /// Cases that were found done in the journal.
    pub resumed: u64,
    /// How long the work took.
    pub took: Duration,
}

/// A call may take this long, and no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Making a context may take longer while others do.
const START: Duration = Duration::from_secs(60);
const MOST_FAILURES: u32 = 4;

struct Worker {
    child: Child,
    input: ChildStdin,
    lines: Lines,
    ready: bool,
}

enum News {
    Part(u64, Box<Tally>),
    Trouble(String),
}

impl Fleet {
    /// A fleet that has not begun.
    ///
    /// # Errors
    ///
    /// [`Failure::NoDevice`] when a worker cannot work.
    pub fn new(plan: Plan) -> Result<Self, Failure> {
        let mut first = spawn(&plan).map_err(failed)?;
        let (devices, mut machine) =
            greet(&mut first).map_err(|what| Failure::NoDevice(what.into()))?;
        end(first);
        if devices > 1 {
            machine.push_str(&format!(", {devices} devices"));
        }
        let plan = Plan {
            devices: Some(devices),
            ..plan
        };
        Ok(Self {
            plan,
            machine,
            devices,
            resumed: 0,
            took: Duration::ZERO,
        })
    }

    /// Does the work.
    ///
    /// # Errors
    ///
    /// When the journal cannot be written, or no worker can be kept alive.
    pub fn run(&mut self) -> Result<Tally, Failure> {
        let begin = Instant::now();
        let plan = &self.plan;
        let header = Header {
            seed: plan.seed,
            cases: plan.first + plan.cases,
            only: plan.only.clone(),
            machine: self.machine.clone(),
        };
        let (mut journal, done, mut tally) = match &plan.journal {
            None => (Journal::none(), Default::default(), Tally::default()),
            Some(path) => Journal::open(path, &header).map_err(|cause| Failure::Output {
                place: path.display().to_string(),
                cause,
            })?,
        };
        self.resumed = tally.all.cases;
        let end = plan.first + plan.cases;
        let parts = plan.first / EPOCH..end.div_ceil(EPOCH);
        let queue: VecDeque<u64> = parts.filter(|part| !done.contains(part)).collect();
        let queue = Mutex::new(queue);
        let (sender, news) = channel();
        let until = plan.limit.map(|limit| begin + limit);
        let result = thread::scope(|scope| {
            for _ in 0..plan.workers.max(1) {
                let (sender, queue) = (sender.clone(), &queue);
                scope.spawn(move || keep_busy(plan, queue, until, &sender));
            }
            drop(sender);
            let mut trouble = None;
            for one in news {
                match one {
                    News::Part(part, counts) => {
                        let written = journal.done(part, &counts);
                        tally.merge(*counts);
                        if let Err(cause) = written {
                            trouble.get_or_insert(Failure::Output {
                                place: "the journal".into(),
                                cause,
                            });
                            queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                        }
                    }
                    News::Trouble(what) => {
                        queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
                        trouble.get_or_insert(Failure::Failed {
                            what: "a worker could not be kept alive".into(),
                            cause: what.into(),
                        });
                    }
                }
            }
            trouble.map_or(Ok(()), Err)
        });
        result?;
        tally.disagreements.sort_by_key(|one| one.case);
        self.took = begin.elapsed();
        Ok(tally)
    }
}

fn failed(cause: io::Error) -> Failure {
    Failure::Failed {
        what: "a worker could not be started".into(),
        cause: Box::new(cause),
    }
}

fn spawn(plan: &Plan) -> io::Result<Worker> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["truth", "--work", "--seed", &plan.seed.to_string()]);
    if let Some(devices) = plan.devices {
        command.args(["--devices", &devices.to_string()]);
    }
    for name in &plan.only {
        command.args(["--only", name]);
    }
    for (name, value) in &plan.variables {
        command.env(name, value);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a process without pipes"));
    };
    Ok(Worker {
        child,
        input,
        lines: Lines::new(OwnedFd::from(output)),
        ready: false,
    })
}

/// Waits until a worker is ready: how many devices it works with, and what they are.
fn greet(worker: &mut Worker) -> Result<(u8, String), String> {
    match worker.lines.next(START) {
        Ok(Next::Line(line)) if line.starts_with("H ") => {
            worker.ready = true;
            let words = line[2..].split_once(' ');
            let found = words
                .and_then(|(devices, machine)| Some((devices.parse().ok()?, machine.to_owned())));
            found.ok_or_else(|| format!("a worker said {line:?}"))
        }
        Ok(Next::Line(line)) => Err(format!("a worker said {line:?}")),
        Ok(Next::TooLate) => Err("a worker did not get ready in a minute".into()),
        Ok(Next::End) => Err("a worker ended before it was ready; what it said is above".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn end(mut worker: Worker) {
    drop(worker.input);
    drop(worker.lines);
    drop(worker.child.kill());
    drop(worker.child.wait());
}

/// Has one worker after the other do parts until none are left.
fn keep_busy(
    plan: &Plan,
    queue: &Mutex<VecDeque<u64>>,
    until: Option<Instant>,
    news: &Sender<News>,
) {
    let mut crew = Crew {
        plan,
        now: None,
        next: None,
        failures: 0,
    };
    loop {
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let part = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(part) = part else { break };
        match crew.part(part) {
            Ok(tally) => {
                if news.send(News::Part(part, Box::new(tally))).is_err() {
                    break;
                }
            }
            Err(what) => {
                drop(news.send(News::Trouble(what)));
                break;
            }
        }
    }
    crew.now.into_iter().chain(crew.next).for_each(end);
}

/// The worker of a thread, and the one that takes its place.
struct Crew<'a> {
    plan: &'a Plan,
    now: Option<Worker>,
    next: Option<Worker>,
    failures: u32,
}

impl Crew<'_> {
    fn worker(&mut self) -> Result<&mut Worker, String> {
        if self.now.is_none() {
            let mut worker = match self.next.take() {
                Some(worker) => worker,
                None => spawn(self.plan).map_err(|error| error.to_string())?,
            };
            let greeted = greet(&mut worker);
            if let Err(what) = greeted {
                end(worker);
                return Err(what);
            }
            self.now = Some(worker);
        }
        self.now.as_mut().ok_or_else(|| "no worker".to_owned())
    }

    /// Starts the worker that will take this one's place, after the first part: while all begin, nobody is in a hurry
    /// to be replaced, and contexts are made one after the other.
    fn prepare(&mut self) -> Result<(), String> {
        if self.next.is_none() {
            self.next = Some(spawn(self.plan).map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    /// All cases of a part, by as many workers as it needs.
    fn part(&mut self, part: u64) -> Result<Tally, String> {
        let last = ((part + 1) * EPOCH).min(self.plan.first + self.plan.cases);
        let mut case = (part * EPOCH).max(self.plan.first);
        let mut tally = Tally::default();
        while case < last {
            let before = case;
            if let Err(what) = self.cases(&mut case, last, &mut tally) {
                self.failures += 1;
                if self.failures >= MOST_FAILURES {
                    return Err(what);
                }
            } else {
                self.failures = 0;
            }
            if case == before && self.failures == 0 {
                self.failures = 1;
            }
        }
        self.prepare()?;
        Ok(tally)
    }

    /// Cases until the last one is done or the worker is not there any more.
    fn cases(&mut self, case: &mut u64, last: u64, tally: &mut Tally) -> Result<(), String> {
        let first = *case;
        let worker = self.worker()?;
        let order = writeln!(worker.input, "{first} {last}");
        let mut begun: Option<Begun> = None;
        let mut fault = None;
        let mut hangs = false;
        if order.is_ok() {
            loop {
                let line = match worker.lines.next(PATIENCE) {
                    Ok(Next::Line(line)) => line,
                    Ok(Next::TooLate) => {
                        hangs = true;
                        break;
                    }
                    Ok(Next::End) | Err(_) => break,
                };
                match line.split_at_checked(2) {
                    Some(("P ", rest)) => begun = Begun::unpredicted(rest),
                    Some(("B ", rest)) => begun = serde_json::from_str(rest).ok(),
                    Some(("E ", rest)) => {
                        if let (Some(one), Ok(answer)) = (begun.take(), serde_json::from_str(rest))
                        {
                            tally.count(&one, &answer);
                            *case = one.case + 1;
                        }
                    }
                    Some(("F ", rest)) => fault = last_words(rest),
                    _ if line == "D" => return Ok(()),
                    _ => {}
                }
            }
        }
        // The worker is gone, or of no use.
        let Some(mut worker) = self.now.take() else {
            return Ok(());
        };
        if hangs {
            drop(worker.child.kill());
        }
        let status = worker.child.wait().ok();
        if let Some(one) = begun {
            let signal = status.and_then(|status| status.signal());
            let fault = fault.or_else(|| signal.filter(|_| !hangs).map(|signal| (signal, 0)));
            let ended = if hangs {
                Some("hangs".to_owned())
            } else {
                status.map(|status| format!("ended: {status}"))
            };
            let answer = Answer {
                fault,
                ended: ended.filter(|_| fault.is_none()),
                ..Answer::default()
            };
            tally.count(&one, &answer);
            *case = one.case + 1;
            return Ok(());
        }
        if *case == first {
            return Err("a worker ended before its first case; what it said is above".into());
        }
        Ok(())
    }
}

/// Signal and address, as the handler writes them.
fn last_words(text: &str) -> Option<(i32, u64)> {
    let (signal, address) = text.split_once(' ')?;
    Some((signal.parse().ok()?, u64::from_str_radix(address, 16).ok()?))
}
