//! The C calls for memory, with errors: no owner, no context switch.
//!
//! Everything here works in the thread's current context, as C does. Observers hear of it.

use core::ffi::c_void;
use core::panic::Location;
use core::ptr;

use super::observe::{self, Event, Kind, Rows};
use super::{Bytes, HostFlags, ManagedVisibility, Pitch, RegisterFlags};
use crate::api::api;
use crate::error::{Misuse, Result, check, misuse};
use crate::pointer::Address;

/// An event that knows neither device nor context.
fn event(
    kind: Kind,
    address: Address,
    size: Bytes,
    location: Option<&'static Location<'static>>,
) -> Event {
    Event {
        kind,
        address,
        size,
        device: None,
        context: None,
        stream: None,
        rows: None,
        location,
    }
}

/// Allocates device memory.
///
/// Driver API: `cuMemAlloc_v2`.
///
/// # Errors
///
/// What CUDA answers: 1 for zero bytes, 2 where there is not enough.
#[doc(alias = "cuMemAlloc")]
#[track_caller]
pub fn allocate(size: Bytes) -> Result<Address> {
    let location = Location::caller();
    let address = allocate_unobserved(size)?;
    observe::began(|| event(Kind::Device, address, size, Some(location)));
    Ok(address)
}

pub(super) fn allocate_unobserved(size: Bytes) -> Result<Address> {
    let api = api()?;
    let mut address = 0;
    // SAFETY: `address` is a live out parameter.
    let status = unsafe { api.cuMemAlloc_v2(&raw mut address, size.0) };
    check!(api, cuMemAlloc_v2, status, size)?;
    Ok(Address(address))
}

/// Frees device memory, also managed, pitched and stream-ordered memory.
///
/// Driver API: `cuMemFree_v2`.
///
/// # Errors
///
/// What CUDA answers: 1 where nothing begins at the address.
///
/// # Safety
///
/// Nobody uses the memory afterwards, and no view of managed memory is alive.
#[doc(alias = "cuMemFree")]
pub unsafe fn free(address: Address) -> Result<()> {
    observe::end(
        || event(Kind::Device, address, Bytes(0), None),
        // SAFETY: the caller's promise is the same.
        || unsafe { free_unobserved(address) },
    )
}

/// Frees without telling the observer.
///
/// # Safety
///
/// As [`free`].
pub(super) unsafe fn free_unobserved(address: Address) -> Result<()> {
    let api = api()?;
    // SAFETY: the caller promises that nobody uses the memory any longer.
    let status = unsafe { api.cuMemFree_v2(address.0) };
    check!(api, cuMemFree_v2, status, address)
}

/// Allocates device memory in rows, at a pitch that CUDA chooses.
///
/// Driver API: `cuMemAllocPitch_v2`. `element` is the size of the largest access: 4, 8 or 16 bytes.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cuMemAllocPitch")]
#[track_caller]
pub fn allocate_pitched(width: Bytes, height: usize, element: Bytes) -> Result<(Address, Pitch)> {
    let location = Location::caller();
    let (address, pitch) = allocate_pitched_unobserved(width, height, element)?;
    let size = Bytes(pitch.0.saturating_mul(height));
    let rows = Rows {
        pitch,
        width,
        height,
    };
    observe::began(|| Event {
        rows: Some(rows),
        ..event(Kind::Pitched, address, size, Some(location))
    });
    Ok((address, pitch))
}

pub(super) fn allocate_pitched_unobserved(
    width: Bytes,
    height: usize,
    element: Bytes,
) -> Result<(Address, Pitch)> {
    let api = api()?;
    let size = u32::try_from(element.0).map_err(|_| {
        misuse(
            "cuMemAllocPitch_v2",
            Misuse::DoesNotFit {
                name: "element",
                value: element.0 as u64,
            },
        )
    })?;
    let (mut address, mut pitch) = (0, 0);
    // SAFETY: `address` and `pitch` are live out parameters.
    let status =
        unsafe { api.cuMemAllocPitch_v2(&raw mut address, &raw mut pitch, width.0, height, size) };
    check!(api, cuMemAllocPitch_v2, status, width, height, element)?;
    Ok((Address(address), Pitch(pitch)))
}

/// Allocates pinned host memory.
///
/// Driver API: `cuMemHostAlloc`. Its contents are not initialised.
///
/// # Errors
///
/// What CUDA answers.
#[doc(alias = "cuMemHostAlloc")]
#[doc(alias = "cuMemAllocHost")]
#[track_caller]
pub fn allocate_host(size: Bytes, flags: HostFlags) -> Result<*mut c_void> {
    let location = Location::caller();
    let pointer = allocate_host_unobserved(size, flags)?;
    observe::began(|| event(Kind::Pinned, Address::from(pointer), size, Some(location)));
    Ok(pointer)
}

pub(super) fn allocate_host_unobserved(size: Bytes, flags: HostFlags) -> Result<*mut c_void> {
    let api = api()?;
    let mut pointer = ptr::null_mut();
    // SAFETY: `pointer` is a live out parameter.
    let status = unsafe { api.cuMemHostAlloc(&raw mut pointer, size.0, flags.bits()) };
    check!(api, cuMemHostAlloc, status, size, flags = flags.bits())?;
    Ok(pointer)
}

/// Frees pinned host memory.
///
/// Driver API: `cuMemFreeHost`.
///
/// # Errors
///
/// What CUDA answers: 1 where it did not allocate that memory.
///
/// # Safety
///
/// Nobody uses the memory afterwards, copies in flight included.
#[doc(alias = "cuMemFreeHost")]
pub unsafe fn free_host(pointer: *mut c_void) -> Result<()> {
    observe::end(
        || event(Kind::Pinned, Address::from(pointer), Bytes(0), None),
        // SAFETY: the caller's promise is the same.
        || unsafe { free_host_unobserved(pointer) },
    )
}

