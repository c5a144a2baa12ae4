use core::fmt;

use super::Status;

/// A status other than success, and what led to it.
#[derive(Debug)]
pub struct Failure {
    pub(super) call: &'static str,
    pub(super) status: Status,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) arguments: Vec<Argument>,
    pub(super) log: Option<String>,
}

impl Failure {
    /// The C name of the call.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// The status exactly as the library returned it.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The C name of the status, where anybody knows it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The library's own description of the status.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The arguments that matter.
    #[must_use]
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// What the driver wrote into its error log for this call (CUDA 12.9 and later).
    #[must_use]
    pub fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.call)?;
        for (index, argument) in self.arguments.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{argument}")?;
        }
        write!(
            f,
            ") failed: {} ({})",
            self.name.as_deref().unwrap_or("unknown status"),
            self.status.0
        )?;
        if let Some(description) = &self.description {
            write!(f, ", {description}")?;
        }
        if let Some(log) = &self.log {
            write!(f, "; the driver says: {log}")?;
        }
        Ok(())
    }
}

/// An argument of a failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: Value,
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

/// The value of an [`Argument`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A number without a unit.
    Number(i128),
    /// An address or a handle.
    Address(u64),
    /// A number of bytes.
    Bytes(usize),
    /// A word.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Address(address) => write!(f, "{address:#x}"),
            Self::Bytes(bytes) => write!(f, "{bytes} B"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

macro_rules! number {
    ($($t:ty),*) => { $(impl From<$t> for Value {
        fn from(number: $t) -> Self {
            Self::Number(number.into())
        }
    })* };
}
number!(i32, u8, u16, u32, i64, u64);

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(i128::try_from(number).unwrap_or(i128::MAX))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<T> From<*const T> for Value {
    fn from(pointer: *const T) -> Self {
        Self::Address(pointer.addr() as u64)
    }
}

impl<T> From<*mut T> for Value {
    fn from(pointer: *mut T) -> Self {
        Self::Address(pointer.addr() as u64)
    }
}
