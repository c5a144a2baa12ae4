//! The system's loader: `dlopen`, `dlsym`, `dlvsym`, `dlinfo`, and what it says when it fails.

use core::error::Error as _;
use core::ffi::{CStr, c_char, c_void};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};

use super::candidates::Candidate;
use super::{Attempt, FoundBy, LibraryName, LoadError, LoadedFile, elf};

/// An open library. It is never closed, so that every address from it stays valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle(*mut c_void);

// SAFETY: the handle is only given to `dlsym` and `dlvsym`, which any thread may call.
unsafe impl Send for Handle {}
// SAFETY: as above; the handle itself is never written.
unsafe impl Sync for Handle {}

impl Handle {
    /// Opens `file`; with `mapped` only when this process has it already.
    fn open(file: &Path, mapped: bool) -> Result<Self, String> {
        let flags = RTLD_LAZY | RTLD_LOCAL | if mapped { libc::RTLD_NOLOAD } else { 0 };
        // SAFETY: running a library's initialisers is what the caller asked for by
        // naming a CUDA library; they have no contract that we could break.
        match unsafe { Library::open(Some(file), flags) } {
            Ok(library) => Ok(Self(library.into_raw())),
            // The loader's own words are in the source; the error itself says "dlopen failed".
            Err(error) => Err(match error.source() {
                Some(words) => words.to_string(),
                None => error.to_string(),
            }),
        }
    }

    /// The address of the function of this name; null when there is none.
    pub(crate) fn symbol(self, name: &CStr) -> *const c_void {
        // SAFETY: the handle is open and the name is a C string.
        unsafe { libc::dlsym(self.0, name.as_ptr()) }
    }

    /// The address of the function under this symbol version; null when there is none.
    ///
    /// A library that gives its symbols no version at all has none: `dlvsym`
    /// itself would answer for whatever version it is asked.
    pub(crate) fn versioned(self, name: &CStr, version: &CStr) -> *const c_void {
        let nobodys = c"cuwhy: the version of no symbol";
        if !self.under_version(name, nobodys).is_null() {
            return core::ptr::null();
        }
        self.under_version(name, version)
    }

    fn under_version(self, name: &CStr, version: &CStr) -> *const c_void {
        // SAFETY: the handle is open and both names are C strings.
        unsafe { libc::dlvsym(self.0, name.as_ptr(), version.as_ptr()) }
    }
}

/// The file of an open library, as the loader names it.
///
/// `dlinfo` and not `dladdr`: that would look at every symbol that the library exports, and take a
/// hundredth of the time that opening libcuda takes.
fn file_of(handle: Handle) -> Option<PathBuf> {
    let mut map: *const LinkMap = core::ptr::null();
    // SAFETY: the handle is open, and for this request one pointer is written.
    let failed = unsafe { libc::dlinfo(handle.0, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    if failed != 0 {
        return None;
    }
    // SAFETY: it is the loader's own description of a library that stays open.
    let name = unsafe { map.as_ref() }?.name;
    if name.is_null() {
        return None;
    }
    // SAFETY: the loader keeps the name as long as the library is mapped, and ours never goes.
    let name = unsafe { CStr::from_ptr(name) };
    Some(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// The beginning of `struct link_map` of `<link.h>`.
#[repr(C)]
struct LinkMap {
    address: usize,
    name: *const c_char,
}

/// Opens the first candidate that `accept` takes.
///
/// `landmark` is a function that every version of the library exports. `accept` gets its address, and
/// says what the library told of itself or why it is not to be used.
///
/// # Errors
///
/// What is wrong with the named file where one was named; all attempts otherwise.
pub(crate) fn open_first<T>(
    library: LibraryName,
    candidates: Vec<Candidate>,
    landmark: &'static CStr,
    mut accept: impl FnMut(Handle, *const c_void, &Path) -> Result<T, LoadError>,
) -> Result<(Handle, LoadedFile, T), LoadError> {
    let mut attempts = Vec::new();
    let mut stub = None;
    for Candidate { file, found_by } in candidates {
        let mapped = found_by == FoundBy::AlreadyMapped;
        let named = matches!(found_by, FoundBy::Caller | FoundBy::Variable(_));
        // Some files the loader would map and die of.
        let opened = match elf::trap(&file) {
            Some(fault) => Err(fault),
            None => Handle::open(&file, mapped),
        };
        let outcome = match opened {
            Ok(handle) => match check(library, handle, &file, landmark, &mut accept) {
                Ok((path, taken)) => {
                    return Ok((
                        handle,
                        LoadedFile {
                            path,
                            found_by,
                            attempts,
                        },
                        taken,
                    ));
                }
                Err(error) if named => return Err(error),
                Err(error) => {
                    let text = error.to_string();
                    if matches!(error, LoadError::Stub { .. }) {
                        stub.get_or_insert(error);
                    }
                    text
                }
            },
            // That a library is not mapped yet is no failure worth a line.
            Err(_) if mapped => continue,
            Err(words) => match elf::fault(&file) {
                Some(fault) => format!("{fault}; the loader says: {words}"),
                None => words,
            },
        };
        let attempt = Attempt {
            candidate: file,
            found_by,
            outcome,
        };
        if named {
            return Err(LoadError::NamedFile { library, attempt });
        }
        attempts.push(attempt);
    }
    match stub {
        Some(LoadError::Stub { path, .. }) => Err(LoadError::Stub { path, attempts }),
        _ => Err(LoadError::NotFound { library, attempts }),
    }
}

fn check<T>(
    library: LibraryName,
    handle: Handle,
    file: &Path,
    landmark: &'static CStr,
    accept: &mut impl FnMut(Handle, *const c_void, &Path) -> Result<T, LoadError>,
) -> Result<(PathBuf, T), LoadError> {
    let address = handle.symbol(landmark);
    if address.is_null() {
        let lacks = landmark.to_str().unwrap_or_default();
        return Err(LoadError::AnotherLibrary {
            library,
            path: file.to_path_buf(),
            lacks,
        });
    }
    let path = file_of(handle).unwrap_or_else(|| file.to_path_buf());
    let taken = accept(handle, address, &path)?;
    Ok((path, taken))
}

/// Libraries of one kind that this process has opened: each stays for good, so each is kept once.
///
/// A list that only grows. Nothing is locked while a library is opened or read, and a place is filled in one
/// short step: a fork leaves a child waiting only if it meets that very step.
#[derive(Debug)]
pub(crate) struct Opened<T: 'static>(OnceLock<&'static Node<T>>);

#[derive(Debug)]
struct Node<T: 'static> {
    handle: Handle,
    value: T,
    next: Opened<T>,
}

impl<T> Opened<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The value that was kept for `handle`, or what `make` makes, which is kept from now on.
    ///
    /// It is made where it stays: tables are large, and a stack that had to hold one on its way would
    /// grow by pages that the process has not touched before.
    pub(crate) fn keep(&self, handle: Handle, make: impl FnOnce() -> T) -> &'static T {
        let mut place = self;
        while let Some(node) = place.0.get() {
            if node.handle == handle {
                return &node.value;
            }
            place = &node.next;
        }
        place.append(Box::leak(Box::new(Node {
            handle,
            value: make(),
            next: Self::new(),
        })))
    }

    /// Puts `node` at the end, unless its library was put there by another thread meanwhile.
    fn append(&self, node: &'static Node<T>) -> &'static T {
        let mut place = self;
        while place.0.set(node).is_err() {
            let Some(other) = place.0.get() else { continue };
            if other.handle == node.handle {
                return &other.value;
            }
            place = &other.next;
        }
        &node.value
    }
}
