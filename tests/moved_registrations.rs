//! Registered host memory that devices have at another address: on the simulator with the runtime of
//! each major, under its setting for such systems, and on the machine's device where that is such a one.
//!
//! What is asked here is documented (CUDA Driver API, `cuMemHostRegister` and
//! `CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM`), not measured: no such device was at
//! hand, and on one with the attribute 1 there is nothing to ask.

use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{CUdevice_attribute, CUpointer_attribute, Driver};
use cuda_sys::runtime::{Runtime, cudaMemcpyKind, v13};
use cuwhy_tests::{here, on_cuda_with, skip};
use cuwhy_validate::ask::Live;
use cuwhy_validate::facts::Owner;
use cuwhy_validate::registry::Registry;
use cuwhy_validate::{Call, Checker, Class, Kind, Prediction, Span};

const BYTES: usize = 8192;

/// The status of a call.
macro_rules! status {
    ($library:ident . $function:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: each pointer given in this file is that of a live variable of the type that the
        // function writes, or an address that is looked up.
        unsafe { $library.$function($($argument),*) }.0
    }};
}

fn attribute(driver: &Driver, which: CUpointer_attribute, address: u64) -> u64 {
    let mut value = 0_u64;
    let (mut which, mut place) = (which, (&raw mut value).cast::<c_void>());
    let status = status!(driver.cuPointerGetAttributes(1, &raw mut which, &raw mut place, address));
    assert_eq!(status, 0);
    value
}

/// Whether devices have registered memory where the program has it.
fn is_ordinary(driver: &Driver) -> bool {
    let wanted = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM;
    let mut same = -1;
    assert_eq!(
        status!(driver.cuDeviceGetAttribute(&raw mut same, wanted, 0)),
        0
    );
    same == 1
}

