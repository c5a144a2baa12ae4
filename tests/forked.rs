//! What a child of a program that uses CUDA is answered: the codes measured on an H100, some before on an H200, with driver
//! 580.159.04 and the runtimes 11.8, 12.9 and 13.0, asked again wherever CUDA is.

use core::ffi::c_void;
use core::ptr;
use std::io::{Read as _, Write as _};

use cuda_sys::driver::*;
use cuda_sys::runtime::{Major, Runtime, cudaEvent_t, cudaMemcpyKind, cudaStream_t};
use cuwhy_tests::{here, on_cuda};

const ENDED_BY_SIGSEGV: u32 = 0x5e6f;
const PTX: &str =
    ".version 7.0\n.target sm_50\n.address_size 64\n.visible .global .align 4 .b8 v[256];\n\0";

/// Calls a function of a table and answers its status as a number.
macro_rules! c {
    ($table:ident.$name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: places are live, and handles and addresses are the parent's: what they are here is the test.
        unsafe { $table.$name($($argument),*) }.0
    };
}

/// What `call` answers in a child of this process.
fn in_child(call: impl FnOnce() -> u32) -> u32 {
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    // SAFETY: the child makes one call on the one thread that it has, and leaves.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        // SAFETY: a call that waits for somebody who does not exist here ends the child.
        unsafe { libc::alarm(20) };
        let written = writer.write_all(&call().to_ne_bytes());
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(i32::from(written.is_err())) };
    }
    drop(writer);
    let mut answer = [0; 4];
    let read = reader.read_exact(&mut answer);
    let mut status = 0;
    // SAFETY: our own child and a live place.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFSIGNALED(status) {
        assert_eq!(libc::WTERMSIG(status), libc::SIGSEGV, "ended otherwise");
        return ENDED_BY_SIGSEGV;
    }
    read.expect("the child's answer");
    u32::from_ne_bytes(answer)
}

/// Compares the answers of a list of calls, each made in a child of its own.
macro_rules! answers {
    ($($measured:tt: $name:literal $call:expr;)*) => {{
        let mut wrong = Vec::new();
        $(
            let answered = in_child(|| $call);
            if answered != $measured {
                wrong.push(format!("{}: measured {}, answered {answered}", $name, $measured));
            }
        )*
        assert!(wrong.is_empty(), "{wrong:#?}");
    }};
}

/// What the parent has.
struct Made {
    context: CUcontext,
    device: CUdeviceptr,
    managed: CUdeviceptr,
    ordered: CUdeviceptr,
    pinned: *mut c_void,
    registered: *mut c_void,
    stream: CUstream,
    event: CUevent,
    later: CUevent,
    unrecorded: CUevent,
    graph: CUgraph,
    executable: CUgraphExec,
    module: CUmodule,
    array: CUarray,
    pool: CUmemoryPool,
}

