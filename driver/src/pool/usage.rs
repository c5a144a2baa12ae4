//! What a pool keeps, how full it is and who may use its memory.

use cuda_sys::driver::{CUmemAccess_flags, CUmemAccessDesc, CUmemPool_attribute};

use super::supply::{Pool, access_flags, location};
use crate::context::Context;
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

impl Pool {
    /// Gives unused memory back to the device, down to this much.
    ///
    /// Driver API: `cuMemPoolTrimTo`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolTrimTo")]
    pub fn trim_to(&self, keep: Bytes) -> Result<()> {
        let api = self.context.api();
        let entered = self.context.enter()?;
        // SAFETY: the pool is alive.
        let status = unsafe { api.cuMemPoolTrimTo(self.raw, keep.0) };
        drop(entered);
        check!(api, cuMemPoolTrimTo, status, pool = self.raw, keep)
    }

    /// What the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Driver API: `cuMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolGetAttribute")]
    pub fn release_threshold(&self) -> Result<Bytes> {
        self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
    }

    /// Sets what the pool keeps at a synchronisation instead of giving it back.
    ///
    /// Driver API: `cuMemPoolSetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolSetAttribute")]
    pub fn set_release_threshold(&self, keep: Bytes) -> Result<()> {
        let api = self.context.api();
        let attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        let mut value = keep.0 as u64;
        let entered = self.context.enter()?;
        // SAFETY: this attribute is read as the eight bytes of `value`.
        let status =
            unsafe { api.cuMemPoolSetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cuMemPoolSetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0,
            keep
        )
    }

    /// How full the pool is.
    ///
    /// Driver API: `cuMemPoolGetAttribute`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolGetAttribute")]
    pub fn usage(&self) -> Result<PoolUsage> {
        Ok(PoolUsage {
            reserved: self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?,
            reserved_high: self
                .attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?,
            used: self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
            used_high: self.attribute(CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
        })
    }

    /// An attribute that is a number of bytes.
    fn attribute(&self, attribute: CUmemPool_attribute) -> Result<Bytes> {
        let api = self.context.api();
        let mut value = 0_u64;
        let entered = self.context.enter()?;
        // SAFETY: the attributes asked for here are written as the eight bytes of `value`.
        let status =
            unsafe { api.cuMemPoolGetAttribute(self.raw, attribute, (&raw mut value).cast()) };
        drop(entered);
        check!(
            api,
            cuMemPoolGetAttribute,
            status,
            pool = self.raw,
            attribute = attribute.0
        )?;
        Ok(Bytes(usize::try_from(value).unwrap_or(usize::MAX)))
    }

    /// Sets what another device may do with the pool's memory.
    ///
    /// Driver API: `cuMemPoolSetAccess`. Plain copies between devices need it; `peer` copies do not.
    ///
    /// # Errors
    ///
    /// What CUDA answers: 101 where the devices cannot reach each other.
    #[doc(alias = "cuMemPoolSetAccess")]
    pub fn set_access(&self, other: &Context, access: Access) -> Result<()> {
        let api = self.context.api();
        let rule = CUmemAccessDesc {
            location: location(other),
            flags: access_flags(access),
        };
        let entered = self.context.enter()?;
        // SAFETY: one live descriptor; the pool is alive.
        let status = unsafe { api.cuMemPoolSetAccess(self.raw, &raw const rule, 1) };
        drop(entered);
        check!(
            api,
            cuMemPoolSetAccess,
            status,
            pool = self.raw,
            device = other.device().ordinal()
        )
    }

    /// What another device may do with the pool's memory.
    ///
    /// Driver API: `cuMemPoolGetAccess`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cuMemPoolGetAccess")]
    pub fn access(&self, other: &Context) -> Result<Access> {
        let api = self.context.api();
        let mut flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE;
        let mut place = location(other);
        let entered = self.context.enter()?;
        // SAFETY: a live out parameter and a live descriptor; the pool is alive.
        let status = unsafe { api.cuMemPoolGetAccess(&raw mut flags, self.raw, &raw mut place) };
        drop(entered);
        check!(
            api,
            cuMemPoolGetAccess,
            status,
            pool = self.raw,
            device = other.device().ordinal()
        )?;
        Ok(Access::new(flags.0.into()))
    }
}
