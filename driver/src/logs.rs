//! The driver's error log (CUDA 12.9 and later): what it wrote for the call that has just failed.
//!
//! The log is asked after a failure and never before: a call that succeeds pays nothing. A line looks
//! like `[12:46:23.854][137216590868352][CUDA][E] Allocation not found`; the second field is the
//! thread.

use core::cell::Cell;
use core::ffi::c_char;
use core::ptr;

use crate::api::{Api, SUCCESS};

/// More than the driver keeps.
const ROOM: usize = 25_600 + 1;

thread_local! {
    /// Where this thread's next failure starts to read; `None` before its first, which reads all.
    static NEXT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// The driver's sentence for a failure of this thread that returned the status `number` just now.
pub(crate) fn latest(api: &Api, number: u32) -> Option<String> {
    if !api.has("cuLogsDumpToMemory") {
        return None;
    }
    let mut next = NEXT.get();
    let iterator = next.as_mut().map_or(ptr::null_mut(), |next| &raw mut *next);
    let mut room = vec![0_u8; ROOM];
    let mut size = room.len();
    let buffer: *mut c_char = room.as_mut_ptr().cast();
    // SAFETY: `buffer` has room for `size` bytes, `iterator` is null or live; the flags must be zero.
    let status = unsafe { api.cuLogsDumpToMemory(iterator, buffer, &raw mut size, 0) };
    if status != SUCCESS {
        return None;
    }
    if next.is_none() {
        let mut end = 0;
        // SAFETY: `end` is a live out parameter; the flags must be zero.
        let status = unsafe { api.cuLogsCurrent(&raw mut end, 0) };
        next = (status == SUCCESS).then_some(end);
    }
    NEXT.set(next);
    room.truncate(size);
    sentence(&String::from_utf8_lossy(&room), &this_thread(), number)
}

/// How the log names the calling thread.
fn this_thread() -> String {
    // SAFETY: the function has no preconditions.
    let thread = unsafe { libc::pthread_self() };
    thread.to_string()
}

/// What the log says of the last failed call of `thread`, where that returned `number`: all lines since
/// the call before it, without the one that only repeats the status.
fn sentence(log: &str, thread: &str, number: u32) -> Option<String> {
    let mut said: Vec<&str> = Vec::new();
    let mut returned = None;
    for (who, says) in log.lines().filter_map(split) {
        if says.is_empty() || who.is_some_and(|who| who != thread) {
            continue;
        }
        if returned.take().is_some() {
            said.clear();
        }
        match says.strip_prefix("Returning ") {
            Some(rest) => returned = rest.split(' ').next(),
            None => said.push(says),
        }
    }
    let ours = returned.is_none_or(|returned| returned.parse() == Ok(number));
    (ours && !said.is_empty()).then(|| said.join("; "))
}

/// A line's thread, where it names one, and its text.
fn split(line: &str) -> Option<(Option<&str>, &str)> {
    let mut rest = line.trim();
    let mut who = None;
    let mut field = 0;
    while let Some(inner) = rest.strip_prefix('[') {
        let (word, after) = inner.split_once(']')?;
        if field == 1 && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
            who = Some(word);
        }
        field += 1;
        rest = after;
    }
    Some((who, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "[12:46:23.854][11][CUDA][E] Allocation not found\n\
                       [12:46:23.854][11][CUDA][E] Returning 1 (CUDA_ERROR_INVALID_VALUE) from cuMemcpy\n\
                       [12:46:23.855][12][CUDA][E] Null address specified\n";

    #[test]
    fn a_sentence_belongs_to_its_thread() {
        assert_eq!(
            sentence(LOG, "11", 1).as_deref(),
            Some("Allocation not found")
        );
        assert_eq!(
            sentence(LOG, "12", 1).as_deref(),
            Some("Null address specified")
        );
        assert_eq!(sentence(LOG, "13", 1), None);
        assert_eq!(sentence(LOG, "11", 2), None, "of another failure");
    }

    #[test]
    fn the_last_call_is_the_one_that_counts() {
        let log = "[1][7][CUDA][E] Allocation not found\n[1][7][CUDA][E] Returning 1 (X) from cuMemcpy\n\
                   [1][7][CUDA][E] Pitch must be greater\n[1][7][CUDA][E] Invalid X finish position\n\
                   [1][7][CUDA][E] Returning 1 (X) from cuMemcpy2D_v2\n";
        let both = "Pitch must be greater; Invalid X finish position";
        assert_eq!(sentence(log, "7", 1).as_deref(), Some(both));
        let bare = format!("{log}[1][7][CUDA][E] Returning 1 (X) from cuMemFree_v2\n");
        assert_eq!(sentence(&bare, "7", 1), None);
    }

    #[test]
    fn a_line_of_another_shape_is_taken_as_it_is() {
        assert_eq!(
            sentence("something else\n", "1", 1).as_deref(),
            Some("something else")
        );
        assert_eq!(sentence("[broken", "1", 1), None);
        assert_eq!(sentence("", "1", 1), None);
    }
}