fn make(driver: &Driver) -> Made {
    let mut made = Made {
        context: ptr::null_mut(),
        device: 0,
        managed: 0,
        ordered: 0,
        pinned: ptr::null_mut(),
        registered: Vec::leak(vec![0_u8; 8192]).as_mut_ptr().cast(),
        stream: ptr::null_mut(),
        event: ptr::null_mut(),
        later: ptr::null_mut(),
        unrecorded: ptr::null_mut(),
        graph: ptr::null_mut(),
        executable: ptr::null_mut(),
        module: ptr::null_mut(),
        array: ptr::null_mut(),
        pool: ptr::null_mut(),
    };
    let mut node = ptr::null_mut();
    let shape = CUDA_ARRAY_DESCRIPTOR {
        Width: 16,
        Format: CUarray_format_enum::CU_AD_FORMAT_FLOAT,
        NumChannels: 1,
        ..CUDA_ARRAY_DESCRIPTOR::default()
    };
    let statuses = [
        c!(driver.cuInit(0)),
        c!(driver.cuDevicePrimaryCtxRetain(&raw mut made.context, 0)),
        c!(driver.cuCtxSetCurrent(made.context)),
        c!(driver.cuMemAlloc_v2(&raw mut made.device, 4096)),
        c!(driver.cuMemAllocManaged(&raw mut made.managed, 4096, 1)),
        c!(driver.cuMemAllocHost_v2(&raw mut made.pinned, 4096)),
        c!(driver.cuMemHostRegister_v2(made.registered, 64, 0)),
        c!(driver.cuStreamCreate(&raw mut made.stream, 0)),
        c!(driver.cuEventCreate(&raw mut made.event, 0)),
        c!(driver.cuEventCreate(&raw mut made.later, 0)),
        c!(driver.cuEventCreate(&raw mut made.unrecorded, 0)),
        c!(driver.cuEventRecord(made.event, made.stream)),
        c!(driver.cuEventRecord(made.later, made.stream)),
        c!(driver.cuMemAllocAsync(&raw mut made.ordered, 64, made.stream)),
        c!(driver.cuGraphCreate(&raw mut made.graph, 0)),
        c!(driver.cuGraphAddEmptyNode(&raw mut node, made.graph, ptr::null(), 0)),
        c!(driver.cuGraphInstantiateWithFlags(&raw mut made.executable, made.graph, 0)),
        c!(driver.cuModuleLoadData(&raw mut made.module, PTX.as_ptr().cast())),
        c!(driver.cuArrayCreate_v2(&raw mut made.array, &raw const shape)),
        c!(driver.cuDeviceGetDefaultMemPool(&raw mut made.pool, 0)),
        c!(driver.cuCtxSynchronize()),
    ];
    assert_eq!(statuses, [0; 21]);
    made
}

fn read(address: *const c_void) -> u32 {
    // SAFETY: none: whether a child may read this is what is tested.
    u32::from(unsafe { address.cast::<u8>().read_volatile() })
}

fn at(address: CUdeviceptr) -> *const c_void {
    ptr::with_exposed_provenance(usize::try_from(address).expect("64 bits"))
}

