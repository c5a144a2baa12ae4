//! A place in a program's source.

use core::fmt;
use core::panic::Location;
use std::sync::Arc;

/// Where a call stands, as well as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Site {
    /// Nobody said.
    #[default]
    Unknown,
    /// A line of a Rust source file.
    Source(&'static Location<'static>),
    /// The address that the call returns to.
    Address(u64),
    /// Words of whoever looked it up: `seed2.cu:5 main`.
    Text(Arc<str>),
}

impl Site {
    /// The line that calls this function.
    #[must_use]
    #[track_caller]
    pub fn here() -> Self {
        Self::Source(Location::caller())
    }

    /// A site in words.
    #[must_use]
    pub fn text(words: &str) -> Self {
        Self::Text(words.into())
    }

    /// Whether nobody said where.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => out.write_str("unknown"),
            Self::Source(at) => write!(out, "{}:{}", at.file(), at.line()),
            Self::Address(address) => write!(out, "{address:#x}"),
            Self::Text(words) => out.write_str(words),
        }
    }
}
