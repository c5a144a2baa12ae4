//! Errors: which call, which status, with which arguments, and why.
//!
//! The name and the sentence of a status come from the library that returned it, because a newer
//! library knows statuses that this crate has never heard of; the tables of `cuda-sys` stand in
//! where it has no answer. Drivers for CUDA 12.9 and later keep a log that says more than a status
//! can; the sentence that they wrote for the failed call is attached ([`Failure::log`]).

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use cuda_sys::{LoadError, MissingSymbol};

pub use crate::api::Status;
use crate::api::{Api, SUCCESS};

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

/// A status other than success, and what led to it.
#[derive(Debug)]
pub struct Failure {
    call: &'static str,
    status: Status,
    name: Option<String>,
    description: Option<String>,
    arguments: Vec<Argument>,
    log: Option<String>,
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

/// What is wrong with arguments that never reached CUDA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// Source and destination differ in length.
    #[error("the destination has {destination} elements and the source {source_}")]
    LengthsDiffer {
        /// Elements in the destination.
        destination: usize,
        /// Elements in the source.
        source_: usize,
    },
    /// A range does not lie in what it is a range of.
    #[error("elements {start}..{end} of {len}")]
    OutOfRange {
        /// First element.
        start: usize,
        /// One past the last element.
        end: usize,
        /// Elements that there are.
        len: usize,
    },
    /// The size in bytes does not fit into a `usize`, or not into the host's memory.
    #[error("{len} elements of {element} bytes are more than an address space")]
    TooLarge {
        /// Number of elements.
        len: usize,
        /// Bytes of one element.
        element: usize,
    },
    /// A row is wider than the distance between rows.
    #[error("rows of {width} bytes do not fit a pitch of {pitch} bytes")]
    WidthExceedsPitch {
        /// Bytes in a row.
        width: usize,
        /// Bytes between rows.
        pitch: usize,
    },
    /// An index, an ordinal or a flag does not fit the C type.
    #[error("{value} does not fit the C type of {name}")]
    DoesNotFit {
        /// The argument.
        name: &'static str,
        /// Its value.
        value: u64,
    },
    /// The stream is capturing, and this operation cannot be part of a graph in safe code.
    #[error("the stream is capturing")]
    Capturing,
    /// The event was last recorded in a stream that captures: waiting for it would make the stream join
    /// the capture, and copies that are under way in it could not be waited for.
    #[error("the event belongs to a capture, which the stream would join")]
    CapturedEvent,
    /// A copy of a scope is under way in the legacy stream: no blocking stream may begin to capture,
    /// because that would forbid to wait for it.
    #[error("a copy is under way in the legacy stream")]
    LegacyStreamBusy,
    /// It was made by somebody else, and nothing says how long it lives.
    #[error("it belongs to somebody else")]
    Foreign,
    /// A text with a zero byte inside cannot be a C string.
    #[error("the text has a zero byte at {position}")]
    ZeroByte {
        /// Where.
        position: usize,
    },
    /// The address is not aligned for the type.
    #[error("address {address:#x} is not a multiple of {alignment}")]
    Misaligned {
        /// The address.
        address: u64,
        /// The alignment wanted.
        alignment: usize,
    },
    /// Two things of different contexts or devices, where one is needed.
    #[error("the operands belong to different places")]
    DifferentPlaces,
    /// The device says that it cannot do this.
    #[error("the device does not support it")]
    Unsupported,
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

/// The number of "out of memory" in both APIs.
const OUT_OF_MEMORY: u32 = 2;
/// The number of "not ready" in both APIs.
const NOT_READY: u32 = 600;
/// The number with which `cuda-sys` answers for a function that the library does not have.
const SYMBOL_NOT_FOUND: u32 = 302;

/// Whether this status leaves the context, or the process, unusable.
///
/// The numbers are those that the headers describe with "must be terminated and relaunched"; both
/// APIs use the same ones.
#[must_use]
pub fn is_sticky(status: Status) -> bool {
    matches!(
        status.0,
        214 | 220 | 226 | 700 | 702 | 710 | 714..=719 | 721 | 911
    )
}

/// What the most frequent statuses mean, where the library has no words for them.
const MEANINGS: [(u32, &str); 24] = [
    (1, "an argument is not acceptable"),
    (2, "there is not enough memory"),
    (3, "CUDA is not initialised"),
    (4, "the process is ending and CUDA with it"),
    (34, "the loaded library is the toolkit's stub and no driver"),
    (35, "the driver is older than the runtime"),
    (36, "the call needs a newer driver"),
    (46, "the device is busy or unavailable"),
    (100, "there is no device"),
    (101, "there is no such device"),
    (200, "the image of the code is invalid"),
    (201, "no context is current, or it is not valid"),
    (209, "there is no code for this device"),
    (218, "the PTX does not compile"),
    (304, "the operating system refused"),
    (400, "the handle is not valid"),
    (500, "there is nothing of that name or at that address"),
    (600, "earlier work has not finished"),
    (
        700,
        "code on the device used an address that is not allocated",
    ),
    (709, "the context was destroyed"),
    (712, "the memory is registered already"),
    (713, "the memory is not registered"),
    (719, "code on the device failed"),
    (801, "it is not supported here"),
];

/// What a status means, in our words.
fn meaning(number: u32) -> Option<String> {
    let found = MEANINGS.iter().find(|(known, _)| *known == number);
    found.map(|(_, meaning)| (*meaning).to_owned())
}

/// Turns a status into a result.
///
/// # Errors
///
/// Whatever the status says.
#[inline]
pub(crate) fn checked(
    api: &Api,
    call: &'static str,
    status: Status,
    arguments: impl FnOnce() -> Vec<Argument>,
) -> Result<()> {
    if status == SUCCESS {
        Ok(())
    } else {
        Err(fail(api, call, status, arguments()))
    }
}

/// Builds the error for `status`, asking the library for its words.
#[cold]
#[inline(never)]
pub(crate) fn fail(
    api: &Api,
    call: &'static str,
    status: Status,
    arguments: Vec<Argument>,
) -> Error {
    if status.0 == SYMBOL_NOT_FOUND
        && let Err(missing) = crate::api::find(api, call)
    {
        return Error::MissingFunction {
            call,
            missing: Box::new(missing),
        };
    }
    let (name, description) = crate::api::words(api, status);
    let description = description.or_else(|| meaning(status.0));
    let log = crate::logs::latest(api, status.0);
    crate::api::reported(api, status);
    Error::Status(Box::new(Failure {
        call,
        status,
        name,
        description,
        arguments,
        log,
    }))
}

/// Turns the status of a question whether work has finished into its answer.
pub(crate) fn ready(api: &Api, call: &'static str, status: Status) -> Result<bool> {
    if status == SUCCESS {
        Ok(true)
    } else if status.0 == NOT_READY {
        crate::api::reported(api, status);
        Ok(false)
    } else {
        Err(fail(api, call, status, Vec::new()))
    }
}

/// Builds the error for arguments that never reach CUDA.
#[cold]
pub(crate) fn misuse(call: &'static str, misuse: Misuse) -> Error {
    Error::Misuse { call, misuse }
}

/// Turns the status of a call into a result; the rest are the arguments that matter.
macro_rules! check {
    ($api:expr, $call:ident, $status:expr $(, $name:ident $(= $value:expr)?)* $(,)?) => {
        $crate::error::checked($api, stringify!($call), $status, || {
            vec![$($crate::error::Argument {
                name: stringify!($name),
                value: $crate::error::check!(@value $name $(= $value)?).into(),
            }),*]
        })
    };
    (@value $name:ident) => { $name };
    (@value $name:ident = $value:expr) => { $value };
}
pub(crate) use check;

/// A hook that hears of what a `Drop` could not free.
type DropHook = Arc<dyn Fn(&Error) + Send + Sync>;

static DROP_HOOK: RwLock<Option<DropHook>> = RwLock::new(None);
static DROP_FAILURES: AtomicU64 = AtomicU64::new(0);

/// Sets the hook that hears of every failure inside a `Drop`, and returns nothing of the old one.
///
/// Without a hook such failures are only counted ([`drop_failures`]). The hook runs on the thread
/// that drops; should it panic, the panic ends there.
pub fn on_drop_failure(hook: impl Fn(&Error) + Send + Sync + 'static) {
    *DROP_HOOK.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
}

/// Removes the hook of [`on_drop_failure`].
pub fn clear_drop_hook() {
    *DROP_HOOK.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// How many times a `Drop` could not free what it owned.
#[must_use]
pub fn drop_failures() -> u64 {
    DROP_FAILURES.load(Ordering::Relaxed)
}

/// Hands a failure inside a `Drop` to the hook.
pub(crate) fn report_drop(result: Result<()>) {
    let Err(error) = result else { return };
    DROP_FAILURES.fetch_add(1, Ordering::Relaxed);
    let hook = DROP_HOOK
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    if let Some(hook) = hook {
        contain(|| hook(&error));
    }
}

/// Runs what somebody else wrote; a panic ends here, with whatever it was thrown with.
pub(crate) fn contain(run: impl FnOnce()) {
    if let Err(thrown) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        // Dropping it could panic again.
        core::mem::forget(thrown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
