//! The only place that prints.
//!
//! Data goes to the standard output, everything else to the standard error. Colour is decided by
//! anstream: `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb` and whether a terminal is there.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use crate::failure::Failure;

/// Where a command writes.
#[derive(Debug)]
pub struct Output {
    data: AutoStream<io::Stdout>,
    notes: AutoStream<io::Stderr>,
}

impl Output {
    /// Writes to the two standard streams of this process.
    pub fn standard(color: ColorChoice) -> Self {
        let choose = |seen: ColorChoice| {
            if color == ColorChoice::Auto {
                seen
            } else {
                color
            }
        };
        let data = choose(AutoStream::choice(&io::stdout()));
        let notes = choose(AutoStream::choice(&io::stderr()));
        Self {
            data: AutoStream::new(io::stdout(), data),
            notes: AutoStream::new(io::stderr(), notes),
        }
    }

    /// Writes data as it is; colour codes are removed where they are not wanted.
    ///
    /// # Errors
    ///
    /// [`Failure::Output`] when it could not be written, a closed pipe included: let it travel up
    /// with `?`, the command then ends at once and the process returns the right code.
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.data
            .write_all(text.as_bytes())
            .map_err(Self::unwritable)
    }

    /// Writes one line of data.
    ///
    /// # Errors
    ///
    /// As [`Output::data`].
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.data(text)?;
        self.data("\n")
    }

    /// Hands everything written so far to whoever reads.
    ///
    /// # Errors
    ///
    /// As [`Output::data`].
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.data.flush().map_err(Self::unwritable)
    }

    /// Says something to the person, on the standard error.
    ///
    /// If that cannot be written there is nobody left to tell, so a failure is ignored.
    pub fn note(&mut self, text: &str) {
        drop(writeln!(self.notes, "{text}"));
    }

    /// Says whether a person is likely to read the data as it appears.
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// The columns that the terminal has, if there is a terminal that says so: `COLUMNS`, or the
    /// terminal itself.
    pub fn columns(&self) -> Option<u16> {
        if !self.is_terminal() {
            return None;
        }
        let named = std::env::var("COLUMNS").ok();
        if let Some(columns) = named.and_then(|text| text.parse().ok()) {
            return Some(columns);
        }
        // SAFETY: all zero is a size.
        let mut size: libc::winsize = unsafe { core::mem::zeroed() };
        // SAFETY: `size` is alive and of the type that this request writes.
        let status = unsafe { libc::ioctl(1, libc::TIOCGWINSZ, &raw mut size) };
        (status == 0 && size.ws_col > 0).then_some(size.ws_col)
    }

    fn unwritable(cause: io::Error) -> Failure {
        Failure::Output {
            place: "the standard output".into(),
            cause,
        }
    }
}