fn nothing_but_errors(driver: &Driver, made: &Made) {
    let (page, device, stream) = (made.registered.cast_const(), made.device, made.stream);
    let legacy: CUstream = ptr::null_mut();
    let (mut int, mut size, mut address) = (0, 0_usize, 0);
    let mut place: *mut c_void = ptr::null_mut();
    let mut kind = [CUpointer_attribute_enum::CU_POINTER_ATTRIBUTE_MEMORY_TYPE];
    let mut context = ptr::null_mut();
    answers! {
        3: "cuInit" c!(driver.cuInit(0));
        3: "cuDeviceGetCount" c!(driver.cuDeviceGetCount(&raw mut int));
        3: "cuDeviceGet" c!(driver.cuDeviceGet(&raw mut int, 0));
        3: "cuDeviceTotalMem" c!(driver.cuDeviceTotalMem_v2(&raw mut size, 0));
        3: "cuCtxGetCurrent" c!(driver.cuCtxGetCurrent(&raw mut context));
        3: "cuCtxSetCurrent" c!(driver.cuCtxSetCurrent(made.context));
        3: "cuCtxSynchronize" c!(driver.cuCtxSynchronize());
        3: "cuCtxDestroy" c!(driver.cuCtxDestroy_v2(made.context));
        1: "cuCtxDestroy null" c!(driver.cuCtxDestroy_v2(ptr::null_mut()));
        3: "cuDevicePrimaryCtxRetain" c!(driver.cuDevicePrimaryCtxRetain(&raw mut context, 0));
        3: "cuDevicePrimaryCtxReset" c!(driver.cuDevicePrimaryCtxReset_v2(0));
        3: "cuMemAlloc" c!(driver.cuMemAlloc_v2(&raw mut address, 64));
        3: "cuMemFree" c!(driver.cuMemFree_v2(device));
        3: "cuMemGetInfo" c!(driver.cuMemGetInfo_v2(&raw mut size, &raw mut size));
        3: "cuMemcpyHtoD" c!(driver.cuMemcpyHtoD_v2(device, page, 64));
        3: "cuMemcpyHtoD of nothing" c!(driver.cuMemcpyHtoD_v2(device, page, 0));
        3: "cuMemcpyHtoDAsync" c!(driver.cuMemcpyHtoDAsync_v2(device, page, 64, stream));
        3: "cuMemcpyHtoDAsync of nothing" c!(driver.cuMemcpyHtoDAsync_v2(device, page, 0, stream));
        3: "cuMemcpyHtoDAsync to null" c!(driver.cuMemcpyHtoDAsync_v2(0, page, 64, stream));
        3: "cuMemcpyAsync" c!(driver.cuMemcpyAsync(device, device + 512, 64, stream));
        3: "cuMemsetD8" c!(driver.cuMemsetD8_v2(device, 0, 64));
        3: "cuMemsetD8Async legacy" c!(driver.cuMemsetD8Async(device, 0, 64, legacy));
        3: "cuMemFreeAsync legacy" c!(driver.cuMemFreeAsync(made.ordered, legacy));
        3: "cuPointerGetAttribute" c!(driver.cuPointerGetAttribute((&raw mut int).cast(), kind[0], device));
        3: "cuPointerGetAttributes" c!(driver.cuPointerGetAttributes(1, kind.as_mut_ptr(), &raw mut place, device));
        3: "cuMemGetAddressRange" c!(driver.cuMemGetAddressRange_v2(&raw mut address, &raw mut size, device));
        3: "cuStreamQuery legacy" c!(driver.cuStreamQuery(legacy));
        3: "cuStreamSynchronize per thread" c!(driver.cuStreamSynchronize(ptr::without_provenance_mut(2)));
        3: "cuStreamWaitEvent legacy" c!(driver.cuStreamWaitEvent(legacy, made.event, 0));
        3: "cuEventRecord legacy" c!(driver.cuEventRecord(made.event, legacy));
        3: "cuGraphGetNodes" c!(driver.cuGraphGetNodes(made.graph, ptr::null_mut(), &raw mut size));
        3: "cuGraphDestroy" c!(driver.cuGraphDestroy(made.graph));
        3: "cuModuleUnload" c!(driver.cuModuleUnload(made.module));
        3: "cuMemHostUnregister" c!(driver.cuMemHostUnregister(made.registered));
        3: "cuMemFreeHost" c!(driver.cuMemFreeHost(made.pinned));
        3: "cuMemPoolTrimTo" c!(driver.cuMemPoolTrimTo(made.pool, 0));
        3: "cuMemAddressReserve" c!(driver.cuMemAddressReserve(&raw mut address, 2 << 20, 0, 0, 0));
        0: "cuDriverGetVersion" c!(driver.cuDriverGetVersion(&raw mut int));
        0: "pinned memory" read(made.pinned);
        0: "registered memory" read(made.registered);
        ENDED_BY_SIGSEGV: "managed memory" read(at(made.managed));
        ENDED_BY_SIGSEGV: "device memory" read(at(device));
    }
}

