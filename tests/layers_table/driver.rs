//! The driver's layer as the rows see it.

pub(crate) use cuwhy_driver as house;

pub(crate) type Place = house::context::Context;

use cuda_sys::driver::CUlimit;

pub(crate) const LIMIT: CUlimit = CUlimit::CU_LIMIT_STACK_SIZE;
pub(crate) const NO_LIMIT: CUlimit = cuda_sys::driver::CUlimit_enum(999);

/// A place of one's own, which may be destroyed.
pub(crate) fn place() -> house::Result<Place> {
    let device = house::device::Device::new(0)?;
    Place::create(&device, house::context::ContextFlags::default())
}

/// The place of another device.
pub(crate) fn on(ordinal: u32) -> house::Result<Place> {
    house::device::Device::new(ordinal)?.context()
}

/// Rows, which the two layers are asked for with different words.
pub(crate) fn allocate_rows(
    width: house::memory::Bytes,
    height: usize,
) -> house::Result<(house::pointer::Address, house::memory::Pitch)> {
    house::memory::raw::allocate_pitched(width, height, house::memory::Bytes(4))
}

/// Ends a place under everything that lives in it.
pub(crate) fn destroy(place: &Place) {
    let driver = cuda_sys::driver::Driver::get().expect("a driver");
    // SAFETY: this is what the test is about; the simulator keeps its handles.
    let status = unsafe { driver.cuCtxDestroy_v2(place.as_raw()) };
    assert_eq!(status.0, 0);
}

/// What only this layer has.
pub(crate) fn more() -> Vec<rows::Entry> {
    use house::context::{Context, ContextFlags};
    use house::device::Device;
    use rows::row;
    vec![
        row("device Device::primary", |p, now| {
            now();
            Context::primary(&p.device()).map(drop)
        }),
        row("device Device::create", |p, now| {
            now();
            Context::create(&p.device(), ContextFlags::BLOCKING).map(drop)
        }),
        row("device Device::context", |_, now| {
            let device = Device::new(0)?;
            now();
            device.context().map(drop)
        }),
        row("device Device::leave", |_, now| {
            now();
            Context::leave()
        }),
        row("device Device::api_version", |p, now| {
            now();
            p.api_version().map(drop)
        }),
        row("device Device::from_raw", |p, now| {
            now();
            // SAFETY: the context is alive, or the simulator knows that it is not.
            unsafe { Context::from_raw(p.as_raw()) }.map(drop)
        })
        // SAFETY: no handle is looked up and found to be none.
        .null(|_| unsafe { Context::from_raw(core::ptr::null_mut()) }.map(drop)),
        row("module Function::attribute", |p, now| {
            let module = rows::module(p)?;
            let function = module.function("nothing")?;
            now();
            function
                .attribute(cuda_sys::driver::CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)
                .map(drop)
        }),
    ]
}

#[path = "rows.rs"]
pub(crate) mod rows;
