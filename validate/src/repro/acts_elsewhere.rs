//! Reproducers for systems on which devices have registered host memory at another address.
//!
//! No such hardware was at hand: the simulator does what CUDA documents of it.

use super::acts::{across, dst, of};
use super::scenery::{PAGE, READ_WRITE, pages, pointer};
use super::stage::{Skip, Stage, done};
use super::{Place, Reproducer};
use cuda_sys::driver::CUdevice_attribute as A;

/// The simulator's setting for such a system.
const ELSEWHERE: &str = "registered=elsewhere";

impl Stage {
    /// A page of registered host memory, where devices have it at another address.
    fn page_elsewhere(&self) -> Result<u64, Skip> {
        let wanted = A::CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM;
        let mut same = 0;
        // SAFETY: `same` is a live number, and device 0 is the stage's own.
        let status = unsafe { self.driver.cuDeviceGetAttribute(&raw mut same, wanted, 0) };
        done("cuDeviceGetAttribute", status)?;
        if same != 0 {
            return Err(Skip::Needs(
                "a device with CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM = 0, and this one's is 1",
            ));
        }
        let page = pages(1, READ_WRITE)?;
        self.register(page, PAGE, 0)?;
        Ok(page)
    }

    /// `cuMemHostGetDevicePointer`.
    fn on_devices(&self, page: u64) -> Result<u64, Skip> {
        let mut start = 0;
        // SAFETY: `start` is a live pointer value; the address is looked up, not followed.
        let status = unsafe {
            self.driver
                .cuMemHostGetDevicePointer_v2(&raw mut start, pointer(page), 0)
        };
        done("cuMemHostGetDevicePointer", status)?;
        Ok(start)
    }
}

pub(super) static ACTS: &[Reproducer] = &[Reproducer {
    place: Place::Alone,
    setting: Some(ELSEWHERE),
    ..of(
        "host.pointer-not-device-pointer",
        dst(0),
        |stage| Ok(across(stage.page_elsewhere()?, stage.device(4)?, 4)),
        |stage| {
            let page = stage.page_elsewhere()?;
            Ok(across(stage.on_devices(page)?, stage.device(4)?, 4))
        },
    )
}];
