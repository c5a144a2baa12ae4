//! Reading this process's own memory in a way that cannot fault.

/// Reads a word; `None` where any of its bytes cannot be read.
pub(super) fn word(address: u64) -> Option<u64> {
    let mut value = [0_u8; 8];
    let into = libc::iovec {
        iov_base: value.as_mut_ptr().cast(),
        iov_len: value.len(),
    };
    let from = libc::iovec {
        iov_base: core::ptr::with_exposed_provenance_mut(usize::try_from(address).ok()?),
        iov_len: value.len(),
    };
    // SAFETY: this has no precondition.
    let process = unsafe { libc::getpid() };
    // SAFETY: the kernel writes at most 8 bytes of `value`; it reads the other address itself and
    // answers with an error where that cannot be read.
    let read =
        unsafe { libc::process_vm_readv(process, &raw const into, 1, &raw const from, 1, 0) };
    (read == 8).then(|| u64::from_ne_bytes(value))
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn readable_words_are_read_and_nothing_faults() {
        let value = 0x1234_5678_9abc_def0_u64;
        let address = (&raw const value).expose_provenance() as u64;
        assert_eq!(word(address), Some(value));
        assert_eq!(word(0x1000), None);
        assert_eq!(word(0xdead_0000_0000_0000), None);
        assert_eq!(word(u64::MAX - 3), None);
    }
}
