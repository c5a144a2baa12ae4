use core::ffi::c_void;

use cuda_sys::driver::{CUmemorytype, CUpointer_attribute};

use crate::api::{Api, api};
use crate::error::{Result, check};
use crate::memory::Bytes;
use crate::pointer::{Address, AddressRange};

/// The kind of memory at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemoryType {
    /// Not CUDA's: pageable host memory, freed memory, or nothing.
    Unregistered,
    /// Host memory, pinned or registered.
    Host,
    /// Device memory.
    Device,
    /// An array. No address is one today.
    Array,
    /// Memory that every device and the host share.
    Unified,
    /// A number that this crate has never heard of.
    Other(u32),
}

/// What the device of the current context may do with the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// A number that this crate has never heard of.
    Other(u64),
}

/// Everything that the driver says of an address.
///
/// A field is `None` where the loaded driver is too old to be asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes {
    /// The kind of memory.
    pub memory_type: MemoryType,
    /// The handle of the context that allocated or registered it, as a number; 0 for none.
    pub context: u64,
    /// Where the device sees it.
    pub device_pointer: Option<Address>,
    /// Where the host sees it.
    pub host_pointer: Option<Address>,
    /// Whether synchronous copies of it are synchronous in every case (`SYNC_MEMOPS`).
    pub synchronous_copies: bool,
    /// A number that no other allocation of this process ever has.
    pub buffer_id: u64,
    /// Whether it is managed.
    pub is_managed: bool,
    /// The device that it was allocated or registered for; `None` where CUDA does not know it.
    pub device: Option<i32>,
    /// Whether another process could open it through [`ipc`](crate::ipc).
    pub is_ipc_capable: Option<bool>,
    /// The allocation around it; of virtual memory, the whole reservation.
    pub range: Option<AddressRange>,
    /// Whether memory is mapped there.
    pub is_mapped: Option<bool>,
    /// The kinds of handle that it can be exported as.
    pub handle_types: Option<u64>,
    /// Whether GPUDirect RDMA can use it.
    pub is_rdma_capable: Option<bool>,
    /// What the device of the current context may do.
    pub access: Option<Access>,
    /// The handle of the pool that it was taken from, as a number; 0 for none.
    pub pool: Option<u64>,
    /// The mapping around it.
    pub mapping: Option<AddressRange>,
    /// A number for the physical memory behind it.
    pub memory_block_id: Option<u64>,
    /// Whether the decompression engine can use it.
    pub is_decompress_capable: Option<bool>,
    /// The part of the device that it lives in; -1 for memory that is not tied to one.
    pub locality_domain: Option<i32>,
}

/// Room for the answers: each attribute writes no more than eight bytes into its own slot.
#[derive(Default)]
struct Slots([u64; LIST.len()]);

/// The attributes that are asked for, and since when drivers know them.
///
/// Not asked: `P2P_TOKENS`, which is no fact about memory but a permission to be had, and which
/// drivers refuse.
const LIST: [(CUpointer_attribute, u32); 21] = [
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, 0),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_CONTEXT, 0),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_POINTER, 0),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER, 0),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, 0),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_BUFFER_ID, 0),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED, 0),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, 0),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
        11_000,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
        11_000,
    ),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE, 11_000),
    (CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPED, 11_000),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
        11_000,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE,
        11_000,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS,
        11_020,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE,
        11_020,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_SIZE,
        11_070,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR,
        11_070,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID,
        12_000,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE,
        12_080,
    ),
    (
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_LOCALITY_DOMAIN_ORDINAL,
        13_050,
    ),
];

/// How many of the attributes every driver knows that can be loaded at all.
const OLDEST: usize = 8;

/// Asks everything about an address, in one query.
///
/// Driver API: `cuPointerGetAttributes`. An address that CUDA does not know is no error: it comes
/// back as [`MemoryType::Unregistered`].
///
/// # Errors
///
/// What CUDA answers: 3 before it is initialised.
///
/// # Examples
///
/// ```
/// # if cuwhy_driver::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_driver::memory::{DeviceBuffer, DeviceMemory};
/// use cuwhy_driver::pointer::{MemoryType, attributes};
///
/// let context = cuwhy_driver::device::Device::new(0)?.context()?;
/// let buffer = DeviceBuffer::<u8>::new(&context, 10)?;
/// assert_eq!(attributes(buffer.address())?.memory_type, MemoryType::Device);
/// assert_eq!(attributes(&raw const context)?.memory_type, MemoryType::Unregistered);
/// # Ok::<(), cuwhy_driver::error::Error>(())
/// ```
#[doc(alias = "cuPointerGetAttributes")]
#[doc(alias = "cuPointerGetAttribute")]
pub fn attributes(address: impl Into<Address>) -> Result<Attributes> {
    let address = address.into();
    let api = api()?;
    let version = api.version().0;
    let known = LIST
        .iter()
        .take_while(|(_, since)| *since <= version)
        .count();
    let mut slots = Slots::default();
    // A driver may know less than its version promises; it then refuses the whole list, with 1 or 801.
    let mut count = known;
    let mut status = query(api, &mut slots, count, address);
    while matches!(status.0, 1 | 801) && count > OLDEST {
        count -= 1;
        slots = Slots::default();
        status = query(api, &mut slots, count, address);
    }
    check!(api, cuPointerGetAttributes, status, address)?;
    Ok(slots.read(count))
}

