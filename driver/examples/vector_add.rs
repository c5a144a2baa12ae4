//! Adds two vectors on the GPU with a kernel in PTX, and compares with the host.
//!
//! `cargo run -p cuwhy-driver --example vector_add`

use std::io::{self, Write as _};

use cuwhy_driver::device::Device;
use cuwhy_driver::error::Error;
use cuwhy_driver::memory::{DeviceBuffer, DeviceMemory as _};
use cuwhy_driver::module::{Launch, Module};
use cuwhy_driver::stream::{Stream, StreamOptions};

/// `sum[i] = a[i] + b[i]` for i below n.
const PTX: &str = "
.version 6.0
.target sm_50
.address_size 64
.visible .entry add(.param .u64 sum, .param .u64 a, .param .u64 b, .param .u32 n)
{
    .reg .pred %p; .reg .f32 %f<3>; .reg .b32 %r<5>; .reg .b64 %rd<8>;
    ld.param.u64 %rd1, [sum]; ld.param.u64 %rd2, [a]; ld.param.u64 %rd3, [b]; ld.param.u32 %r1, [n];
    mov.u32 %r2, %ctaid.x; mov.u32 %r3, %ntid.x; mov.u32 %r4, %tid.x;
    mad.lo.s32 %r2, %r2, %r3, %r4;
    setp.ge.u32 %p, %r2, %r1;
    @%p bra done;
    mul.wide.u32 %rd4, %r2, 4;
    cvta.to.global.u64 %rd1, %rd1; cvta.to.global.u64 %rd2, %rd2; cvta.to.global.u64 %rd3, %rd3;
    add.s64 %rd5, %rd1, %rd4; add.s64 %rd6, %rd2, %rd4; add.s64 %rd7, %rd3, %rd4;
    ld.global.f32 %f1, [%rd6]; ld.global.f32 %f2, [%rd7];
    add.f32 %f1, %f1, %f2;
    st.global.f32 [%rd5], %f1;
done:
    ret;
}";

const COUNT: u32 = 1_000_000;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut out = io::stdout().lock();
    let context = match Device::new(0).and_then(|device| device.context()) {
        Err(error) if error.is_missing() => return Ok(writeln!(out, "skipped: {error}")?),
        context => context?,
    };
    let numbers: Vec<f32> = (0_u16..=u16::MAX)
        .cycle()
        .take(COUNT as usize)
        .map(f32::from)
        .collect();
    let a = DeviceBuffer::from_slice(&context, &numbers)?;
    let b = DeviceBuffer::from_slice(&context, &numbers)?;
    let sum = DeviceBuffer::<f32>::zeroed(&context, numbers.len())?;

    let module = Module::from_ptx(&context, PTX)?;
    let stream = Stream::new(&context, StreamOptions::BLOCKING)?;
    let addresses = [&sum, &a, &b].map(|buffer| buffer.address().0);
    let [to, left, right] = &addresses;
    let arguments = [to.into(), left.into(), right.into(), (&COUNT).into()];
    let launched = module.function("add").and_then(|add| {
        // SAFETY: these are the kernel's parameters, and the buffers have that many elements and outlive
        // the stream's work.
        unsafe { add.launch(Launch::threads(COUNT, 256), &stream, &arguments) }
    });
    match launched {
        Err(Error::Status(failure)) if failure.status().0 == 801 => {
            return Ok(writeln!(
                out,
                "skipped: {} runs no kernels",
                context.device().name()?
            )?);
        }
        launched => launched?,
    }
    stream.synchronize()?;
    let right = sum
        .to_vec()?
        .iter()
        .zip(&numbers)
        .all(|(sum, number)| *sum == number + number);
    writeln!(
        out,
        "{}: {COUNT} sums, {}",
        context.device().name()?,
        if right { "all right" } else { "WRONG" }
    )?;
    if right {
        Ok(())
    } else {
        Err("the GPU adds otherwise than the host".into())
    }
}