/// Frees without telling the observer.
///
/// # Safety
///
/// As [`free_host`].
pub(super) unsafe fn free_host_unobserved(pointer: *mut c_void) -> Result<()> {
    let api = api()?;
    // SAFETY: the caller promises that nobody uses the memory any longer.
    let status = unsafe { api.cuMemFreeHost(pointer) };
    check!(api, cuMemFreeHost, status, pointer)
}

/// The address at which the device sees pinned or registered host memory.
///
/// Driver API: `cuMemHostGetDevicePointer_v2`.
///
/// # Errors
///
/// What CUDA answers: 1 for other memory.
#[doc(alias = "cuMemHostGetDevicePointer")]
pub fn device_address_of_host(pointer: *const c_void) -> Result<Address> {
    let api = api()?;
    let mut address = 0;
    // SAFETY: `address` is a live out parameter; the driver looks the pointer up and reads nothing.
    let status =
        unsafe { api.cuMemHostGetDevicePointer_v2(&raw mut address, pointer.cast_mut(), 0) };
    check!(api, cuMemHostGetDevicePointer_v2, status, pointer)?;
    Ok(Address(address))
}

/// The flags that pinned memory was allocated with.
///
/// Driver API: `cuMemHostGetFlags`.
///
/// # Errors
///
/// What CUDA answers: 1 for other memory.
#[doc(alias = "cuMemHostGetFlags")]
pub fn host_flags(pointer: *const c_void) -> Result<u32> {
    let api = api()?;
    let mut flags = 0;
    // SAFETY: `flags` is a live out parameter; the driver looks the pointer up and reads nothing.
    let status = unsafe { api.cuMemHostGetFlags(&raw mut flags, pointer.cast_mut()) };
    check!(api, cuMemHostGetFlags, status, pointer)?;
    Ok(flags)
}

/// Pins host memory that somebody else allocated.
///
/// Driver API: `cuMemHostRegister_v2`.
///
/// # Errors
///
/// What CUDA answers: 712 where a part is registered already, 1 for read-only memory without the
/// flag and for memory that is CUDA's own.
///
/// # Safety
///
/// The memory stays allocated until it is unregistered.
#[doc(alias = "cuMemHostRegister")]
#[track_caller]
pub unsafe fn register(pointer: *mut c_void, size: Bytes, flags: RegisterFlags) -> Result<()> {
    let location = Location::caller();
    // SAFETY: the caller's promise is the same.
    unsafe { register_unobserved(pointer, size, flags) }?;
    observe::began(|| {
        event(
            Kind::Registered,
            Address::from(pointer),
            size,
            Some(location),
        )
    });
    Ok(())
}

/// Registers without telling the observer.
///
/// # Safety
///
/// As [`register`].
pub(super) unsafe fn register_unobserved(
    pointer: *mut c_void,
    size: Bytes,
    flags: RegisterFlags,
) -> Result<()> {
    let api = api()?;
    // SAFETY: the caller keeps the memory alive until it is unregistered.
    let status = unsafe { api.cuMemHostRegister_v2(pointer, size.0, flags.bits()) };
    check!(
        api,
        cuMemHostRegister_v2,
        status,
        pointer,
        size,
        flags = flags.bits()
    )
}

/// Takes back [`register`].
///
/// Driver API: `cuMemHostUnregister`.
///
/// # Errors
///
/// What CUDA answers: 713 where nothing is registered, 1 for an address inside a registration.
///
/// # Safety
///
/// No copy in flight relies on the memory being pinned.
#[doc(alias = "cuMemHostUnregister")]
pub unsafe fn unregister(pointer: *mut c_void) -> Result<()> {
    observe::end(
        || event(Kind::Registered, Address::from(pointer), Bytes(0), None),
        // SAFETY: the caller's promise is the same.
        || unsafe { unregister_unobserved(pointer) },
    )
}

/// Unregisters without telling the observer.
///
/// # Safety
///
/// As [`unregister`].
pub(super) unsafe fn unregister_unobserved(pointer: *mut c_void) -> Result<()> {
    let api = api()?;
    // SAFETY: the caller promises that no copy in flight relies on it.
    let status = unsafe { api.cuMemHostUnregister(pointer) };
    check!(api, cuMemHostUnregister, status, pointer)
}

/// Allocates managed memory, which host and device see at the same address.
///
/// Driver API: `cuMemAllocManaged`. [`free`] frees it.
///
/// # Errors
///
/// What CUDA answers: 1 for zero bytes, 801 where the device has none.
#[doc(alias = "cuMemAllocManaged")]
#[track_caller]
pub fn allocate_managed(size: Bytes, visibility: ManagedVisibility) -> Result<Address> {
    let location = Location::caller();
    let address = allocate_managed_unobserved(size, visibility)?;
    observe::began(|| event(Kind::Managed, address, size, Some(location)));
    Ok(address)
}

pub(super) fn allocate_managed_unobserved(
    size: Bytes,
    visibility: ManagedVisibility,
) -> Result<Address> {
    let api = api()?;
    let mut address = 0;
    // SAFETY: `address` is a live out parameter.
    let status = unsafe { api.cuMemAllocManaged(&raw mut address, size.0, visibility.bits()) };
    check!(api, cuMemAllocManaged, status, size)?;
    Ok(Address(address))
}
