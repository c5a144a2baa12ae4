use crate::api::{api, driver};
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::Address;

/// An allocation, as CUDA sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressRange {
    /// Its first byte.
    pub base: Address,
    /// Its size.
    pub size: Bytes,
}

impl AddressRange {
    /// Whether the address lies inside.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        address
            .0
            .checked_sub(self.base.0)
            .is_some_and(|offset| offset < self.size.0 as u64)
    }
}

/// The allocation around an address; of virtual memory, what is mapped there.
///
/// Driver API: `cuMemGetAddressRange_v2`.
///
/// # Errors
///
/// What CUDA answers: 500 for an address that is in no allocation.
#[doc(alias = "cuMemGetAddressRange")]
pub fn address_range(address: impl Into<Address>) -> Result<AddressRange> {
    let address = address.into();
    let driver = driver()?;
    let (mut base, mut size) = (0, 0);
    // SAFETY: both are live out parameters; the address is looked up and nothing is read there.
    let status = unsafe { driver.cuMemGetAddressRange_v2(&raw mut base, &raw mut size, address.0) };
    check!(driver, cuMemGetAddressRange_v2, status, address)?;
    Ok(AddressRange {
        base: Address(base),
        size: Bytes(size),
    })
}

/// The variable of the device that the host's shadow `symbol` stands for.
///
/// Runtime API: `cudaGetSymbolAddress`, `cudaGetSymbolSize`. Code compiled by nvcc has such shadows and
/// registers them; what was loaded as PTX or cubin is had from
/// [`Module::global`](crate::module::Module::global).
///
/// # Errors
///
/// What CUDA answers: 13 for null, and from 13.0 on for every address that is no such shadow.
///
/// # Safety
///
/// `symbol` is such a shadow or null: the runtimes of CUDA 11 and 12 follow it (measured: H100, driver 580,
/// libcudart 11.8 and 12.9 die of an address that is not mapped, 13.0 does not).
#[doc(alias = "cudaGetSymbolAddress")]
#[doc(alias = "cudaGetSymbolSize")]
pub unsafe fn symbol_range(symbol: *const core::ffi::c_void) -> Result<AddressRange> {
    let api = api()?;
    let (mut base, mut size) = (core::ptr::null_mut(), 0);
    // SAFETY: `base` is a live out parameter; the caller answers for the symbol.
    let status = unsafe { api.cudaGetSymbolAddress(&raw mut base, symbol) };
    check!(api, cudaGetSymbolAddress, status, symbol)?;
    // SAFETY: as above.
    let status = unsafe { api.cudaGetSymbolSize(&raw mut size, symbol) };
    check!(api, cudaGetSymbolSize, status, symbol)?;
    Ok(AddressRange {
        base: Address::from(base),
        size: Bytes(size),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_before_its_end() {
        let range = AddressRange {
            base: Address(0x1000),
            size: Bytes(0x10),
        };
        assert!(range.contains(Address(0x1000)));
        assert!(range.contains(Address(0x100f)));
        assert!(!range.contains(Address(0x1010)));
        assert!(!range.contains(Address(0xfff)));
    }
}