/// Asks for the first `count` attributes of the list.
fn query(api: &Api, slots: &mut Slots, count: usize, address: Address) -> crate::api::Status {
    let mut names = LIST.map(|(attribute, _)| attribute);
    let mut room = [core::ptr::null_mut::<c_void>(); LIST.len()];
    for (pointer, slot) in room.iter_mut().zip(&mut slots.0) {
        *pointer = (&raw mut *slot).cast();
    }
    // The list is far shorter than any integer's range.
    let number = u32::try_from(count.min(LIST.len())).unwrap_or(0);
    // SAFETY: `names` and `room` have `number` entries, and every entry of `room` has the eight bytes
    // that the largest attribute takes; the address is looked up and nothing is read there.
    unsafe { api.cuPointerGetAttributes(number, names.as_mut_ptr(), room.as_mut_ptr(), address.0) }
}

impl Slots {
    /// The answer to an attribute, where it was among the first `count`.
    fn get(&self, attribute: CUpointer_attribute, count: usize) -> Option<u64> {
        let index = LIST.iter().position(|(other, _)| *other == attribute)?;
        if index < count {
            self.0.get(index).copied()
        } else {
            None
        }
    }

    fn read(&self, count: usize) -> Attributes {
        use CUpointer_attribute as A;
        let wide = |attribute| self.get(attribute, count);
        // Answers of four bytes lie in the low half of a slot that was zero before.
        let narrow = |attribute| wide(attribute).map(low);
        let flag = |attribute| narrow(attribute).map(|value| value != 0);
        let address = |attribute| wide(attribute).filter(|value| *value != 0).map(Address);
        let range = |base, size: Option<u64>| -> Option<AddressRange> {
            let size = size.filter(|size| *size != 0)?;
            Some(AddressRange {
                base: Address(wide(base)?),
                size: Bytes(usize::try_from(size).ok()?),
            })
        };
        Attributes {
            memory_type: MemoryType::new(narrow(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE).unwrap_or(0)),
            context: wide(A::CU_POINTER_ATTRIBUTE_CONTEXT).unwrap_or(0),
            device_pointer: address(A::CU_POINTER_ATTRIBUTE_DEVICE_POINTER),
            host_pointer: address(A::CU_POINTER_ATTRIBUTE_HOST_POINTER),
            synchronous_copies: flag(A::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS).unwrap_or(false),
            buffer_id: wide(A::CU_POINTER_ATTRIBUTE_BUFFER_ID).unwrap_or(0),
            is_managed: flag(A::CU_POINTER_ATTRIBUTE_IS_MANAGED).unwrap_or(false),
            device: narrow(A::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL)
                .map(u32::cast_signed)
                .filter(|device| *device >= 0),
            is_ipc_capable: flag(A::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE),
            range: range(
                A::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
                wide(A::CU_POINTER_ATTRIBUTE_RANGE_SIZE),
            ),
            is_mapped: flag(A::CU_POINTER_ATTRIBUTE_MAPPED),
            handle_types: wide(A::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES),
            is_rdma_capable: flag(A::CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE),
            access: wide(A::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS).map(Access::new),
            pool: wide(A::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE),
            mapping: range(
                A::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR,
                wide(A::CU_POINTER_ATTRIBUTE_MAPPING_SIZE),
            ),
            memory_block_id: wide(A::CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID),
            is_decompress_capable: flag(A::CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE),
            locality_domain: narrow(A::CU_POINTER_ATTRIBUTE_LOCALITY_DOMAIN_ORDINAL)
                .map(u32::cast_signed),
        }
    }
}

/// The low half of a slot.
fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl MemoryType {
    fn new(number: u32) -> Self {
        const HOST: u32 = CUmemorytype::CU_MEMORYTYPE_HOST.0;
        const DEVICE: u32 = CUmemorytype::CU_MEMORYTYPE_DEVICE.0;
        const ARRAY: u32 = CUmemorytype::CU_MEMORYTYPE_ARRAY.0;
        const UNIFIED: u32 = CUmemorytype::CU_MEMORYTYPE_UNIFIED.0;
        match number {
            0 => Self::Unregistered,
            HOST => Self::Host,
            DEVICE => Self::Device,
            ARRAY => Self::Array,
            UNIFIED => Self::Unified,
            other => Self::Other(other),
        }
    }
}

impl Access {
    pub(crate) fn new(number: u64) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Read,
            3 => Self::ReadWrite,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_versions() {
        assert!(LIST.is_sorted_by_key(|(_, since)| *since));
        assert!(LIST[OLDEST - 1].1 == 0 && LIST[OLDEST].1 > 0);
    }

    #[test]
    fn what_an_old_driver_does_not_know_is_none() {
        let attributes = Slots::default().read(OLDEST);
        assert_eq!(attributes.range, None);
        assert_eq!(attributes.access, None);
        assert_eq!(attributes.memory_type, MemoryType::Unregistered);
        let attributes = Slots::default().read(LIST.len());
        assert_eq!(attributes.access, Some(Access::None));
        assert_eq!(attributes.pool, Some(0));
    }

    #[test]
    fn an_unknown_device_is_none() {
        let mut slots = Slots::default();
        slots.0[7] = u64::from((-2_i32).cast_unsigned());
        assert_eq!(slots.read(LIST.len()).device, None);
        slots.0[7] = 1;
        assert_eq!(slots.read(LIST.len()).device, Some(1));
    }
}
