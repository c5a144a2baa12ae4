use super::status::{NOT_READY, SYMBOL_NOT_FOUND, meaning};
use super::{Argument, Error, Failure, Misuse, Result, Status};
use crate::api::{Api, Library, SUCCESS};

/// Turns a status into a result.
///
/// # Errors
///
/// Whatever the status says.
#[inline]
pub(crate) fn checked<L: Library>(
    api: &L,
    call: &'static str,
    status: L::Status,
    arguments: impl FnOnce() -> Vec<Argument>,
) -> Result<()> {
    if L::number(status) == SUCCESS.0 {
        Ok(())
    } else {
        Err(fail(api, call, status, arguments()))
    }
}

/// Builds the error for `status`, asking the library for its words.
#[cold]
#[inline(never)]
pub(crate) fn fail<L: Library>(
    api: &L,
    call: &'static str,
    status: L::Status,
    arguments: Vec<Argument>,
) -> Error {
    let number = L::number(status);
    if number == SYMBOL_NOT_FOUND
        && let Err(missing) = api.find(call)
    {
        return Error::MissingFunction {
            call,
            missing: Box::new(missing),
        };
    }
    let (name, description) = api.words(status);
    let description = description.or_else(|| meaning(number));
    let log = crate::logs::latest(number);
    let no_driver = api.no_driver(status);
    api.reported(status);
    let status = cuda_sys::runtime::cudaError(number);
    let failure = Box::new(Failure {
        call,
        status,
        name,
        description,
        arguments,
        log,
    });
    if no_driver {
        Error::MissingDriver(failure)
    } else {
        Error::Status(failure)
    }
}

/// Turns the status of a question whether work has finished into its answer.
pub(crate) fn ready(api: &Api, call: &'static str, status: Status) -> Result<bool> {
    if status == SUCCESS {
        Ok(true)
    } else if status.0 == NOT_READY {
        api.reported(status);
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
