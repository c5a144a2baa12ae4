use core::ffi::c_int;

use cuda_sys::runtime::{self, cudaError, cudaMemLocationType, cudaMemoryAdvise, v13};

use super::Bytes;
use crate::api::api;
use crate::device::Device;
use crate::error::{Result, check};
use crate::pointer::Address;
use crate::stream::Stream;

/// Where managed memory can live.
#[derive(Debug, Clone, Copy)]
pub enum Home<'a> {
    /// On this device.
    Device(&'a Device),
    /// On the host.
    Host,
}

/// How managed memory will be used.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Advice<'a> {
    /// Read by several and hardly ever written: each reader may have a copy of its own.
    ReadMostly,
    /// Takes [`Advice::ReadMostly`] back.
    NotReadMostly,
    /// It should live there.
    Prefer(Home<'a>),
    /// Takes [`Advice::Prefer`] back.
    PreferNothing,
    /// It will be used from there: mappings to it are kept.
    AccessedBy(Home<'a>),
    /// Takes [`Advice::AccessedBy`] back.
    NotAccessedBy(Home<'a>),
}

/// The number that stands for the host before 13.0.
const HOST: c_int = -1;

impl Home<'_> {
    /// The number that stands for it before 13.0.
    fn number(self) -> c_int {
        match self {
            Self::Device(device) => device.as_raw(),
            Self::Host => HOST,
        }
    }

    fn location(self) -> v13::cudaMemLocation {
        let (type_, id) = match self {
            Self::Device(device) => (
                cudaMemLocationType::cudaMemLocationTypeDevice,
                device.as_raw(),
            ),
            Self::Host => (cudaMemLocationType::cudaMemLocationTypeHost, 0),
        };
        v13::cudaMemLocation {
            type_,
            __bindgen_anon_1: runtime::cudaMemLocation__bindgen_ty_1 { id },
        }
    }
}

impl<'a> Advice<'a> {
    fn parts(self) -> (cudaMemoryAdvise, Home<'a>) {
        match self {
            Self::ReadMostly => (cudaMemoryAdvise::cudaMemAdviseSetReadMostly, Home::Host),
            Self::NotReadMostly => (cudaMemoryAdvise::cudaMemAdviseUnsetReadMostly, Home::Host),
            Self::Prefer(home) => (cudaMemoryAdvise::cudaMemAdviseSetPreferredLocation, home),
            Self::PreferNothing => {
                let unset = cudaMemoryAdvise::cudaMemAdviseUnsetPreferredLocation;
                (unset, Home::Host)
            }
            Self::AccessedBy(home) => (cudaMemoryAdvise::cudaMemAdviseSetAccessedBy, home),
            Self::NotAccessedBy(home) => (cudaMemoryAdvise::cudaMemAdviseUnsetAccessedBy, home),
        }
    }
}

/// Moves live managed memory.
pub(super) fn prefetch(address: Address, size: Bytes, to: Home<'_>, stream: &Stream) -> Result<()> {
    let api = api()?;
    let (first, device, handle) = (address.as_ptr(), to.number(), stream.as_raw());
    let status = if let Some(table) = api.v13() {
        // SAFETY: nothing that can be seen changes, and CUDA refuses memory that is not managed.
        unsafe { table.cudaMemPrefetchAsync(first, size.0, to.location(), 0, handle) }
    } else if let Some(table) = api.v12() {
        // SAFETY: as above.
        unsafe { table.cudaMemPrefetchAsync(first, size.0, device, handle) }
    } else if let Some(table) = api.v11() {
        // SAFETY: as above.
        unsafe { table.cudaMemPrefetchAsync(first, size.0, device, handle) }
    } else {
        cudaError(302)
    };
    check!(api, cudaMemPrefetchAsync, status, address, size, device)
}

/// Advises on live managed memory.
pub(super) fn advise(address: Address, size: Bytes, advice: Advice<'_>) -> Result<()> {
    let api = api()?;
    let (advice, home) = advice.parts();
    let (first, device) = (address.as_ptr(), home.number());
    let status = if let Some(table) = api.v13() {
        // SAFETY: nothing that can be seen changes, and CUDA refuses memory that is not managed.
        unsafe { table.cudaMemAdvise(first, size.0, advice, home.location()) }
    } else if let Some(table) = api.v12() {
        // SAFETY: as above.
        unsafe { table.cudaMemAdvise(first, size.0, advice, device) }
    } else if let Some(table) = api.v11() {
        // SAFETY: as above.
        unsafe { table.cudaMemAdvise(first, size.0, advice, device) }
    } else {
        cudaError(302)
    };
    check!(
        api,
        cudaMemAdvise,
        status,
        address,
        size,
        advice = advice.0,
        device
    )
}
