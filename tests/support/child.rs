//! A part of a test that runs in a process of its own: it may die, and it may have its own environment.
//!
//! The test starts its own program again for this one test, with a variable that says which part to
//! run. Nothing is forked, so the part starts in a process as fresh as any.

use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{self, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PART: &str = "CUWHY_TEST_CHILD";
/// The exit code of a part that came to its end: that of the test harness does not tell whether the
/// part ran at all.
const DONE: i32 = 86;
const PATIENCE: Duration = Duration::from_secs(120);

/// The name by which the test harness knows the test around: for [`Child::new`].
#[macro_export]
macro_rules! here {
    () => {{
        fn here() {}
        $crate::test_name(core::any::type_name_of_val(&here))
    }};
}

/// The test's name, from the name of a function inside it: `crate::module::test::here`.
#[must_use]
pub fn test_name(inside: &str) -> &str {
    let inside = inside.split_once("::").map_or(inside, |(_, rest)| rest);
    let end = inside.find("::{{closure}}").or(inside.rfind("::here"));
    &inside[..end.unwrap_or(inside.len())]
}

/// A part of a test that is to run in its own process.
///
/// ```no_run
/// # use cuwhy_tests::{Child, here};
/// # fn test() {
/// let outcome = Child::new(here!(), "abort").run(|| std::process::abort());
/// assert_eq!(outcome.signal(), Some(6));
/// # }
/// ```
#[derive(Debug)]
pub struct Child {
    test: String,
    part: String,
    command: Command,
}

/// How a child ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    part: String,
    status: ExitStatus,
    /// What it printed, both streams, the error stream last.
    pub output: String,
}

impl Child {
    /// The part called `part` of the test `test`. Parts of one test have different names.
    ///
    /// # Panics
    ///
    /// When this program's own file is not known.
    #[must_use]
    pub fn new(test: &str, part: &str) -> Self {
        let program = env::current_exe().expect("the system tells this program's file");
        let mut command = Command::new(program);
        command
            .args([
                test,
                "--exact",
                "--include-ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(PART, format!("{test}#{part}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            test: test.to_owned(),
            part: part.to_owned(),
            command,
        }
    }

    /// The part of `test` that this process was started for, when it is such a child.
    #[must_use]
    pub fn part_of(test: &str) -> Option<String> {
        let own = env::var(PART).ok()?;
        let (of, part) = own.split_once('#')?;
        (of == test).then(|| part.to_owned())
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes a variable from its environment.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Runs `body` in the child and waits for it. A panic in `body` ends the child with a failure.
    ///
    /// In the child itself this never returns for its own part, and does nothing for other parts.
    ///
    /// # Panics
    ///
    /// When the child can not be started, or does not end for two minutes.
    pub fn run(mut self, body: impl FnOnce()) -> Outcome {
        let own = format!("{}#{}", self.test, self.part);
        if let Some(part) = env::var_os(PART) {
            if *part == *own {
                body();
                process::exit(DONE);
            }
            return Outcome {
                part: self.part,
                status: ExitStatus::from_raw(DONE << 8),
                output: String::new(),
            };
        }
        let mut child = self.command.spawn().expect("this program starts again");
        let stdout = reader(child.stdout.take());
        let stderr = reader(child.stderr.take());
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill().expect("a child can be killed");
                child.wait().expect("a child can be waited for");
                panic!("the part {} did not end for {PATIENCE:?}", self.part);
            }
            thread::sleep(Duration::from_millis(2));
        };
        let mut output = stdout.join().expect("reading a pipe does not panic");
        output.push_str(&stderr.join().expect("reading a pipe does not panic"));
        Outcome {
            part: self.part,
            status,
            output,
        }
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            pipe.read_to_end(&mut bytes).ok();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Outcome {
    /// The signal that ended it.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Whether it came to its end.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.code() == Some(DONE)
    }

    /// Fails the test unless it came to its end.
    ///
    /// # Panics
    ///
    /// When it did not, with everything that it printed.
    pub fn must_succeed(&self) {
        let Self {
            part,
            status,
            output,
        } = self;
        assert!(self.success(), "{part} ended with {status}:\n{output}");
    }
}

#[cfg(test)]
mod tests {
    use super::Child;

    #[test]
    fn a_part_that_dies_does_not_take_the_test_along() {
        let outcome = Child::new(here!(), "abort").run(|| std::process::abort());
        assert_eq!(outcome.signal(), Some(6));
    }

    #[test]
    fn a_part_that_panics_fails_with_its_words() {
        let outcome = Child::new(here!(), "panic").run(|| panic!("these words"));
        assert!(!outcome.success());
        assert!(outcome.output.contains("these words"), "{}", outcome.output);
    }

    #[test]
    fn a_part_that_never_ran_is_no_success() {
        assert!(!Child::new("no_such_test", "part").run(|| ()).success());
    }

    #[test]
    fn a_part_has_its_own_environment_and_the_second_part_runs_too() {
        for value in ["one", "two"] {
            let child = Child::new(here!(), value).env("CUWHY_TEST_VALUE", value);
            let outcome = child.run(|| {
                assert_eq!(std::env::var("CUWHY_TEST_VALUE").unwrap(), value);
            });
            outcome.must_succeed();
        }
    }
}
