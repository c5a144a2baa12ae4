//! Handles: numbers given to the program for things of ours.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, TryLockError};

use super::bytes;
use super::code::{Code, Outcome};
use super::mapping::{Mapping, Use};

/// Room for half a billion handles.
const ROOM: usize = 1 << 35;
const STEP: usize = 64;

/// Makes handles that are never used twice and that nobody can follow: whoever reads through one crashes, and so
/// does a call with a handle that is dead, as on hardware.
pub(crate) fn fresh_handle() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(STEP);
    pages() + NEXT.fetch_add(STEP, Ordering::Relaxed)
}

/// The pages that handles point into.
fn pages() -> usize {
    static PAGES: OnceLock<Option<Mapping>> = OnceLock::new();
    let pages = PAGES.get_or_init(|| Mapping::new(Use::Reserved, ROOM, 4096).ok());
    pages.as_ref().map_or(1 << 46, Mapping::start)
}

/// Whether this is, or once was, a handle of ours.
pub(crate) fn is_ours(handle: usize) -> bool {
    handle.wrapping_sub(pages()) < ROOM
}

/// All live things of one kind.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    live: RwLock<HashMap<usize, Arc<T>>>,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self {
            live: RwLock::new(HashMap::new()),
        }
    }
}

impl<T> Registry<T> {
    /// Makes a thing that knows its own handle.
    pub(crate) fn add(&self, make: impl FnOnce(usize) -> T) -> (usize, Arc<T>) {
        let handle = fresh_handle();
        let thing = Arc::new(make(handle));
        self.live
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(handle, Arc::clone(&thing));
        (handle, thing)
    }

    /// Adds a thing that could only be made with its handle known.
    pub(crate) fn insert(&self, handle: usize, thing: T) -> Arc<T> {
        let thing = Arc::new(thing);
        self.live
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(handle, Arc::clone(&thing));
        thing
    }

    pub(crate) fn get(&self, handle: usize) -> Option<Arc<T>> {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&handle)
            .cloned()
    }

    /// The same without waiting for anybody; nothing where somebody would have to be waited for.
    pub(crate) fn glimpse(&self, handle: usize) -> Option<Option<Arc<T>>> {
        match self.live.try_read() {
            Ok(live) => Some(live.get(&handle).cloned()),
            Err(TryLockError::Poisoned(live)) => Some(live.into_inner().get(&handle).cloned()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The thing, or the fault that a dead handle is, or an error where the address happens to be readable.
    pub(crate) fn follow(&self, handle: usize) -> Outcome<Arc<T>> {
        match self.get(handle) {
            Some(thing) => Ok(thing),
            None if handle == 0 => Err(Code::INVALID_HANDLE),
            None => {
                bytes::touch(handle);
                Err(Code::INVALID_HANDLE)
            }
        }
    }

    pub(crate) fn remove(&self, handle: usize) -> Option<Arc<T>> {
        self.live
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&handle)
    }

    /// All of them with their handles, at this moment.
    pub(crate) fn handles(&self) -> Vec<(usize, Arc<T>)> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        live.iter()
            .map(|(&handle, thing)| (handle, Arc::clone(thing)))
            .collect()
    }

    /// All of them, at this moment.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }
}
