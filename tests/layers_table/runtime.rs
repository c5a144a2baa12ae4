//! The runtime's layer as the rows see it.

pub(crate) use cuwhy_runtime as house;

pub(crate) type Place = house::device::Device;

use cuda_sys::runtime::cudaLimit;

pub(crate) const LIMIT: cudaLimit = cudaLimit::cudaLimitStackSize;
pub(crate) const NO_LIMIT: cudaLimit = cudaLimit(999);

/// A place, which may be reset.
pub(crate) fn place() -> house::Result<Place> {
    Place::new(0)
}

/// The place of another device.
pub(crate) fn on(ordinal: u32) -> house::Result<Place> {
    Place::new(ordinal)
}

/// Rows, which the two layers are asked for with different words.
pub(crate) fn allocate_rows(
    width: house::memory::Bytes,
    height: usize,
) -> house::Result<(house::pointer::Address, house::memory::Pitch)> {
    house::memory::raw::allocate_pitched(width, height)
}

/// Ends a place under everything that lives in it.
pub(crate) fn destroy(place: &Place) {
    // SAFETY: this is what the test is about; the simulator keeps its handles.
    unsafe { place.reset() }.expect("it resets");
}

/// What only this layer has.
pub(crate) fn more() -> Vec<rows::Entry> {
    use core::ptr;
    use house::copy::{Direction, raw};
    use house::memory::Bytes;
    use house::pointer::{Address, symbol_range};
    use house::stream::{Stream, StreamOptions};
    use rows::{refused_at_all, row};

    /// Nothing here was compiled by nvcc, so that there is no symbol; another address than null is followed by
    /// the runtimes of CUDA 11 and 12.
    const NONE: *const core::ffi::c_void = ptr::null();
    const UP: Direction = Direction::HostToDevice;
    const DOWN: Direction = Direction::DeviceToHost;

    fn range(symbol: *const core::ffi::c_void) -> house::Result<house::pointer::AddressRange> {
        // SAFETY: CUDA refuses null.
        unsafe { symbol_range(symbol) }
    }
    fn to(symbol: *const core::ffi::c_void, size: usize) -> house::Result<()> {
        let bytes = [0_u8; 8];
        // SAFETY: CUDA refuses null, which is no symbol.
        unsafe {
            raw::to_symbol(
                symbol,
                Bytes(0),
                Address::from(bytes.as_ptr()),
                Bytes(size),
                UP,
            )
        }
    }
    fn from(symbol: *const core::ffi::c_void, size: usize) -> house::Result<()> {
        let mut bytes = [0_u8; 8];
        let to = Address::from(bytes.as_mut_ptr());
        // SAFETY: CUDA refuses null, which is no symbol.
        unsafe { raw::from_symbol(to, symbol, Bytes(0), Bytes(size), DOWN) }
    }
    fn to_async(symbol: *const core::ffi::c_void, size: usize) -> house::Result<()> {
        let stream = Stream::new(&place()?, StreamOptions::NON_BLOCKING)?;
        let from = Address(0x1000);
        // SAFETY: CUDA refuses null, which is no symbol.
        unsafe { raw::to_symbol_async(symbol, Bytes(0), from, Bytes(size), UP, &stream) }
    }
    fn from_async(symbol: *const core::ffi::c_void, size: usize) -> house::Result<()> {
        let stream = Stream::new(&place()?, StreamOptions::NON_BLOCKING)?;
        let to = Address(0x1000);
        // SAFETY: CUDA refuses null, which is no symbol.
        unsafe { raw::from_symbol_async(to, symbol, Bytes(0), Bytes(size), DOWN, &stream) }
    }
    vec![
        row("device Device::properties", |p, now| {
            now();
            p.properties().map(drop)
        }),
        row("version driver_version", |_, now| {
            now();
            house::version::driver_version().map(drop)
        }),
        row("pointer symbol_range", |_, now| {
            now();
            refused_at_all(range(NONE))
        })
        .null(|_| range(NONE).map(drop))
        .dangling_crashes(),
        row("copy raw::to_symbol", |_, now| {
            now();
            refused_at_all(to(NONE, 8))
        })
        .null(|_| to(NONE, 8))
        .dangling_crashes()
        .either(|_| to(NONE, 0))
        .beyond(|_| to(NONE, usize::MAX)),
        row("copy raw::from_symbol", |_, now| {
            now();
            refused_at_all(from(NONE, 8))
        })
        .null(|_| from(NONE, 8))
        .dangling_crashes()
        .either(|_| from(NONE, 0))
        .beyond(|_| from(NONE, usize::MAX)),
        row("copy raw::to_symbol_async", |_, now| {
            now();
            refused_at_all(to_async(NONE, 8))
        })
        .null(|_| to_async(NONE, 8))
        .dangling_crashes()
        .either(|_| to_async(NONE, 0))
        .beyond(|_| to_async(NONE, usize::MAX)),
        row("copy raw::from_symbol_async", |_, now| {
            now();
            refused_at_all(from_async(NONE, 8))
        })
        .null(|_| from_async(NONE, 8))
        .dangling_crashes()
        .either(|_| from_async(NONE, 0))
        .beyond(|_| from_async(NONE, usize::MAX)),
    ]
}

#[path = "rows.rs"]
pub(crate) mod rows;
