//! Three copies that people ask about.

use core::ffi::{c_int, c_void};

use cuda_sys::runtime::{Runtime, cudaError_t, cudaMemcpyKind};
use cuwhy_validate::{Call, Kind};

/// Makes a copy with this runtime and this device allocation, after having it judged.
pub(super) type Make = fn(&Runtime, *mut c_void, &mut dyn FnMut(&Call)) -> cudaError_t;

/// A copy, and what is to be said of it.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is, in a few words.
    pub title: &'static str,
    /// The line of C that makes it.
    pub code: &'static str,
    /// What else a reader should know.
    pub remark: Option<&'static str>,
    pub(super) make: Make,
}

/// The copies, in order.
#[must_use]
pub fn cases() -> &'static [Case] {
    &CASES
}

/// Bytes of the device allocation that the copies work with: ten C `int`.
pub(super) const ROOM: usize = 40;

const CASES: [Case; 3] = [
    Case {
        title: "a copy from a single variable on the stack",
        code: "int value = 42;  cudaMemcpy(device, &value, sizeof value, cudaMemcpyHostToDevice);",
        remark: Some(
            "it is often said that this fails because the source is \"only\" a stack variable; it is \
             correct, and it succeeds",
        ),
        make: |runtime, device, judge| {
            let value: c_int = 42;
            let source: *const c_int = &raw const value;
            judge(&Call::memcpy(
                address(device),
                address(source.cast()),
                4,
                Kind::HostToDevice,
            ));
            // SAFETY: both operands have four bytes, which is what is copied.
            unsafe {
                runtime.cudaMemcpy(
                    device,
                    source.cast(),
                    4,
                    cudaMemcpyKind::cudaMemcpyHostToDevice,
                )
            }
        },
    },
    Case {
        title: "400 bytes into an allocation of 40",
        code: "cudaMalloc(&device, 10 * sizeof(int));  cudaMemcpy(device, host, 400, cudaMemcpyHostToDevice);",
        remark: None,
        make: |runtime, device, judge| {
            let host = [7_u8; 400];
            let source = host.as_ptr();
            judge(&Call::memcpy(
                address(device),
                address(source.cast()),
                400,
                Kind::HostToDevice,
            ));
            // SAFETY: the source has 400 bytes; CUDA checks the destination's 40 and refuses.
            unsafe {
                runtime.cudaMemcpy(
                    device,
                    source.cast(),
                    400,
                    cudaMemcpyKind::cudaMemcpyHostToDevice,
                )
            }
        },
    },
    Case {
        title: "HostToDevice with both operands on the host",
        code: "int a[10], b[10];  cudaMemcpy(a, b, sizeof a, cudaMemcpyHostToDevice);",
        remark: None,
        make: |runtime, _, judge| {
            let mut destination = [0_u8; ROOM];
            let source = [7_u8; ROOM];
            let (to, from) = (destination.as_mut_ptr(), source.as_ptr());
            let bytes = ROOM as u64;
            judge(&Call::memcpy(
                address(to.cast()),
                address(from.cast()),
                bytes,
                Kind::HostToDevice,
            ));
            // SAFETY: both operands have the bytes that are copied, whatever the kind says.
            unsafe {
                runtime.cudaMemcpy(
                    to.cast(),
                    from.cast(),
                    ROOM,
                    cudaMemcpyKind::cudaMemcpyHostToDevice,
                )
            }
        },
    },
];

fn address(pointer: *const c_void) -> u64 {
    pointer.expose_provenance() as u64
}
