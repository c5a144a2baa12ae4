use core::fmt;
use core::panic::Location;
use std::sync::Arc;

use super::{Mapping, Physical};
use crate::api::driver;
use crate::device::Device;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::Bytes;
use crate::memory::observe::{self};
use crate::pointer::Address;

/// A range of addresses with nothing behind it.
///
/// Driver API: `cuMemAddressReserve`, and `cuMemAddressFree` on drop, which the mappings in it put off.
#[doc(alias = "cuMemAddressReserve")]
#[derive(Clone)]
pub struct Reservation {
    shared: Arc<Reserved>,
}

pub(super) struct Reserved {
    pub(super) device: Device,
    pub(super) address: Address,
    pub(super) size: Bytes,
}

impl Reservation {
    /// Reserves addresses; the size is a multiple of the [`granularity`](super::granularity).
    ///
    /// # Errors
    ///
    /// What CUDA answers: 1 for a size that is no such multiple.
    #[doc(alias = "cuMemAddressReserve")]
    pub fn new(device: &Device, size: Bytes) -> Result<Self> {
        let mut address = 0;
        let entered = device.enter()?;
        let api = driver()?;
        // SAFETY: `address` is a live out parameter; no alignment and no address are asked for.
        let status = unsafe { api.cuMemAddressReserve(&raw mut address, size.0, 0, 0, 0) };
        drop(entered);
        check!(api, cuMemAddressReserve, status, size)?;
        let shared = Reserved {
            device: *device,
            address: Address(address),
            size,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The first address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.shared.address
    }

    /// The size.
    #[must_use]
    pub fn size(&self) -> Bytes {
        self.shared.size
    }

    /// Where it was made.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    /// Puts physical memory behind the addresses from `offset` on.
    ///
    /// Driver API: `cuMemMap`, and `cuMemUnmap` when the mapping is dropped. The mapping keeps the
    /// reservation; the physical memory lives on behind it when its owner is dropped.
    ///
    /// # Errors
    ///
    /// [`Misuse::OutOfRange`] where it does not lie inside, and what CUDA answers: 1 for addresses that
    /// have something behind them.
    #[doc(alias = "cuMemMap")]
    #[track_caller]
    pub fn map(&self, offset: Bytes, physical: &Physical) -> Result<Mapping> {
        let location = Location::caller();
        let size = physical.size();
        let end = offset.0.saturating_add(size.0);
        if end > self.shared.size.0 {
            let misused = Misuse::OutOfRange {
                start: offset.0,
                end,
                len: self.shared.size.0,
            };
            return Err(misuse("cuMemMap", misused));
        }
        let device = &self.shared.device;
        let address = Address(self.shared.address.0.wrapping_add(offset.0 as u64));
        let entered = device.enter()?;
        let api = driver()?;
        // SAFETY: the range lies in the reservation, and the handle is alive.
        let status = unsafe { api.cuMemMap(address.0, size.0, 0, physical.as_raw(), 0) };
        drop(entered);
        check!(
            api,
            cuMemMap,
            status,
            address,
            size,
            handle = Address(physical.as_raw())
        )?;
        let mapping = Mapping {
            reservation: Arc::clone(&self.shared),
            address,
            size,
            location,
        };
        observe::began(|| mapping.event());
        Ok(mapping)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        report_drop(self.device.enter().and_then(|entered| {
            let api = driver()?;
            // SAFETY: reserved once, freed once; every mapping in it held it and is gone.
            let status = unsafe { api.cuMemAddressFree(self.address.0, self.size.0) };
            drop(entered);
            check!(
                api,
                cuMemAddressFree,
                status,
                address = self.address,
                size = self.size
            )
        }));
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("address", &self.shared.address)
            .field("size", &self.shared.size)
            .finish()
    }
}
