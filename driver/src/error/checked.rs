use super::status::{NOT_READY, SYMBOL_NOT_FOUND, meaning};
use super::{Argument, Error, Failure, Misuse, Result, Status};
use crate::api::{Api, SUCCESS};

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