fn what_it_has_a_handle_of(driver: &Driver, made: &Made) {
    let (stream, event) = (made.stream, made.event);
    let nobody: CUstream = ptr::null_mut();
    let no_event: CUevent = ptr::null_mut();
    let (mut int, mut flags, mut address, mut id) = (0, 0, 0, 0);
    let mut milliseconds = 0_f32;
    let (mut graph, mut node, mut context) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut shape = CUDA_ARRAY_DESCRIPTOR::default();
    let mut status = CUstreamCaptureStatus_enum::CU_STREAM_CAPTURE_STATUS_ACTIVE;
    let mode = CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_GLOBAL;
    answers! {
        0: "cuMemsetD8Async" c!(driver.cuMemsetD8Async(made.device, 0, 64, stream));
        1: "cuMemsetD8Async null" c!(driver.cuMemsetD8Async(0, 0, 64, stream));
        0: "cuMemsetD2D8Async" c!(driver.cuMemsetD2D8Async(made.device, 64, 0, 16, 2, stream));
        0: "cuMemAllocAsync" c!(driver.cuMemAllocAsync(&raw mut address, 64, stream));
        0: "cuMemFreeAsync" c!(driver.cuMemFreeAsync(made.ordered, stream));
        1: "cuMemFreeAsync of nothing" c!(driver.cuMemFreeAsync(0x1234, stream));
        ENDED_BY_SIGSEGV: "cuMemPrefetchAsync" c!(driver.cuMemPrefetchAsync(made.managed, 64, 0, stream));
        0: "cuStreamQuery" c!(driver.cuStreamQuery(stream));
        0: "cuStreamSynchronize" c!(driver.cuStreamSynchronize(stream));
        0: "cuStreamIsCapturing" c!(driver.cuStreamIsCapturing(stream, &raw mut status));
        1: "cuStreamIsCapturing to null" c!(driver.cuStreamIsCapturing(stream, ptr::null_mut()));
        0: "cuStreamBeginCapture" c!(driver.cuStreamBeginCapture_v2(stream, mode));
        401: "cuStreamEndCapture" c!(driver.cuStreamEndCapture(stream, &raw mut graph));
        0: "cuStreamGetCtx" c!(driver.cuStreamGetCtx(stream, &raw mut context));
        0: "cuStreamGetFlags" c!(driver.cuStreamGetFlags(stream, &raw mut flags));
        0: "cuStreamGetPriority" c!(driver.cuStreamGetPriority(stream, &raw mut int));
        0: "cuStreamGetId" c!(driver.cuStreamGetId(stream, &raw mut id));
        0: "cuStreamWaitEvent" c!(driver.cuStreamWaitEvent(stream, event, 0));
        1: "cuStreamWaitEvent with a flag" c!(driver.cuStreamWaitEvent(stream, event, 9));
        ENDED_BY_SIGSEGV: "cuStreamDestroy" c!(driver.cuStreamDestroy_v2(stream));
        400: "cuStreamDestroy null" c!(driver.cuStreamDestroy_v2(nobody));
        ENDED_BY_SIGSEGV: "cuStreamQuery of nothing"
            c!(driver.cuStreamQuery(ptr::without_provenance_mut(0x12_3456)));
        0: "cuEventRecord" c!(driver.cuEventRecord(event, stream));
        400: "cuEventRecord null" c!(driver.cuEventRecord(no_event, stream));
        0: "cuEventQuery" c!(driver.cuEventQuery(event));
        400: "cuEventQuery null" c!(driver.cuEventQuery(no_event));
        0: "cuEventSynchronize" c!(driver.cuEventSynchronize(event));
        0: "cuEventElapsedTime" c!(driver.cuEventElapsedTime(&raw mut milliseconds, event, made.later));
        400: "cuEventElapsedTime unrecorded"
            c!(driver.cuEventElapsedTime(&raw mut milliseconds, event, made.unrecorded));
        0: "cuEventDestroy" c!(driver.cuEventDestroy_v2(event));
        400: "cuEventDestroy null" c!(driver.cuEventDestroy_v2(no_event));
        0: "cuGraphLaunch" c!(driver.cuGraphLaunch(made.executable, stream));
        0: "cuGraphAddEmptyNode" c!(driver.cuGraphAddEmptyNode(&raw mut node, made.graph, ptr::null(), 0));
        0: "cuArrayGetDescriptor" c!(driver.cuArrayGetDescriptor_v2(&raw mut shape, made.array));
        0: "cuArrayDestroy" c!(driver.cuArrayDestroy(made.array));
    }
    // Nothing of that has reached the parent.
    assert_eq!(c!(driver.cuStreamSynchronize(stream)), 0);
    assert_eq!(c!(driver.cuEventQuery(event)), 0);
    assert_eq!(c!(driver.cuMemsetD8_v2(made.device, 0, 64)), 0);
}

