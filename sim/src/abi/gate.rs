//! What every call passes on its way in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use cuda_sys::driver::CUresult;

use crate::model::code::{Code, Outcome};
use crate::model::context::Context;
use crate::model::machine::{Machine, machine};
use crate::model::stream::Stream;
use crate::model::{fork, thread};

/// An exported function.
#[derive(Debug)]
pub(crate) struct Site {
    name: &'static str,
    calls: AtomicU32,
    said: AtomicBool,
}

impl Site {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            calls: AtomicU32::new(0),
            said: AtomicBool::new(false),
        }
    }

    /// Says once what is not simulated.
    pub(crate) fn unsupported(&self) -> Code {
        let quiet = machine().is_ok_and(|machine| machine.config.quiet);
        if !quiet && !self.said.swap(true, Ordering::Relaxed) {
            crate::say(&format!(
                "{} is not simulated: answered CUDA_ERROR_NOT_SUPPORTED",
                self.name
            ));
        }
        Code::NOT_SUPPORTED
    }

    /// The failure that a test asked for, when it is this call's turn.
    fn injected(&self, machine: &Machine) -> Outcome {
        if machine.config.failures.is_empty() {
            return Ok(());
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let wanted = machine.config.failures.iter().find(|failure| {
            failure.function == self.name && failure.nth.is_none_or(|nth| nth == call)
        });
        wanted.map_or(Ok(()), |failure| Err(Code(failure.code)))
    }
}

/// A call on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    site: &'static Site,
    /// The default stream is this thread's own.
    pub(crate) per_thread: bool,
}

impl Call {
    /// The answer for what nobody has built.
    pub(crate) fn unsupported(self) -> Code {
        self.site.unsupported()
    }

    /// The current context.
    pub(crate) fn context(self) -> Outcome<Arc<Context>> {
        machine()?.current()
    }

    /// The stream of a handle: a default stream, or a created one. A dead handle crashes, as it does on hardware.
    pub(crate) fn stream(self, handle: usize) -> Outcome<Arc<Stream>> {
        const LEGACY: usize = 1;
        const PER_THREAD: usize = 2;
        let machine = machine()?;
        match handle {
            0 if self.per_thread => Ok(thread::own_stream(&machine.current()?)),
            0 | LEGACY => Ok(machine.current()?.legacy()),
            PER_THREAD => Ok(thread::own_stream(&machine.current()?)),
            created => {
                let stream = machine.streams.follow(created)?;
                stream.context()?.check()?;
                Ok(stream)
            }
        }
    }

    /// The same for calls that tell a destroyed context (201) from a primary one that was reset (709).
    pub(crate) fn stream_of_live_context(self, handle: usize) -> Outcome<Arc<Stream>> {
        let found = self.stream(handle);
        let machine = machine()?;
        match (&found, machine.streams.get(handle)) {
            (Err(Code::CONTEXT_IS_DESTROYED), Some(stream))
                if machine.contexts.get(stream.context_handle()).is_none() =>
            {
                Err(Code::INVALID_CONTEXT)
            }
            _ => found,
        }
    }

    /// The stream of a synchronous call.
    pub(crate) fn default_stream(self) -> Outcome<Arc<Stream>> {
        self.stream(0)
    }
}

/// A call that needs no initialisation.
pub(crate) fn open(
    site: &'static Site,
    per_thread: bool,
    body: impl FnOnce(Call) -> Outcome,
) -> CUresult {
    answer(pass(site, Need::Nothing).and_then(|()| body(Call { site, per_thread })))
}

/// A call that needs `cuInit` first.
pub(crate) fn ready(
    site: &'static Site,
    per_thread: bool,
    body: impl FnOnce(Call) -> Outcome,
) -> CUresult {
    answer(pass(site, Need::Ready).and_then(|()| body(Call { site, per_thread })))
}

/// The same, but a child of the program gets through: see [`forked`](super::forked).
pub(crate) fn held(
    site: &'static Site,
    per_thread: bool,
    body: impl FnOnce(Call) -> Outcome,
) -> CUresult {
    answer(pass(site, Need::Held).and_then(|()| body(Call { site, per_thread })))
}

/// What a call needs to get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Ready,
    Held,
}

fn pass(site: &'static Site, need: Need) -> Outcome {
    // Before any lock: in a child, whoever held it may not exist.
    if need == Need::Ready && fork::is_child() {
        return Err(Code::NOT_INITIALIZED);
    }
    match machine() {
        Ok(_) if need != Need::Nothing && thread::is_called_back() => Err(Code::NOT_PERMITTED),
        Ok(machine) => site.injected(machine),
        Err(code) if need != Need::Nothing => Err(code),
        Err(_) => Ok(()),
    }
}

fn answer(outcome: Outcome) -> CUresult {
    match outcome {
        Ok(()) => CUresult::CUDA_SUCCESS,
        Err(Code(code)) => cuda_sys::driver::cudaError_enum(code),
    }
}

/// Defines exported functions: `ready fn NAME (or its per-thread variants, after a slash) (arguments) |call| { … }`.
///
/// The signature is checked against the bindings; inside, pointers are [`In`](super::c::In) and
/// [`Out`](super::c::Out), and the body answers an [`Outcome`].
macro_rules! export {
    (@body ($($arg:ident: $kind:ty),* $(,)?) |$call:pat_param| $body:block) => {
        #[allow(clippy::too_many_arguments, clippy::allow_attributes, reason = "as many as C has; mostly fewer")]
        fn body(
            $call: $crate::abi::gate::Call,
            $($arg: <$kind as $crate::abi::c::FromC>::Held),*
        ) -> $crate::model::code::Outcome $body
    };
    (@whole $gate:ident $name:ident [$($variant:ident)?] $arguments:tt |$call:pat_param| $body:block) => {
        const _: () = {
            $crate::abi::gate::export!(@body $arguments |$call| $body);
            $crate::abi::gate::export!(@one $gate false $name $arguments);
            $($crate::abi::gate::export!(@one $gate true $variant $arguments);)?
        };
    };
    (@one $gate:ident $per_thread:literal $name:ident ($($arg:ident: $kind:ty),* $(,)?)) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $kind),*) -> ::cuda_sys::driver::CUresult {
            static SITE: $crate::abi::gate::Site = $crate::abi::gate::Site::new(stringify!($name));
            // SAFETY: the caller of this C function keeps the function's contract.
            $(let $arg = unsafe { <$kind as $crate::abi::c::FromC>::from_c($arg) };)*
            $crate::abi::gate::$gate(&SITE, $per_thread, |call| body(call, $($arg),*))
        }

        const _: ::cuda_sys::driver::pfn::$name = $name;
    };
    ($($gate:ident fn $name:ident $(/ $variant:ident)? ($($arguments:tt)*) |$call:pat_param| $body:block)*) => {
        $($crate::abi::gate::export!(@whole $gate $name [$($variant)?] ($($arguments)*) |$call| $body);)*
    };
}

/// Defines exported functions that nobody has built: the C signature, and an answer that says so.
macro_rules! stub {
    ($(fn $name:ident($($arg:ident: $kind:ty),* $(,)?);)*) => {$(
        const _: () = {
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($arg: $kind),*) -> ::cuda_sys::driver::CUresult {
                static SITE: $crate::abi::gate::Site = $crate::abi::gate::Site::new(stringify!($name));
                $(let _unused = $arg;)*
                $crate::abi::gate::ready(&SITE, false, |call| Err(call.unsupported()))
            }

            const _: ::cuda_sys::driver::pfn::$name = $name;
        };
    )*};
}

pub(crate) use {export, stub};
