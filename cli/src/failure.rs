//! Why a command stopped before its end.

use std::io;

use crate::exit::Exit;

/// Any error, kept with its causes.
pub type Cause = Box<dyn core::error::Error + Send + Sync>;

/// Why a command stopped, and thereby which code the process returns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The arguments make no sense together, or name what does not exist.
    #[error("{0}")]
    Usage(String),
    /// A file named by the arguments cannot be read or understood.
    #[error("cannot read {path}")]
    Input {
        /// The file as it was named.
        path: String,
        /// What went wrong.
        #[source]
        cause: Cause,
    },
    /// There is no device to do the work.
    #[error("no usable device")]
    NoDevice(#[source] Cause),
    /// The work itself failed.
    #[error("{what}")]
    Failed {
        /// What was being done.
        what: String,
        /// What went wrong.
        #[source]
        cause: Cause,
    },
    /// The output could not be written.
    #[error("cannot write {place}")]
    Output {
        /// Where it should have gone: the standard output or a file.
        place: String,
        /// What went wrong.
        #[source]
        cause: io::Error,
    },
    /// Something that must not happen did.
    #[error("{0} (a mistake in cuwhy itself, please report it)")]
    Bug(String),
}

impl Failure {
    /// Names the exit code that belongs to this failure.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Input { .. } => Exit::USAGE,
            Self::NoDevice(_) => Exit::NO_DEVICE,
            Self::Failed { .. } => Exit::CHECK_FAILED,
            Self::Output { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe => Exit::DONE,
            Self::Output { .. } => Exit::OUTPUT,
            Self::Bug(_) => Exit::BUG,
        }
    }
}

/// Joins an error and all its causes in one line.
pub fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_success_and_a_full_disk_is_not() {
        let failed = |kind: io::ErrorKind| Failure::Output {
            place: "the standard output".into(),
            cause: kind.into(),
        };
        assert_eq!(failed(io::ErrorKind::BrokenPipe).exit(), Exit::DONE);
        assert_eq!(failed(io::ErrorKind::StorageFull).exit(), Exit::OUTPUT);
    }

    #[test]
    fn the_chain_names_every_cause() {
        let failure = Failure::Input {
            path: "report.json".into(),
            cause: Box::new(io::Error::other("no such luck")),
        };
        assert_eq!(chain(&failure), "cannot read report.json: no such luck");
    }
}
