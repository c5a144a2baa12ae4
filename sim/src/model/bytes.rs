//! The only place where bytes at addresses that a caller handed in are touched.
//!
//! Such addresses may be unmapped, read-only or changed by other threads at any time. They are therefore never
//! given to Rust references or to `ptr::copy`, whose behaviour would be undefined: [`move_bytes`] and its kin are
//! single machine instructions whose fault is a SIGSEGV in the calling thread, as on hardware, and [`try_move`]
//! asks the kernel, which answers with an error instead.

use core::arch::asm;

/// Moves `count` bytes upwards from `src` to `dst`; a bad address is a SIGSEGV in this thread.
///
/// # Safety
///
/// Bytes of this program that Rust owns must not lie in the destination. A fault is not undefined behaviour.
pub(crate) unsafe fn move_bytes(dst: usize, src: usize, count: usize) {
    // SAFETY: one instruction that reads and writes only the two ranges; faults are signals, races are the
    // caller's own races between machine accesses.
    unsafe {
        asm!(
            "rep movsb",
            inout("rcx") count => _,
            inout("rdi") dst => _,
            inout("rsi") src => _,
            options(nostack, preserves_flags)
        );
    }
}

/// What the driver's routine aligns its destination to.
pub(crate) const UNIT: usize = 16;
const BLOCK: usize = 64;

/// How many bytes the driver's routine reads together, `done` bytes into a row: first `head` bytes that lead to a
/// multiple of 16 of the destination, then blocks of 64, then 16 at a time; what is left goes byte by byte, and in
/// a short row by eights, fours and twos.
fn unit(count: usize, head: usize, done: usize) -> usize {
    if done < head {
        return (head - done).min(count - done);
    }
    let left = count - done;
    if count >= BLOCK && left >= BLOCK {
        return BLOCK;
    }
    if left >= UNIT {
        return UNIT;
    }
    if count >= BLOCK {
        return 1;
    }
    [8, 4, 2]
        .into_iter()
        .find(|&size| left >= size)
        .unwrap_or(1)
}

/// Moves `count` bytes as the driver's own routine does; it matters where both sides fault: what is moved together is
/// read before it is written, and of a block of 64 the second 16 bytes are touched first.
///
/// # Safety
///
/// As [`move_bytes`].
pub(crate) unsafe fn move_blocks(dst: usize, src: usize, count: usize, head: usize) {
    const PAGE: usize = 4096;
    let mut done = 0;
    while done < count {
        let (to, from) = (dst.wrapping_add(done), src.wrapping_add(done));
        let size = unit(count, head, done);
        // Inside of a page nothing can go wrong once its first byte was touched.
        let inside = (PAGE - to % PAGE).min(PAGE - from % PAGE);
        let run = inside.min(count - done) / BLOCK * BLOCK;
        if size == BLOCK && done > 0 && run > 0 {
            // SAFETY: a part of the caller's ranges; faults are signals.
            unsafe { move_bytes(to, from, run) };
            done += run;
            continue;
        }
        let mut buffer = [0_u8; BLOCK];
        let middle = buffer.as_mut_ptr().expose_provenance();
        for (to, from) in [(middle, from), (to, middle)] {
            if size == BLOCK {
                // SAFETY: one side is a part of the caller's range, the other lies in the buffer.
                unsafe { move_bytes(to.wrapping_add(UNIT), from.wrapping_add(UNIT), UNIT) };
            }
            // SAFETY: as above.
            unsafe { move_bytes(to, from, size) };
        }
        done += size;
    }
}

/// Stores `byte` into `count` bytes at `dst`; a bad address is a SIGSEGV in this thread.
///
/// # Safety
///
/// As [`move_bytes`].
pub(crate) unsafe fn fill_bytes(dst: usize, byte: u8, count: usize) {
    // SAFETY: one instruction that writes only the range; see `move_bytes`.
    unsafe {
        asm!(
            "rep stosb",
            inout("rcx") count => _,
            inout("rdi") dst => _,
            in("al") byte,
            options(nostack, preserves_flags)
        );
    }
}

/// Stores `count` times the 2-byte `value` at `dst`.
///
/// # Safety
///
/// As [`move_bytes`].
pub(crate) unsafe fn fill_words(dst: usize, value: u16, count: usize) {
    // SAFETY: one instruction that writes only the range; see `move_bytes`.
    unsafe {
        asm!(
            "rep stosw",
            inout("rcx") count => _,
            inout("rdi") dst => _,
            in("ax") value,
            options(nostack, preserves_flags)
        );
    }
}

/// Stores `count` times the 4-byte `value` at `dst`.
///
/// # Safety
///
/// As [`move_bytes`].
pub(crate) unsafe fn fill_doubles(dst: usize, value: u32, count: usize) {
    // SAFETY: one instruction that writes only the range; see `move_bytes`.
    unsafe {
        asm!(
            "rep stosd",
            inout("rcx") count => _,
            inout("rdi") dst => _,
            in("eax") value,
            options(nostack, preserves_flags)
        );
    }
}

/// Reads one byte at `address` and forgets it: a dead or invented handle crashes here, as it does in the driver.
pub(crate) fn touch(address: usize) {
    // SAFETY: one load; its fault is a signal.
    unsafe {
        asm!("mov {byte}, byte ptr [{address}]", address = in(reg) address, byte = out(reg_byte) _,
            options(nostack, preserves_flags, readonly));
    }
}

