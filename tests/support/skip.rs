//! A test that cannot run says so.

use std::io::{self, Write as _};
use std::thread;

/// Prints one line that names the running test and says why it does nothing.
///
/// It goes past the test harness, which would keep the output of a test that passes. For a test that
/// lacks a device there is [`device`](crate::device), which says so by itself.
///
/// # Panics
///
/// When standard error cannot be written.
pub fn skip(why: &str) {
    line("", why);
}

/// The same of a test that lacks a device. Where one is required nobody may come here, and the runner of
/// the archive takes such a line for a failure.
pub(crate) fn skip_device_test(why: &str) {
    line("device test ", why);
}

fn line(kind: &str, why: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(io::stderr(), "skipped {kind}{test}: {why}").expect("standard error takes a line");
}
