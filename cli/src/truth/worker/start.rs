//! How a worker begins: libraries, contexts, and what it makes once.

use core::ptr;

use cuda_sys::driver::{CUcontext, CUresult, Driver};
use cuda_sys::runtime::Runtime;

use super::Worker;
use crate::failure::Failure;
use crate::truth::execute::{Hands, cuda};
use crate::truth::world::Base;

/// What a worker says that it works with.
pub(super) fn headline(worker: &Worker<'_>) -> String {
    let mut name = [0_u8; 256];
    let status = cuda!(worker.hands.driver.cuDeviceGetName(
        name.as_mut_ptr().cast(),
        256,
        worker.device
    ));
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    let mut text = if status == CUresult::CUDA_SUCCESS {
        String::from_utf8_lossy(&name[..end]).into_owned()
    } else {
        "unnamed device".into()
    };
    text.push_str(&format!(
        ", driver for CUDA {}",
        worker.hands.driver.version()
    ));
    match worker.hands.runtime {
        Some(runtime) => text.push_str(&format!(", runtime {}", runtime.version())),
        None => text.push_str(", no runtime"),
    }
    text
}

pub(super) fn broken(what: String) -> Failure {
    Failure::Failed {
        what: "the memory to try copies on could not be made".into(),
        cause: what.into(),
    }
}

/// What the process makes once, on every device that takes part.
pub(super) fn base(hands: &Hands, devices: u8) -> Result<Base, String> {
    let mut base = Base::new(hands.driver, 0, hands.contexts[0])?;
    if devices > 1 {
        let _ = cuda!(hands.driver.cuCtxSetCurrent(hands.contexts[1]));
        let second = Base::new(hands.driver, 1, hands.contexts[1])?;
        base.join(second)?;
    }
    Ok(base)
}

/// The libraries, and the contexts of so many devices: of two where there are two, if nothing is said.
pub(super) fn open(devices: Option<u8>) -> Result<(Hands, u8), Failure> {
    let no_device = |what: String| Failure::NoDevice(what.into());
    let driver = Driver::get().map_err(|error| Failure::NoDevice(Box::new(error)))?;
    let runtime = Runtime::get().ok();
    let device = 0;
    let step = |call: &str, status: CUresult| {
        let name = status.name().unwrap_or("unknown code");
        (status == CUresult::CUDA_SUCCESS)
            .then_some(())
            .ok_or_else(|| no_device(format!("{call} failed: {} {name}", status.0)))
    };
    step("cuInit", cuda!(driver.cuInit(0)))?;
    let mut count = 0;
    step(
        "cuDeviceGetCount",
        cuda!(driver.cuDeviceGetCount(&raw mut count)),
    )?;
    let there = u8::try_from(count.clamp(0, 2)).unwrap_or(0);
    let devices = devices.unwrap_or(there.max(1));
    if devices > there {
        return Err(no_device(format!("there are not {devices} devices")));
    }
    let mut contexts: [CUcontext; 2] = [ptr::null_mut(); 2];
    for (context, device) in contexts.iter_mut().zip(0..devices.into()) {
        step(
            "cuDevicePrimaryCtxRetain",
            cuda!(driver.cuDevicePrimaryCtxRetain(&raw mut *context, device)),
        )?;
    }
    if devices == 1 {
        contexts[1] = contexts[0];
    }
    step(
        "cuCtxSetCurrent",
        cuda!(driver.cuCtxSetCurrent(contexts[0])),
    )?;
    if let Some(runtime) = runtime {
        let status = cuda!(runtime.cudaSetDevice(device));
        let name = status.name().unwrap_or("unknown code");
        if status.0 != 0 {
            return Err(no_device(format!(
                "cudaSetDevice failed: {} {name}",
                status.0
            )));
        }
        // The first copy of a runtime does what later ones need not do.
        let mut word = [0_u8; 8];
        let at = word.as_mut_ptr().cast();
        let _ =
            cuda!(runtime.cudaMemcpy(at, at.cast_const(), 0, cuda_sys::runtime::cudaMemcpyKind(4)));
    }
    let hands = Hands {
        driver,
        runtime,
        contexts,
    };
    Ok((hands, devices))
}
