//! What a checked copy over a layer returns instead of success.

use crate::CheckedError;
use core::fmt;

/// Why a checked copy did not succeed; `E` is the layer's own error.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<E> {
    /// It was not made, or CUDA refused it: with findings.
    Checked(CheckedError),
    /// The layer could not ask CUDA at all, or would not.
    Layer(E),
}

impl<E> Error<E> {
    /// What was found, where CUDA refused the copy or it was not made.
    #[must_use]
    pub fn checked(&self) -> Option<&CheckedError> {
        match self {
            Self::Checked(error) => Some(error),
            Self::Layer(_) => None,
        }
    }
}

impl<E> From<E> for Error<E> {
    fn from(error: E) -> Self {
        Self::Layer(error)
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checked(error) => error.fmt(out),
            Self::Layer(error) => error.fmt(out),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Checked(_) => None,
            Self::Layer(error) => error.source(),
        }
    }
}
