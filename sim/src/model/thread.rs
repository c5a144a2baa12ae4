//! What every thread has of its own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::capture::Mode;
use super::code::Outcome;
use super::context::Context;
use super::stream::{Kind, Stream};

thread_local! {
    static STACK: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    static STREAMS: RefCell<HashMap<usize, Arc<Stream>>> = RefCell::new(HashMap::new());
    static CALLED_BACK: Cell<bool> = const { Cell::new(false) };
    static CAPTURE_MODE: Cell<Mode> = const { Cell::new(Mode::Global) };
    static NUMBER: u64 = {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

/// The context on top of this thread's stack: its handle.
pub(crate) fn current() -> Option<usize> {
    STACK
        .try_with(|stack| stack.borrow().last().copied())
        .ok()
        .flatten()
}

pub(crate) fn push(context: usize) {
    let _thread_is_ending = STACK.try_with(|stack| stack.borrow_mut().push(context));
}

pub(crate) fn pop() -> Option<usize> {
    STACK
        .try_with(|stack| stack.borrow_mut().pop())
        .ok()
        .flatten()
}

/// Replaces the top of the stack, or empties it where nothing is given.
pub(crate) fn replace(context: Option<usize>) {
    let _old = pop();
    if let Some(context) = context {
        push(context);
    }
}

/// This thread's default stream in a context.
pub(crate) fn own_stream(context: &Arc<Context>) -> Arc<Stream> {
    let make = || Stream::new(context, 2, Kind::PerThread, 0);
    STREAMS
        .try_with(|streams| {
            Arc::clone(
                streams
                    .borrow_mut()
                    .entry(context.handle)
                    .or_insert_with(make),
            )
        })
        .unwrap_or_else(|_thread_is_ending| make())
}

/// A number of this thread that no other thread ever has.
pub(crate) fn thread_number() -> u64 {
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

/// Calls a function of the program from a stream; CUDA forbids it to call back into CUDA.
pub(crate) fn call_back(function: usize, data: usize) {
    inside_callback(|| {
        // SAFETY: the program gave this address as a C function that takes one pointer.
        let function: extern "C" fn(*mut core::ffi::c_void) =
            unsafe { core::mem::transmute(core::ptr::with_exposed_provenance::<()>(function)) };
        function(core::ptr::with_exposed_provenance_mut(data));
    });
}

/// Marks this thread while the program's function runs on it.
pub(crate) fn inside_callback(work: impl FnOnce()) {
    CALLED_BACK.set(true);
    work();
    CALLED_BACK.set(false);
}

/// Whether this is a stream's worker that runs a function of the program.
pub(crate) fn is_called_back() -> bool {
    CALLED_BACK.try_with(Cell::get).unwrap_or(false)
}

/// Exchanges this thread's part in what captures forbid.
pub(crate) fn exchange_capture_mode(mode: Mode) -> Outcome<Mode> {
    Ok(CAPTURE_MODE
        .try_with(|place| place.replace(mode))
        .unwrap_or(Mode::Global))
}

pub(crate) fn capture_mode() -> Mode {
    CAPTURE_MODE.try_with(Cell::get).unwrap_or(Mode::Global)
}
