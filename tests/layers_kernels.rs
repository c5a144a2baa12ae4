//! Kernels through the two safe layers, on a GPU alone: the simulator runs none and says so.

#[path = "layers_houses.rs"]
mod houses;

use houses::in_every_house;

/// The bodies, for one layer: its crate, and how a place to work in is had there.
macro_rules! bodies {
    ($layer:ident, $krate:ident, $type:ty, $place:expr) => {
        mod $layer {
            use std::sync::Arc;
            use std::sync::atomic::{AtomicUsize, Ordering};

            use $krate::copy;
            use $krate::device::Device;
            use $krate::error::{self, Error, Result};
            use $krate::memory::{DeviceBuffer, DeviceMemory, HostFlags, PinnedBuffer};
            use $krate::module::{KernelArgument, Launch, Module};
            use $krate::stream::{Stream, StreamOptions};

            const PTX: &str = "
                .version 6.0
                .target sm_50
                .address_size 64
                .visible .global .align 4 .u32 scale = 1;
                .visible .entry add(.param .u64 sum, .param .u64 a, .param .u64 b, .param .u32 n)
                {
                    .reg .pred %p; .reg .f32 %f<3>; .reg .b32 %r<6>; .reg .b64 %rd<9>;
                    ld.param.u64 %rd1, [sum]; ld.param.u64 %rd2, [a]; ld.param.u64 %rd3, [b];
                    ld.param.u32 %r1, [n];
                    mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mov.u32 %r4, %tid.x;
                    mad.lo.s32 %r2, %r2, %r3, %r4;
                    setp.ge.u32 %p, %r2, %r1;
                    @%p bra done;
                    mul.wide.u32 %rd4, %r2, 4;
                    cvta.to.global.u64 %rd1, %rd1; cvta.to.global.u64 %rd2, %rd2;
                    cvta.to.global.u64 %rd3, %rd3;
                    add.s64 %rd5, %rd1, %rd4; add.s64 %rd6, %rd2, %rd4; add.s64 %rd7, %rd3, %rd4;
                    ld.global.f32 %f1, [%rd6]; ld.global.f32 %f2, [%rd7];
                    add.f32 %f1, %f1, %f2;
                    ld.global.u32 %r5, [scale];
                    cvt.rn.f32.u32 %f2, %r5;
                    mul.f32 %f1, %f1, %f2;
                    st.global.f32 [%rd5], %f1;
                done:
                    ret;
                }
                .visible .entry fault()
                {
                    .reg .b64 %rd<2>; .reg .b32 %r<2>;
                    mov.u64 %rd1, 64; mov.u32 %r1, 1;
                    st.global.u32 [%rd1], %r1;
                    ret;
                }";

            fn place() -> Result<$type> {
                let device = Device::new(0)?;
                ($place)(device)
            }

            /// Launches, or says why that cannot be: `false` on the simulator.
            fn launched(
                module: &Module,
                name: &str,
                threads: u32,
                stream: &Stream,
                arguments: &[KernelArgument<'_>],
            ) -> Result<bool> {
                let launched = module.function(name).and_then(|function| {
                    // SAFETY: the arguments are those of the kernels above, and what they name outlives the
                    // stream's work.
                    unsafe { function.launch(Launch::threads(threads, 256), stream, arguments) }
                });
                let hardware = cuwhy_tests::wanted() == cuwhy_tests::Wanted::Require;
                match launched {
                    Ok(()) => Ok(true),
                    // The simulated runtime of CUDA 12 knows no handle of a kernel.
                    Err(Error::Status(failure)) if !hardware && matches!(failure.status().0, 801 | 400) => {
                        cuwhy_tests::skip("the simulator runs no kernels");
                        Ok(false)
                    }
                    Err(error) => Err(error),
                }
            }

            /// The code, or nothing from a runtime without a library API.
            fn code(module: Result<Module>) -> Result<Option<Module>> {
                match module {
                    Err(error) if error.is_missing() => {
                        cuwhy_tests::skip("this runtime loads no code");
                        Ok(None)
                    }
                    module => module.map(Some),
                }
            }

            pub(super) fn a_kernel_adds_two_vectors() -> Result<()> {
                let place = place()?;
                let Some(mut module) = code(Module::from_ptx(&place, PTX))? else {
                    return Ok(());
                };
                const COUNT: u32 = 100_000;
                let numbers: Vec<f32> = (0_u16..).take(COUNT as usize / 2).map(f32::from).collect();
                let numbers = [&numbers[..], &numbers[..]].concat();
                let a = DeviceBuffer::from_slice(&place, &numbers)?;
                let b = DeviceBuffer::from_slice(&place, &numbers)?;
                let sum = DeviceBuffer::<f32>::zeroed(&place, numbers.len())?;
                copy::upload(&mut module.variable_mut::<u32>("scale")?, &[3])?;
                place.synchronize()?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                let addresses = [&sum, &a, &b].map(|buffer| buffer.address().0);
                let [to, left, right] = &addresses;
                let arguments = [to.into(), left.into(), right.into(), (&COUNT).into()];
                if launched(&module, "add", COUNT, &stream, &arguments)? {
                    stream.synchronize()?;
                    let sums = sum.to_vec()?;
                    let wrong = sums.iter().zip(&numbers).filter(|(sum, number)| **sum != 6.0 * **number);
                    assert_eq!(wrong.count(), 0);
                    assert_eq!(sums[1], 6.0);
                }
                drop((module, a, b, sum));
                assert_eq!(error::drop_failures(), 0);
                Ok(())
            }

            pub(super) fn a_fault_is_sticky_and_nothing_waits_for_ever() -> Result<()> {
                let place = place()?;
                let Some(module) = code(Module::from_ptx(&place, PTX))? else {
                    return Ok(());
                };
                let buffer = DeviceBuffer::from_slice(&place, &[1_u8; 64])?;
                let mut host = PinnedBuffer::zeroed(&place, 64, HostFlags::PLAIN)?;
                let stream = Stream::new(&place, StreamOptions::NON_BLOCKING)?;
                if !launched(&module, "fault", 1, &stream, &[])? {
                    return Ok(());
                }
                let error = stream.synchronize().expect_err("it wrote to address 64");
                assert_eq!(error.status().map(|status| status.0), Some(700), "{error}");
                assert!(error.is_sticky() && !error.is_out_of_memory(), "{error}");
                assert!(error.failure().expect("asked").description().is_some());
                let again = DeviceBuffer::<u8>::new(&place, 64).expect_err("the context is lost");
                assert!(again.is_sticky(), "{again}");
                let scoped = copy::scope(|scope| scope.download(&stream, &mut host, &buffer));
                assert!(scoped.expect_err("the context is lost").is_sticky());
                static HEARD: AtomicUsize = AtomicUsize::new(0);
                error::on_drop_failure(|error| {
                    assert!(error.is_sticky(), "{error}");
                    HEARD.fetch_add(1, Ordering::Relaxed);
                });
                let shared = Arc::new(buffer);
                drop((module, shared, host, stream));
                assert_eq!(HEARD.load(Ordering::Relaxed) as u64, error::drop_failures());
                assert!(error::drop_failures() > 0);
                error::clear_drop_hook();
                Ok(())
            }
        }
    };
}

bodies!(
    driver,
    cuwhy_driver,
    cuwhy_driver::context::Context,
    |device: Device| device.context()
);
bodies!(runtime, cuwhy_runtime, cuwhy_runtime::device::Device, Ok);

in_every_house! {
    a_kernel_adds_two_vectors,
    a_fault_is_sticky_and_nothing_waits_for_ever,
}
