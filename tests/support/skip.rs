//! A test that cannot run says so.

use std::io::{self, Write as _};
use std::thread;

/// Prints one line that names the running test and says why it does nothing.
///
/// It goes past the test harness, which would keep the output of a test that passes.
///
/// # Panics
///
/// When standard error cannot be written.
pub fn skip(why: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(io::stderr(), "skipped {test}: {why}").expect("standard error takes a line");
}