fn through_the_runtime(runtime: &Runtime, made: &Made) {
    let stream: cudaStream_t = made.stream.cast();
    let (event, later): (cudaEvent_t, cudaEvent_t) = (made.event.cast(), made.later.cast());
    let newest = runtime.major() == Major::V13;
    let (mut int, mut place, mut milliseconds) = (0, ptr::null_mut(), 0_f32);
    let page = made.registered;
    let device = at(made.device).cast_mut();
    let up = cudaMemcpyKind::cudaMemcpyHostToDevice;
    let properties = if newest { 0 } else { 3 };
    let elapsed = if newest { 0 } else { 3 };
    answers! {
        0: "cudaGetDeviceCount" c!(runtime.cudaGetDeviceCount(&raw mut int));
        3: "cudaGetDevice" c!(runtime.cudaGetDevice(&raw mut int));
        3: "cudaSetDevice" c!(runtime.cudaSetDevice(0));
        properties: "cudaGetDeviceProperties" runtime.device_properties(0).0.0;
        3: "cudaDeviceSynchronize" c!(runtime.cudaDeviceSynchronize());
        0: "cudaDriverGetVersion" c!(runtime.cudaDriverGetVersion(&raw mut int));
        0: "cudaRuntimeGetVersion" c!(runtime.cudaRuntimeGetVersion(&raw mut int));
        0: "cudaGetLastError" c!(runtime.cudaGetLastError());
        0: "cudaPeekAtLastError" c!(runtime.cudaPeekAtLastError());
        3: "cudaMalloc" c!(runtime.cudaMalloc(&raw mut place, 64));
        3: "cudaFree null" c!(runtime.cudaFree(ptr::null_mut()));
        3: "cudaMemcpy" c!(runtime.cudaMemcpy(device, page, 64, up));
        3: "cudaMemcpy of nothing" c!(runtime.cudaMemcpy(device, page, 0, up));
        3: "cudaMemcpy of no kind" c!(runtime.cudaMemcpy(device, page, 64, cudaMemcpyKind(9)));
        3: "cudaMemcpyAsync" c!(runtime.cudaMemcpyAsync(device, made.pinned, 64, up, stream));
        3: "cudaMemsetAsync" c!(runtime.cudaMemsetAsync(device, 0, 64, stream));
        3: "cudaPointerGetAttributes" runtime.pointer_attributes(device).0.0;
        0: "cudaMallocAsync" c!(runtime.cudaMallocAsync(&raw mut place, 64, stream));
        0: "cudaFreeAsync" c!(runtime.cudaFreeAsync(at(made.ordered).cast_mut(), stream));
        3: "cudaStreamQuery" c!(runtime.cudaStreamQuery(stream));
        3: "cudaStreamSynchronize" c!(runtime.cudaStreamSynchronize(stream));
        3: "cudaStreamWaitEvent" c!(runtime.cudaStreamWaitEvent(stream, event, 0));
        3: "cudaStreamDestroy" c!(runtime.cudaStreamDestroy(stream));
        3: "cudaEventRecord" c!(runtime.cudaEventRecord(event, stream));
        0: "cudaEventQuery" c!(runtime.cudaEventQuery(event));
        0: "cudaEventSynchronize" c!(runtime.cudaEventSynchronize(event));
        elapsed: "cudaEventElapsedTime" c!(runtime.cudaEventElapsedTime(&raw mut milliseconds, event, later));
        3: "cudaEventDestroy" c!(runtime.cudaEventDestroy(event));
        3: "the error that was left"
            {
                assert_eq!(c!(runtime.cudaMemcpy(device, page, 64, up)), 3);
                c!(runtime.cudaGetLastError())
            };
    }
}

#[test]
fn a_child_is_answered_as_measured() {
    on_cuda(here!(), || {
        let driver = Driver::get().expect("there is a driver");
        let made = make(driver);
        nothing_but_errors(driver, &made);
        what_it_has_a_handle_of(driver, &made);
        let runtime = Runtime::get().expect("there is a runtime");
        // The runtime takes the context that is there, and has it seen by this thread.
        assert_eq!(c!(runtime.cudaFree(ptr::null_mut())), 0);
        through_the_runtime(runtime, &made);
    });
}

#[test]
fn a_child_of_a_program_that_only_initialised_is_answered_the_same() {
    on_cuda(here!(), || {
        let driver = Driver::get().expect("there is a driver");
        assert_eq!(c!(driver.cuInit(0)), 0);
        let (mut int, mut address, mut context) = (0, 0, ptr::null_mut());
        answers! {
            3: "cuInit" c!(driver.cuInit(0));
            3: "cuDeviceGetCount" c!(driver.cuDeviceGetCount(&raw mut int));
            3: "cuDevicePrimaryCtxRetain" c!(driver.cuDevicePrimaryCtxRetain(&raw mut context, 0));
            3: "cuMemAlloc" c!(driver.cuMemAlloc_v2(&raw mut address, 64));
            0: "cuDriverGetVersion" c!(driver.cuDriverGetVersion(&raw mut int));
        }
        assert_eq!(c!(driver.cuDevicePrimaryCtxRetain(&raw mut context, 0)), 0);
    });
}