fn body() {
    use CUpointer_attribute as A;
    let driver = Driver::get().expect("there is a driver");
    let runtime = Runtime::get().expect("there is a runtime");
    let mut device: *mut c_void = ptr::null_mut();
    assert_eq!(status!(runtime.cudaMalloc(&raw mut device, BYTES)), 0);
    if is_ordinary(driver) {
        skip("this device uses the host's addresses of registered memory");
        return;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the kernel chooses the address, so nothing that exists is replaced.
    let page = unsafe { libc::mmap(ptr::null_mut(), BYTES, rights, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED, "mmap");
    assert_eq!(status!(runtime.cudaHostRegister(page, BYTES, 0)), 0);
    let mut there: *mut c_void = ptr::null_mut();
    assert_eq!(
        status!(runtime.cudaHostGetDevicePointer(&raw mut there, page, 0)),
        0
    );
    let (host, on_device) = (
        page.expose_provenance() as u64,
        there.expose_provenance() as u64,
    );
    assert_ne!(host, on_device);
    // Each address knows the other, at any offset.
    for (asked, offset) in [(host, 0), (host, 100), (on_device, 0), (on_device, 100)] {
        let address = asked + offset;
        assert_eq!(
            attribute(driver, A::CU_POINTER_ATTRIBUTE_HOST_POINTER, address),
            host + offset
        );
        assert_eq!(
            attribute(driver, A::CU_POINTER_ATTRIBUTE_DEVICE_POINTER, address),
            on_device + offset
        );
        assert_eq!(
            attribute(driver, A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address),
            1
        );
        assert_eq!(
            attribute(driver, A::CU_POINTER_ATTRIBUTE_RANGE_SIZE, address),
            BYTES as u64
        );
    }
    if let Some(table) = runtime.v13() {
        let mut found = v13::cudaPointerAttributes::default();
        assert_eq!(
            status!(table.cudaPointerGetAttributes(&raw mut found, page)),
            0
        );
        assert_eq!((found.hostPointer, found.devicePointer), (page, there));
    }
    // The device address is as good as any: bytes go through it, and past its end nothing does.
    let (down, across) = (cudaMemcpyKind(2), cudaMemcpyKind(3));
    assert_eq!(status!(runtime.cudaMemset(device, 0x5a, BYTES)), 0);
    assert_eq!(status!(runtime.cudaMemcpy(there, device, BYTES, across)), 0);
    assert_eq!(
        status!(runtime.cudaMemcpy(there, device, BYTES + 1, across)),
        1
    );
    let mut word = 0_u64;
    let place: *mut c_void = (&raw mut word).cast();
    assert_eq!(status!(runtime.cudaMemcpy(place, there, 8, down)), 0);
    assert_eq!(word, 0x5a5a_5a5a_5a5a_5a5a);
    // SAFETY: the pages are mapped, and no copy is under way.
    assert_eq!(unsafe { page.cast::<u64>().read_volatile() }, word);
    // The host address is as good as ever where nobody hands it to the device.
    assert_eq!(
        status!(runtime.cudaMemcpy(device, page, BYTES, cudaMemcpyKind(1))),
        0
    );
    assert_eq!(
        status!(runtime.cudaMemcpy(page, device, BYTES, cudaMemcpyKind(4))),
        0
    );
    assert_eq!(status!(driver.cuCtxSynchronize()), 0);
    // A registry does not know where devices have it, and lets nothing pass that matters.
    let registry = Registry::default();
    for (class, start) in [
        (Class::Registered, host),
        (Class::Device, device.expose_provenance() as u64),
    ] {
        let mut owner = Owner::of(class);
        owner.range = Some(Span::sized(start, BYTES as u64));
        registry.allocated(owner);
    }
    let live = Live::new(driver);
    let checker = Checker::new(&live).with_registry(&registry);
    let device = device.expose_provenance() as u64;
    let wrong = Call::memcpy(host, device, 4, Kind::DeviceToDevice);
    let right = Call::memcpy(on_device, device, 4, Kind::DeviceToDevice);
    assert!(
        checker
            .run(&wrong, || unreachable!("it is not made"))
            .is_err()
    );
    assert_eq!(
        checker.check(&wrong).prediction,
        Prediction::ContextDies(700)
    );
    assert_eq!(checker.check(&right).prediction, Prediction::Success);
    assert_eq!(checker.check(&right).findings, []);
    // Only the program's own address ends a registration, and with it goes the other.
    assert_eq!(status!(runtime.cudaHostUnregister(there)), 1);
    assert_eq!(status!(runtime.cudaHostUnregister(page)), 0);
    assert_eq!(
        attribute(driver, A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, on_device),
        0
    );
}

#[test]
fn registered_memory_has_two_addresses_where_the_device_says_so() {
    on_cuda_with(here!(), "registered=elsewhere", body);
}

#[test]
fn a_host_address_handed_to_such_a_device_kills_the_context_later() {
    on_cuda_with(here!(), "registered=elsewhere", || {
        let driver = Driver::get().expect("there is a driver");
        let runtime = Runtime::get().expect("there is a runtime");
        let mut device: *mut c_void = ptr::null_mut();
        assert_eq!(status!(runtime.cudaMalloc(&raw mut device, BYTES)), 0);
        if is_ordinary(driver) {
            return;
        }
        let page = Box::leak(Box::new([0_u64; BYTES / 8])).as_mut_ptr().cast();
        assert_eq!(status!(runtime.cudaHostRegister(page, BYTES, 0)), 0);
        let up = cudaMemcpyKind(1);
        assert_eq!(status!(runtime.cudaMemcpy(page, page, 4, up)), 0);
        assert_eq!(status!(runtime.cudaDeviceSynchronize()), 700);
        assert_eq!(status!(driver.cuCtxSynchronize()), 700);
    });
}

#[test]
fn without_the_setting_there_is_one_address() {
    on_cuda_with(here!(), "registered=same", || {
        let driver = Driver::get().expect("there is a driver");
        let runtime = Runtime::get().expect("there is a runtime");
        let page = Box::leak(Box::new([0_u64; BYTES / 8])).as_mut_ptr().cast();
        assert_eq!(status!(runtime.cudaHostRegister(page, BYTES, 0)), 0);
        let mut there: *mut c_void = ptr::null_mut();
        assert_eq!(
            status!(runtime.cudaHostGetDevicePointer(&raw mut there, page, 0)),
            0
        );
        assert_eq!(there == page, is_ordinary(driver));
    });
}
