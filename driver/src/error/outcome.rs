use super::status::{NOT_READY, OUT_OF_MEMORY, is_sticky};
use super::{Failure, Misuse, Status};
use cuda_sys::{LoadError, MissingSymbol};

/// What the functions of this crate return.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a call did not do what it was asked to do.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::error::Error;
/// use cuwhy_driver::memory::DeviceBuffer;
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// match DeviceBuffer::<u8>::new(&context, 1 << 50) {
///     Err(error) if error.is_out_of_memory() => {
///         // cuMemAlloc_v2(size = 1125899906842624 B) failed: CUDA_ERROR_OUT_OF_MEMORY (2), out of memory
///         assert!(error.to_string().contains("size = 1125899906842624 B"));
///     }
///     Err(Error::MissingFunction { call, missing }) => panic!("{call}: {missing}"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// CUDA was asked and refused, or reported an earlier failure.
    #[error("{0}")]
    Status(Box<Failure>),
    /// The loaded library has no such function.
    #[error("{call} is not available")]
    MissingFunction {
        /// The C name of the call.
        call: &'static str,
        /// Which version would have it.
        #[source]
        missing: Box<MissingSymbol>,
    },
    /// The library could not be loaded.
    #[error("CUDA's library could not be loaded")]
    MissingLibrary(#[source] Box<LoadError>),
    /// The arguments contradict each other or their Rust types: CUDA was not asked.
    #[error("{call} was not called: {misuse}")]
    Misuse {
        /// The C name of the call that would have been made.
        call: &'static str,
        /// What is wrong.
        misuse: Misuse,
    },
}

impl Error {
    /// The C name of the call, where there was or would have been one.
    #[must_use]
    pub fn call(&self) -> Option<&'static str> {
        match self {
            Self::Status(failure) => Some(failure.call),
            Self::MissingFunction { call, .. } | Self::Misuse { call, .. } => Some(call),
            Self::MissingLibrary(_) => None,
        }
    }

    /// The status, where CUDA was asked.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Status(failure) => Some(failure.status),
            _ => None,
        }
    }

    /// The failure in full, where CUDA was asked.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Status(failure) => Some(failure),
            _ => None,
        }
    }

    /// The same error with what a compiler said.
    pub(crate) fn with_log(mut self, said: Option<String>) -> Self {
        if let (Self::Status(failure), Some(said)) = (&mut self, said) {
            failure.log = Some(said);
        }
        self
    }

    /// Whether every later call of the context will fail with the same status.
    ///
    /// The device, or code running on it, failed: nothing but a new process (or, for a context of
    /// one's own, a new context) helps.
    #[must_use]
    pub fn is_sticky(&self) -> bool {
        self.status().is_some_and(is_sticky)
    }

    /// Whether memory is what was missing.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        self.status()
            .is_some_and(|status| status.0 == OUT_OF_MEMORY)
    }

    /// Whether the call only said that earlier work has not finished.
    #[must_use]
    pub fn is_not_ready(&self) -> bool {
        self.status().is_some_and(|status| status.0 == NOT_READY)
    }

    /// Whether a capture forbade the call.
    pub(crate) fn is_capture(&self) -> bool {
        self.status()
            .is_some_and(|status| (900..=908).contains(&status.0))
    }

    /// Whether the loaded library is too old for the call, or there is none.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::MissingFunction { .. } | Self::MissingLibrary(_))
    }
}

impl From<LoadError> for Error {
    fn from(cause: LoadError) -> Self {
        Self::MissingLibrary(Box::new(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::meaning;
    use super::super::{Argument, Failure, Value, misuse};
    use super::*;
    use crate::api::SUCCESS;

    #[test]
    fn statuses_that_outlive_their_call_are_sticky_and_others_are_not() {
        let status = |number| {
            let mut status = SUCCESS;
            status.0 = number;
            status
        };
        for sticky in [214, 700, 710, 716, 719] {
            assert!(is_sticky(status(sticky)), "{sticky}");
        }
        for passing in [0, 1, 2, 201, 600, 701, 704, 709, 712, 720, 801, 900, 999] {
            assert!(!is_sticky(status(passing)), "{passing}");
        }
    }

    #[test]
    fn an_error_says_call_arguments_status_and_meaning() {
        let mut status = SUCCESS;
        status.0 = 12_345;
        let argument = |name, value| Argument { name, value };
        let failure = Failure {
            call: "aCall",
            status,
            name: None,
            description: meaning(709),
            arguments: vec![
                argument("address", Value::Address(0x1000)),
                argument("size", Value::Bytes(40)),
                argument("count", 3_u32.into()),
                argument("name", "x".into()),
            ],
            log: Some("because".to_owned()),
        };
        let error = Error::Status(Box::new(failure));
        assert_eq!(
            error.to_string(),
            "aCall(address = 0x1000, size = 40 B, count = 3, name = x) failed: unknown status (12345), \
             the context was destroyed; the driver says: because"
        );
        assert_eq!(
            (error.call(), error.status().map(|s| s.0)),
            (Some("aCall"), Some(12_345))
        );
    }

    #[test]
    fn a_misuse_has_no_status() {
        let error = misuse(
            "aCall",
            Misuse::LengthsDiffer {
                destination: 1,
                source_: 2,
            },
        );
        assert_eq!(error.status(), None);
        assert!(!error.is_sticky() && !error.is_missing());
        assert_eq!(
            error.to_string(),
            "aCall was not called: the destination has 1 elements and the source 2"
        );
    }
}
