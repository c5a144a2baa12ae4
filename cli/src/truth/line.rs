//! Lines from a process, with a limit to one's patience.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// Reads lines from a pipe.
#[derive(Debug)]
pub(super) struct Lines {
    pipe: File,
    rest: Vec<u8>,
    read: usize,
}

/// What came of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Line(String),
    End,
    TooLate,
}

impl Lines {
    pub(super) fn new(pipe: OwnedFd) -> Self {
        Self {
            pipe: pipe.into(),
            rest: Vec::new(),
            read: 0,
        }
    }

    pub(super) fn next(&mut self, patience: Duration) -> io::Result<Next> {
        let until = Instant::now() + patience;
        loop {
            if let Some(length) = self.rest[self.read..]
                .iter()
                .position(|&byte| byte == b'\n')
            {
                let line = &self.rest[self.read..self.read + length];
                let line = String::from_utf8_lossy(line).into_owned();
                self.read += length + 1;
                return Ok(Next::Line(line));
            }
            self.rest.drain(..self.read);
            self.read = 0;
            let left = until.saturating_duration_since(Instant::now());
            if !self.ready(left)? {
                return Ok(Next::TooLate);
            }
            let mut buffer = [0_u8; 64 << 10];
            let got = self.pipe.read(&mut buffer)?;
            if got == 0 {
                return Ok(Next::End);
            }
            self.rest.extend_from_slice(&buffer[..got]);
        }
    }

    fn ready(&self, patience: Duration) -> io::Result<bool> {
        let mut wait = libc::pollfd {
            fd: self.pipe.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let limit = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: one live entry.
        let ready = unsafe { libc::poll(&raw mut wait, 1, limit) };
        match ready {
            0 => Ok(false),
            1.. => Ok(true),
            _ => {
                let error = io::Error::last_os_error();
                if error.kind() == io::ErrorKind::Interrupted {
                    return Ok(true);
                }
                Err(error)
            }
        }
    }
}
