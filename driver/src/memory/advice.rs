use cuda_sys::driver::{
    CUdevice, CUmem_advise, CUmemLocation, CUmemLocation_st__bindgen_ty_1, CUmemLocationType,
};

use super::Bytes;
use crate::api::api;
use crate::context::Context;
use crate::error::{Result, check};
use crate::pointer::Address;
use crate::pool::location;
use crate::stream::Stream;

/// Where managed memory can live.
#[derive(Debug, Clone, Copy)]
pub enum Home<'a> {
    /// On the device of this context.
    Device(&'a Context),
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

/// The number that stands for the host before 12.2 (`CU_DEVICE_CPU`).
const HOST: CUdevice = -1;

impl Home<'_> {
    /// The number that stands for it before 12.2.
    fn number(self) -> CUdevice {
        match self {
            Self::Device(context) => context.device().as_raw(),
            Self::Host => HOST,
        }
    }

    fn location(self) -> CUmemLocation {
        match self {
            Self::Device(context) => location(context),
            Self::Host => CUmemLocation {
                type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_HOST,
                __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 { id: 0 },
            },
        }
    }
}

impl<'a> Advice<'a> {
    fn parts(self) -> (CUmem_advise, Home<'a>) {
        match self {
            Self::ReadMostly => (CUmem_advise::CU_MEM_ADVISE_SET_READ_MOSTLY, Home::Host),
            Self::NotReadMostly => (CUmem_advise::CU_MEM_ADVISE_UNSET_READ_MOSTLY, Home::Host),
            Self::Prefer(home) => (CUmem_advise::CU_MEM_ADVISE_SET_PREFERRED_LOCATION, home),
            Self::PreferNothing => {
                let unset = CUmem_advise::CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION;
                (unset, Home::Host)
            }
            Self::AccessedBy(home) => (CUmem_advise::CU_MEM_ADVISE_SET_ACCESSED_BY, home),
            Self::NotAccessedBy(home) => (CUmem_advise::CU_MEM_ADVISE_UNSET_ACCESSED_BY, home),
        }
    }
}

/// Moves live managed memory.
pub(super) fn prefetch(address: Address, size: Bytes, to: Home<'_>, stream: &Stream) -> Result<()> {
    let api = api()?;
    let (device, handle) = (to.number(), stream.as_raw());
    if api.has("cuMemPrefetchAsync_v2") {
        let place = to.location();
        // SAFETY: nothing that can be seen changes, and CUDA refuses memory that is not managed.
        let status = unsafe { api.cuMemPrefetchAsync_v2(address.0, size.0, place, 0, handle) };
        check!(api, cuMemPrefetchAsync_v2, status, address, size, device)
    } else {
        // SAFETY: as above.
        let status = unsafe { api.cuMemPrefetchAsync(address.0, size.0, device, handle) };
        check!(api, cuMemPrefetchAsync, status, address, size, device)
    }
}

/// Advises on live managed memory.
pub(super) fn advise(address: Address, size: Bytes, advice: Advice<'_>) -> Result<()> {
    let api = api()?;
    let (advice, home) = advice.parts();
    let device = home.number();
    if api.has("cuMemAdvise_v2") {
        let place = home.location();
        // SAFETY: nothing that can be seen changes, and CUDA refuses memory that is not managed.
        let status = unsafe { api.cuMemAdvise_v2(address.0, size.0, advice, place) };
        check!(
            api,
            cuMemAdvise_v2,
            status,
            address,
            size,
            advice = advice.0,
            device
        )
    } else {
        // SAFETY: as above.
        let status = unsafe { api.cuMemAdvise(address.0, size.0, advice, device) };
        check!(
            api,
            cuMemAdvise,
            status,
            address,
            size,
            advice = advice.0,
            device
        )
    }
}
