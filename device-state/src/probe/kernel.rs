//! Three kernels, as PTX text: any driver since CUDA 11 makes them into code for its device.

use core::ffi::{CStr, c_void};
use core::ptr;

use cuda_sys::driver::{CUdeviceptr, CUfunction, CUresult};

use super::attempt::{ADDED, Attempt, BYTES, MARK, Step, Stop, said};
use crate::absent::Reason;

/// What one pass of a trial covers, as a kernel counts.
const PAGE: u32 = 4096;
const _: () = assert!(PAGE as usize == BYTES);

/// A kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Adds to each of so many bytes: it reads and it writes.
    Add,
    /// Waits until a number in memory is not zero, for so many turns at the most.
    Hold,
    /// Adds 1 to a number so many times, atomically for the whole system.
    Count,
}

impl Kernel {
    fn name(self) -> &'static CStr {
        match self {
            Self::Add => c"add",
            Self::Hold => c"hold",
            Self::Count => c"count",
        }
    }

    fn text(self) -> &'static CStr {
        match self {
            Self::Add => ADD,
            Self::Hold => HOLD,
            Self::Count => COUNT,
        }
    }
}

const ADD: &CStr = c"
.version 6.0
.target sm_50
.address_size 64
.visible .entry add(.param .u64 at, .param .u32 added, .param .u32 bytes)
{
    .reg .pred %past;
    .reg .b32 %place, %block, %threads, %own, %added, %bytes, %value;
    .reg .b64 %at, %far;
    ld.param.u64 %at, [at];
    ld.param.u32 %added, [added];
    ld.param.u32 %bytes, [bytes];
    mov.u32 %block, %ctaid.x;
    mov.u32 %threads, %ntid.x;
    mov.u32 %own, %tid.x;
    mad.lo.u32 %place, %block, %threads, %own;
    setp.ge.u32 %past, %place, %bytes;
    @%past ret;
    cvt.u64.u32 %far, %place;
    add.u64 %at, %at, %far;
    ld.u8 %value, [%at];
    add.u32 %value, %value, %added;
    st.u8 [%at], %value;
    ret;
}
";

const HOLD: &CStr = c"
.version 6.0
.target sm_50
.address_size 64
.visible .entry hold(.param .u64 at, .param .u32 turns)
{
    .reg .pred %stop;
    .reg .b32 %turns, %value;
    .reg .b64 %at;
    ld.param.u64 %at, [at];
    ld.param.u32 %turns, [turns];
again:
    ld.volatile.u32 %value, [%at];
    setp.ne.u32 %stop, %value, 0;
    @%stop ret;
    sub.u32 %turns, %turns, 1;
    setp.ne.u32 %stop, %turns, 0;
    @%stop bra again;
    ret;
}
";

// Atomics for the whole system came with this architecture.
const COUNT: &CStr = c"
.version 6.0
.target sm_60
.address_size 64
.visible .entry count(.param .u64 at, .param .u32 times)
{
    .reg .pred %more;
    .reg .b32 %times, %value;
    .reg .b64 %at;
    ld.param.u64 %at, [at];
    ld.param.u32 %times, [times];
again:
    atom.sys.add.u32 %value, [%at], 1;
    sub.u32 %times, %times, 1;
    setp.ne.u32 %more, %times, 0;
    @%more bra again;
    ret;
}
";

/// How many blocks of how many threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) blocks: u32,
    pub(super) threads: u32,
}

impl Attempt {
    /// Starts a kernel on the null stream.
    ///
    /// # Errors
    ///
    /// The call that refused, and its answer: this machine runs no kernel of ours, which says nothing
    /// about what is tried.
    pub(super) fn start(
        &self,
        kernel: Kernel,
        shape: Shape,
        arguments: &mut [*mut c_void],
    ) -> Result<(), String> {
        let answer = |call: &str, status: CUresult| match status {
            CUresult::CUDA_SUCCESS => Ok(()),
            _ => Err(said(call, status)),
        };
        let mut module = ptr::null_mut();
        // SAFETY: `module` is a live pointer and the text is a C string, as PTX has to be.
        let status = unsafe {
            self.driver
                .cuModuleLoadData(&raw mut module, kernel.text().as_ptr().cast())
        };
        answer("cuModuleLoadData", status)?;
        let mut function: CUfunction = ptr::null_mut();
        // SAFETY: `function` is a live pointer, the module was just loaded and the name is a C string.
        let status = unsafe {
            self.driver
                .cuModuleGetFunction(&raw mut function, module, kernel.name().as_ptr())
        };
        answer("cuModuleGetFunction", status)?;
        // SAFETY: the arguments are as many as the kernel has, each a pointer to a live value of its type.
        let status = unsafe {
            self.driver.cuLaunchKernel(
                function,
                shape.blocks,
                1,
                1,
                shape.threads,
                1,
                1,
                0,
                ptr::null_mut(),
                arguments.as_mut_ptr(),
                ptr::null_mut(),
            )
        };
        answer("cuLaunchKernel", status)
    }

    /// Has the device write memory, by a fill and then by a kernel, and the host read it each time.
    ///
    /// Where no kernel runs the fill alone counts, and a remark says so.
    pub(super) fn written(&mut self, there: CUdeviceptr, here: *const u8) -> Step<bool> {
        self.fill(there)?;
        if !self.reads(here, MARK, "a fill") {
            return Ok(false);
        }
        match self.added(there, here)? {
            Ok(same) => Ok(same),
            Err(words) => {
                self.remark = Some(format!("by a fill alone, for no kernel runs here: {words}"));
                Ok(true)
            }
        }
    }

    /// Has a kernel add to what is in memory, which is the mark, and the host read the sums.
    ///
    /// Inside: why no kernel runs here.
    pub(super) fn added(
        &mut self,
        there: CUdeviceptr,
        here: *const u8,
    ) -> Step<Result<bool, String>> {
        let mut at = there;
        let (mut added, mut bytes) = (u32::from(ADDED), PAGE);
        let mut arguments = [
            (&raw mut at).cast(),
            (&raw mut added).cast(),
            (&raw mut bytes).cast(),
        ];
        const THREADS: u32 = 128;
        let shape = Shape {
            blocks: bytes.div_ceil(THREADS),
            threads: THREADS,
        };
        if let Err(words) = self.start(Kernel::Add, shape, &mut arguments) {
            return Ok(Err(words));
        }
        // SAFETY: a context is current in this thread.
        let status = unsafe { self.driver.cuCtxSynchronize() };
        self.must("cuCtxSynchronize, after a kernel's access,", status)?;
        Ok(Ok(self.reads(here, MARK.wrapping_add(ADDED), "a kernel")))
    }

    /// Starts a kernel without which the trial is none.
    pub(super) fn start_or_leave(
        &mut self,
        kernel: Kernel,
        shape: Shape,
        arguments: &mut [*mut c_void],
    ) -> Step<()> {
        self.start(kernel, shape, arguments).map_err(|words| {
            self.last = format!("no kernel runs here: {words}");
            Stop::Unrelated(Reason::NotProbed)
        })
    }
}
