//! Three copies that people ask about.

use core::ffi::c_int;

use cuwhy_runtime::copy::{Direction, raw};
use cuwhy_runtime::memory::Bytes;
use cuwhy_runtime::pointer::Address;
use cuwhy_validate::{Call, Kind};

/// Makes a copy that may use the device allocation at this address, after having it judged.
pub(super) type Make = fn(Address, &mut dyn FnMut(&Call)) -> cuwhy_runtime::Result<()>;

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
        make: |device, judge| {
            let value: c_int = 42;
            let source = Address::from(&raw const value);
            judge(&Call::memcpy(device.0, source.0, 4, Kind::HostToDevice));
            // SAFETY: both operands have four bytes, which is what is copied.
            unsafe { raw::copy(device, source, Bytes(4), Direction::HostToDevice) }
        },
    },
    Case {
        title: "400 bytes into an allocation of 40",
        code: "cudaMalloc(&device, 10 * sizeof(int));  cudaMemcpy(device, host, 400, cudaMemcpyHostToDevice);",
        remark: None,
        make: |device, judge| {
            let host = [7_u8; 400];
            let source = Address::from(&raw const host);
            judge(&Call::memcpy(device.0, source.0, 400, Kind::HostToDevice));
            // SAFETY: the source has 400 bytes; CUDA checks the destination's 40 and refuses.
            unsafe { raw::copy(device, source, Bytes(400), Direction::HostToDevice) }
        },
    },
    Case {
        title: "HostToDevice with both operands on the host",
        code: "int a[10], b[10];  cudaMemcpy(a, b, sizeof a, cudaMemcpyHostToDevice);",
        remark: None,
        make: |_, judge| {
            let mut destination = [0_u8; ROOM];
            let source = [7_u8; ROOM];
            let (to, from) = (
                Address::from(&raw mut destination),
                Address::from(&raw const source),
            );
            judge(&Call::memcpy(to.0, from.0, ROOM as u64, Kind::HostToDevice));
            // SAFETY: both operands have the bytes that are copied, whatever the kind says.
            unsafe { raw::copy(to, from, Bytes(ROOM), Direction::HostToDevice) }
        },
    },
];
