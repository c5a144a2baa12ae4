//! What a pool keeps, how full it is and who may use its memory.

use cuda_sys::runtime::{
    cudaError, cudaMemAccessFlags, cudaMemLocationType, cudaMemPoolAttr, v11, v12, v13,
};

use super::supply::{Pool, location};
use crate::device::Device;
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Access;

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUsage {
    /// What it holds of the device's memory.
    pub reserved: Bytes,
    /// The most that it ever held.
    pub reserved_high: Bytes,
    /// What of it is allocated.
    pub used: Bytes,
    /// The most that ever was.
    pub used_high: Bytes,
}

/// What a device may do, as C says it.
fn access_flags(access: Access) -> cudaMemAccessFlags {
    match access {
        Access::None => cudaMemAccessFlags::cudaMemAccessFlagsProtNone,
        Access::Read => cudaMemAccessFlags::cudaMemAccessFlagsProtRead,
        _ => cudaMemAccessFlags::cudaMemAccessFlagsProtReadWrite,
    }
}

impl Pool {
    /// Gives unused memory back to the device, down to this much.
    ///
    /// Runtime API: `cudaMemPoolTrimTo`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolTrimTo")]
    pub fn trim_to(&self, keep: Bytes) -> Result<()> {
        let api = self.device.api();
        let entered = self.device.enter()?;
        // SAFETY: the pool is alive.
        let status = unsafe { api.cudaMemPoolTrimTo(self.raw, keep.0) };
        drop(entered);
        check!(api, cudaMemPoolTrimTo, status, pool = self.raw, keep)
    }

    /// What the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Runtime API: `cudaMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAttribute")]
    pub fn release_threshold(&self) -> Result<Bytes> {
        self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReleaseThreshold)
    }

    /// Sets what the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Runtime API: `cudaMemPoolSetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolSetAttribute")]
    pub fn set_release_threshold(&self, keep: Bytes) -> Result<()> {
        let api = self.device.api();
        let attribute = cudaMemPoolAttr::cudaMemPoolAttrReleaseThreshold;
        let mut value = keep.0 as u64;
        let entered = self.device.enter()?;
        // SAFETY: this attribute is read as the eight bytes of `value`.
        let status =
            unsafe { api.cudaMemPoolSetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cudaMemPoolSetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0,
            keep
        )
    }

    /// How full the pool is.
    ///
    /// Runtime API: `cudaMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAttribute")]
    pub fn usage(&self) -> Result<PoolUsage> {
        Ok(PoolUsage {
            reserved: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReservedMemCurrent)?,
            reserved_high: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrReservedMemHigh)?,
            used: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrUsedMemCurrent)?,
            used_high: self.attribute(cudaMemPoolAttr::cudaMemPoolAttrUsedMemHigh)?,
        })
    }

    /// An attribute that is a number of bytes.
    fn attribute(&self, attribute: cudaMemPoolAttr) -> Result<Bytes> {
        let api = self.device.api();
        let mut value = 0_u64;
        let entered = self.device.enter()?;
        // SAFETY: the attributes asked for here are written as the eight bytes of `value`.
        let status =
            unsafe { api.cudaMemPoolGetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cudaMemPoolGetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0
        )?;
        Ok(Bytes(usize::try_from(value).unwrap_or(usize::MAX)))
    }

    /// Sets what another device may do with the pool's memory.
    ///
    /// Runtime API: `cudaMemPoolSetAccess`. Plain copies between devices need it; `peer` copies do not.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where the devices cannot reach each other.
    #[doc(alias = "cudaMemPoolSetAccess")]
    pub fn set_access(&self, other: &Device, access: Access) -> Result<()> {
        let api = self.device.api();
        let flags = access_flags(access);
        let entered = self.device.enter()?;
        let status = if let Some(table) = api.v13() {
            let rule = v13::cudaMemAccessDesc {
                location: location!(v13, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else if let Some(table) = api.v12() {
            let rule = v12::cudaMemAccessDesc {
                location: location!(v12, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else if let Some(table) = api.v11() {
            let rule = v11::cudaMemAccessDesc {
                location: location!(v11, other),
                flags,
            };
            // SAFETY: one live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolSetAccess(self.raw, &raw const rule, 1) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(
            api,
            cudaMemPoolSetAccess,
            status,
            pool = self.raw,
            device = other.ordinal()
        )
    }

    /// What another device may do with the pool's memory.
    ///
    /// Runtime API: `cudaMemPoolGetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaMemPoolGetAccess")]
    pub fn access(&self, other: &Device) -> Result<Access> {
        let api = self.device.api();
        let mut flags = cudaMemAccessFlags::cudaMemAccessFlagsProtNone;
        let found = &raw mut flags;
        let entered = self.device.enter()?;
        let status = if let Some(table) = api.v13() {
            let mut place = location!(v13, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else if let Some(table) = api.v12() {
            let mut place = location!(v12, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else if let Some(table) = api.v11() {
            let mut place = location!(v11, other);
            // SAFETY: a live out parameter and a live descriptor of this major; the pool is alive.
            unsafe { table.cudaMemPoolGetAccess(found, self.raw, &raw mut place) }
        } else {
            cudaError(302)
        };
        drop(entered);
        check!(
            api,
            cudaMemPoolGetAccess,
            status,
            pool = self.raw,
            device = other.ordinal()
        )?;
        Ok(Access::new(flags.0.into()))
    }
}