/// Reads one byte and writes it back: the fault of a copy that cannot write there.
pub(crate) fn touch_for_writing(address: usize) {
    // SAFETY: one load and one store of what was there; its fault is a signal.
    unsafe {
        asm!("lock or byte ptr [{address}], 0", address = in(reg) address, options(nostack));
    }
}

/// The kernel refused an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault;

/// Which side of a move may fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    Neither,
    Destination,
    Source,
    Both,
}

/// Moves bytes without ever raising a signal: for stream workers, which have no caller to blame.
///
/// # Safety
///
/// A side that is not `foreign` must be memory that the simulator owns and that stays mapped.
pub(crate) unsafe fn try_move(
    dst: usize,
    src: usize,
    count: usize,
    foreign: Foreign,
) -> Result<(), Fault> {
    match foreign {
        Foreign::Neither => {
            // SAFETY: both sides belong to the simulator, by this function's contract.
            unsafe { move_bytes(dst, src, count) };
            Ok(())
        }
        Foreign::Source => transfer(Syscall::Read, dst, src, count),
        Foreign::Destination => transfer(Syscall::Write, src, dst, count),
        Foreign::Both => {
            let mut buffer = vec![0u8; count.min(1 << 20)];
            let mut done = 0;
            while done < count {
                let step = buffer.len().min(count - done);
                let middle = buffer.as_mut_ptr().addr();
                transfer(Syscall::Read, middle, src + done, step)?;
                transfer(Syscall::Write, middle, dst + done, step)?;
                done += step;
            }
            Ok(())
        }
    }
}

#[derive(Clone, Copy)]
enum Syscall {
    Read,
    Write,
}

/// `process_vm_readv` or `process_vm_writev` on this process, until all is moved.
fn transfer(call: Syscall, own: usize, foreign: usize, count: usize) -> Result<(), Fault> {
    let mut done = 0;
    while done < count {
        let left = count - done;
        let local = libc::iovec {
            iov_base: core::ptr::without_provenance_mut(own + done),
            iov_len: left,
        };
        let remote = libc::iovec {
            iov_base: core::ptr::without_provenance_mut(foreign.wrapping_add(done)),
            iov_len: left,
        };
        // SAFETY: no arguments, cannot fail.
        let pid = unsafe { libc::getpid() };
        let moved = match call {
            // SAFETY: `own` is memory of the simulator; the kernel checks the other side.
            Syscall::Read => unsafe {
                libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0)
            },
            // SAFETY: as above.
            Syscall::Write => unsafe {
                libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0)
            },
        };
        match usize::try_from(moved) {
            Ok(moved) if moved > 0 => done += moved,
            _ if done == 0 && refused_by_sandbox() => {
                let (dst, src) = match call {
                    Syscall::Read => (own, foreign),
                    Syscall::Write => (foreign, own),
                };
                // SAFETY: without the system call a fault can only be a signal, which is defined.
                unsafe { move_bytes(dst, src, count) };
                return Ok(());
            }
            _ => return Err(Fault),
        }
    }
    Ok(())
}

/// Some sandboxes forbid the two system calls even for the process itself.
fn refused_by_sandbox() -> bool {
    matches!(
        std::io::Error::last_os_error().raw_os_error(),
        Some(libc::EPERM | libc::ENOSYS | libc::EACCES)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_arrive_whatever_their_place() {
        let from: Vec<u8> = (0..9000_u32).map(|index| (index % 251) as u8).collect();
        for (count, skip) in [
            (0, 0),
            (1, 3),
            (15, 1),
            (40, 0),
            (64, 0),
            (66, 9),
            (300, 7),
            (8999, 1),
        ] {
            let mut to = vec![0_u8; 9100];
            let dst = to.as_mut_ptr().expose_provenance() + skip;
            let head = dst.wrapping_neg() % UNIT;
            // SAFETY: both vectors are alive and long enough.
            unsafe {
                move_blocks(
                    dst,
                    from.as_ptr().expose_provenance(),
                    count,
                    head.min(count),
                )
            };
            let to = core::hint::black_box(&to);
            assert_eq!(to[skip..skip + count], from[..count], "{count}");
            assert!(to[skip + count..].iter().all(|&byte| byte == 0), "{count}");
        }
    }

    #[test]
    fn bytes_and_patterns_arrive() {
        let mut to = [0u8; 16];
        let from = *b"0123456789abcdef";
        // SAFETY: two live arrays of 16 bytes.
        unsafe { move_bytes(to.as_mut_ptr().addr(), from.as_ptr().addr(), 16) };
        assert_eq!(core::hint::black_box(&to), &from);
    }

    #[test]
    fn a_bad_foreign_address_is_an_answer_and_not_a_signal() {
        let mut to = [0u8; 16];
        // SAFETY: the destination is a live array.
        let moved = unsafe { try_move(to.as_mut_ptr().addr(), 0x1000, 16, Foreign::Source) };
        assert_eq!(moved, Err(Fault));
        // SAFETY: as above; both sides are checked by the kernel.
        let moved = unsafe {
            try_move(
                to.as_mut_ptr().addr(),
                to.as_ptr().addr(),
                16,
                Foreign::Both,
            )
        };
        assert_eq!(moved, Ok(()));
    }
}
