//! Calls that a child of the program can still make: most of those that name a stream, an event or an array that it had.
//!
//! Measured on an H100, some before on an H200: they answer as if nothing were going on there, and nothing happens. Everything else answers 3.
//! No lock is waited for: a thread that does not exist here may have held it when the process was forked. Where
//! something cannot be looked up for that reason, the child's word is taken for it.

use std::sync::Arc;

use crate::model::array::Array;
use crate::model::bytes;
use crate::model::code::{Code, Outcome};
use crate::model::event::Event;
use crate::model::fork;
use crate::model::machine::machine;
use crate::model::registry::Registry;
use crate::model::stream::Stream;

/// Something that the child names; `None` where it cannot be looked up.
pub(super) type Held<T> = Outcome<Option<Arc<T>>>;

/// A handle that is dead crashes here too.
fn held<T>(registry: &Registry<T>, handle: usize) -> Held<T> {
    if handle == 0 {
        return Err(Code::INVALID_HANDLE);
    }
    match registry.glimpse(handle) {
        Some(Some(thing)) => Ok(Some(thing)),
        Some(None) => {
            bytes::touch(handle);
            Err(Code::INVALID_HANDLE)
        }
        None => Ok(None),
    }
}

/// The stream of a child's call; `None` in the program itself. The default streams belong to a context, and of those a
/// child has none.
pub(super) fn stream(handle: usize) -> Option<Held<Stream>> {
    fork::is_child().then(|| match handle {
        0..=2 => Err(Code::NOT_INITIALIZED),
        created => held(&machine()?.streams, created),
    })
}

/// The event of a child's call.
pub(super) fn event(handle: usize) -> Option<Held<Event>> {
    fork::is_child().then(|| held(&machine()?.events, handle))
}

/// The array of a child's call.
pub(super) fn array(handle: usize) -> Option<Held<Array>> {
    fork::is_child().then(|| held(&machine()?.arrays, handle))
}

/// Work that a child gives to a stream, on memory that begins here: it must be memory that is known.
pub(super) fn work(stream: usize, address: usize) -> Option<Outcome> {
    let stream = self::stream(stream)?;
    Some(stream.and_then(|_| {
        if machine()?.knows(address) {
            Ok(())
        } else {
            Err(Code::INVALID_VALUE)
        }
    }))
}

/// For calls whose argument is looked at before anything else.
pub(super) fn argument(value: usize) -> Option<Outcome> {
    let answer = if value == 0 {
        Code::INVALID_VALUE
    } else {
        Code::NOT_INITIALIZED
    };
    fork::is_child().then_some(Err(answer))
}
