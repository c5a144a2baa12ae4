//! Makes a call, right or wrong, exactly as it was drawn.

mod boxes;
mod driver;
mod layout;
mod pair;
mod runtime;

use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{CUcontext, CUresult, CUstream, Driver, cudaError_enum};
use cuda_sys::runtime::Runtime;
use cuwhy_validate::call::Action;

/// Calls CUDA.
macro_rules! cuda {
    ($call:expr) => {{
        // SAFETY: what this program is for: operands may be wrong, but then CUDA refuses them or this
        // process dies, as it is prepared to; every other argument is a live local of the C type.
        unsafe { $call }
    }};
}
pub(super) use cuda;

/// A number of bytes as C counts them.
pub(super) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// An address as a pointer.
pub(super) fn pointer(address: u64) -> *mut c_void {
    ptr::with_exposed_provenance_mut(size(address))
}

/// The libraries and the context that calls are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hands {
    pub(super) driver: &'static Driver,
    pub(super) runtime: Option<&'static Runtime>,
    /// The contexts of the devices that take part; of one device twice where there is one.
    pub(super) contexts: [CUcontext; 2],
}

/// The status of a call that could not be made because nothing like it was loaded.
const NOT_MADE: u32 = u32::MAX;

impl Hands {
    /// Makes the call; `element` is that of its arrays.
    pub(super) fn make(&self, name: &str, action: &Action, stream: u64, element: u64) -> u32 {
        if name.starts_with("cuda") {
            let Some(runtime) = self.runtime else {
                return NOT_MADE;
            };
            return runtime::make_runtime(runtime, name, action, stream, element).0;
        }
        self.make_driver(name, action, stream, element).0
    }

    fn make_driver(&self, name: &str, action: &Action, stream: u64, element: u64) -> CUresult {
        let driver = self.driver;
        let stream: CUstream = ptr::with_exposed_provenance_mut(size(stream));
        match action {
            Action::Copy(copy) => driver::line(driver, name, copy, stream),
            Action::Copy3D(copy) => driver::boxed(driver, name, copy, stream),
            Action::Peer(copy) => self.peer(name, copy, stream),
            Action::Peer3D(copy) => self.peer_volume(name, copy, stream),
            Action::Batch(batch) => driver::batched(driver, name, batch, stream),
            Action::Batch3D(batch) => boxes::driver(driver, name, batch, stream, element),
            Action::Fill(fill) => driver::filled(driver, name, fill, stream),
            Action::Register(one) => {
                cuda!(driver.cuMemHostRegister_v2(pointer(one.address), size(one.bytes), one.flags))
            }
            Action::Unregister { address } => cuda!(driver.cuMemHostUnregister(pointer(*address))),
            _ => cudaError_enum(NOT_MADE),
        }
    }
}
