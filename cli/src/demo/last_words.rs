//! What a process that dies of a fault says before: the signal, and where.

use core::ffi::{c_int, c_void};
use core::ptr;

/// From now on the first fault is said on the standard output, as a line of JSON; the process then
/// dies of it.
pub(super) fn say_them() {
    const STACK: usize = 64 << 10;
    let stack = Box::leak(vec![0_u8; STACK].into_boxed_slice());
    let alternative = libc::stack_t {
        ss_sp: stack.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: STACK,
    };
    // SAFETY: the stack is leaked, so it lives as long as the thread.
    unsafe { libc::sigaltstack(&raw const alternative, ptr::null_mut()) };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_fault;
    // SAFETY: all zero is a valid, empty action.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    // The handler is gone when it returns, and the same instruction kills the process.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESETHAND;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the action is complete and the handler is async-signal-safe.
        unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel hands a complete description over.
    let info = unsafe { &*info };
    // SAFETY: both signals that come here carry an address.
    let address = unsafe { info.si_addr() }.expose_provenance() as u64;
    // `{"fault":{"signal":11,"address":140737488355328}}`, with nothing that allocates.
    let mut line = Line {
        bytes: [0; 80],
        used: 0,
    };
    line.put(b"{\"fault\":{\"signal\":");
    line.number(u64::from(signal.unsigned_abs()));
    line.put(b",\"address\":");
    line.number(address);
    line.put(b"}}\n");
    // SAFETY: the bytes are alive; `write` is async-signal-safe. Nobody is told where it fails.
    unsafe { libc::write(1, line.bytes.as_ptr().cast(), line.used) };
}

struct Line {
    bytes: [u8; 80],
    used: usize,
}

impl Line {
    fn put(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.used) {
                *place = *byte;
                self.used += 1;
            }
        }
    }

    fn number(&mut self, value: u64) {
        let mut digits = [b'0'; 20];
        let (mut rest, mut first) = (value, digits.len());
        while rest > 0 || first == digits.len() {
            first -= 1;
            digits[first] += (rest % 10) as u8;
            rest /= 10;
        }
        self.put(&digits[first..]);
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn numbers_are_written_without_an_allocation() {
        for value in [0, 7, 10, 4096, u64::MAX] {
            let mut line = Line {
                bytes: [0; 80],
                used: 0,
            };
            line.number(value);
            let text = core::str::from_utf8(&line.bytes[..line.used]).unwrap();
            assert_eq!(text, value.to_string());
        }
    }
}
