//! No call writes past the buffer that our types give it: 256 bytes of canary stand before and behind
//! each, for every real libcudart at hand.
//!
//! Without a driver every call answers 35 and writes nothing; on a GPU the buffers are filled. The
//! simulator's runtimes are asked the same.

use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;
use core::ptr;

use cuda_sys::Version;
use cuda_sys::driver::Driver;
use cuda_sys::runtime::{
    Major, Runtime, cudaChannelFormatKind, cudaError_t, cudaLaunchAttributeID,
    cudaMemAllocationHandleType, cudaMemAllocationType, cudaMemLocationType, cudaMemcpyKind,
    cudaMemsetParams, cudaResourceType, cudaTextureReadMode,
};
use cuwhy_tests::{Child, Wanted, device_or_why, here, simulated, skip, toolkits, wanted};

const CANARY: u8 = 0xa5;

/// A buffer between two canaries.
#[repr(C)]
struct Guarded<T> {
    before: [u8; 256],
    buffer: MaybeUninit<T>,
    behind: [u8; 256],
}

/// What a call did with a buffer.
struct Filled<T> {
    status: cudaError_t,
    /// How many bytes from the start were touched, as far as their value tells.
    written: usize,
    buffer: Box<Guarded<T>>,
}

/// Calls with a buffer of canaries between canaries; those outside must live.
#[track_caller]
#[expect(
    clippy::print_stderr,
    reason = "should the call kill the process, the line says which one it was"
)]
fn fill<T>(name: &str, call: impl FnOnce(*mut T) -> cudaError_t) -> Filled<T> {
    eprintln!("{name}");
    let mut buffer = Box::<Guarded<T>>::new_uninit();
    let place = buffer.as_mut_ptr();
    // SAFETY: the box has room for one `Guarded`, each byte of which may be any number.
    unsafe {
        place
            .cast::<u8>()
            .write_bytes(CANARY, size_of::<Guarded<T>>())
    };
    // SAFETY: every byte has just been written, and the parts take any bytes.
    let mut buffer = unsafe { buffer.assume_init() };
    let status = call(buffer.buffer.as_mut_ptr());
    assert_eq!(
        buffer.before, [CANARY; 256],
        "{name} wrote before its buffer"
    );
    assert_eq!(buffer.behind, [CANARY; 256], "{name} wrote past its buffer");
    let bytes = buffer.buffer.as_ptr().cast::<u8>();
    // SAFETY: every byte of the buffer was written above, whatever the call did to it since.
    let bytes = unsafe { core::slice::from_raw_parts(bytes, size_of::<T>()) };
    let last = bytes.iter().rposition(|byte| *byte != CANARY);
    let written = last.map_or(0, |last| last + 1);
    Filled {
        status,
        written,
        buffer,
    }
}

/// What answers the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    /// Nothing: there is no driver.
    None,
    Real,
    /// The simulator, which may answer that a call is not supported.
    Simulated,
}

/// What one library is asked.
struct Asked<'a> {
    runtime: &'a Runtime,
    version: Version,
    device: Device,
}

impl Asked<'_> {
    /// Whether a call that is right succeeded; it has to, where there is a device.
    #[track_caller]
    fn right(&self, name: &str, status: cudaError_t) -> bool {
        match self.device {
            Device::None => assert_eq!(status, cudaError_t::cudaErrorInsufficientDriver, "{name}"),
            Device::Simulated if status == cudaError_t::cudaErrorNotSupported => {}
            Device::Real | Device::Simulated => {
                assert_eq!(status, cudaError_t::cudaSuccess, "{name}");
            }
        }
        status == cudaError_t::cudaSuccess
    }

    /// Calls a function that is to succeed where there is a device.
    #[track_caller]
    fn filled<T>(&self, name: &str, call: impl FnOnce(*mut T) -> cudaError_t) -> Filled<T> {
        let filled = fill(name, call);
        if !self.right(name, filled.status) && self.device == Device::None {
            assert_eq!(filled.written, 0, "{name} failed and wrote something");
        }
        filled
    }
}

impl<T> Filled<T> {
    fn succeeded(&self) -> bool {
        self.status == cudaError_t::cudaSuccess
    }
}

/// One call through a table.
macro_rules! call {
    ($table:ident . $function:ident ( $($argument:expr),* $(,)? )) => {
        // SAFETY: each pointer given in this file is null where C allows it, or is that of a live
        // buffer of the type that the loaded major reads or writes; handles are the library's own.
        unsafe { $table.$function($($argument),*) }
    };
}

/// Whatever has one signature in every major.
fn shared(asked: &Asked<'_>) {
    let table = asked.runtime;
    asked.filled("cudaGetDeviceCount", |out| {
        call!(table.cudaGetDeviceCount(out))
    });
    asked.filled("cudaGetDevice", |out| call!(table.cudaGetDevice(out)));
    let kind = cudaChannelFormatKind::cudaChannelFormatKindFloat;
    let format = call!(table.cudaCreateChannelDesc(32, 0, 0, 0, kind));
    let mut array = ptr::null_mut();
    let status = call!(table.cudaMallocArray(&raw mut array, &raw const format, 16, 16, 0));
    if asked.right("cudaMallocArray", status) {
        let mut extent = Default::default();
        let mut flags = 0;
        let found = asked.filled("cudaArrayGetInfo", |out| {
            call!(table.cudaArrayGetInfo(out, &raw mut extent, &raw mut flags, array))
        });
        assert!(!found.succeeded() || found.written == size_of_val(&format));
        asked.filled("cudaArrayGetInfo", |out| {
            call!(table.cudaArrayGetInfo(ptr::null_mut(), out, ptr::null_mut(), array))
        });
    }
    let mut memory = ptr::null_mut();
    asked.right("cudaMalloc", call!(table.cudaMalloc(&raw mut memory, 4096)));
    fill("cudaIpcGetMemHandle", |out| {
        call!(table.cudaIpcGetMemHandle(out, memory))
    });
    let mut total = 0;
    asked.filled("cudaMemGetInfo", |out| {
        call!(table.cudaMemGetInfo(out, &raw mut total))
    });
    graph_nodes(asked, memory);
}

/// The structs that describe a copy and a memset, read back from a graph.
fn graph_nodes(asked: &Asked<'_>, memory: *mut c_void) {
    let table = asked.runtime;
    let mut graph = ptr::null_mut();
    let status = call!(table.cudaGraphCreate(&raw mut graph, 0));
    if !asked.right("cudaGraphCreate", status) {
        return;
    }
    let none = ptr::null();
    let mut node = ptr::null_mut();
    let to = memory.wrapping_byte_add(2048);
    let kind = cudaMemcpyKind::cudaMemcpyDeviceToDevice;
    let status = call!(table.cudaGraphAddMemcpyNode1D(
        &raw mut node,
        graph,
        none,
        0,
        to,
        memory,
        1024,
        kind
    ));
    if asked.right("cudaGraphAddMemcpyNode1D", status) {
        asked.filled("cudaGraphMemcpyNodeGetParams", |out| {
            call!(table.cudaGraphMemcpyNodeGetParams(node, out))
        });
    }
    let parameters = cudaMemsetParams {
        dst: memory,
        elementSize: 1,
        width: 1024,
        height: 1,
        ..Default::default()
    };
    let status =
        call!(table.cudaGraphAddMemsetNode(&raw mut node, graph, none, 0, &raw const parameters));
    if asked.right("cudaGraphAddMemsetNode", status) {
        asked.filled("cudaGraphMemsetNodeGetParams", |out| {
            call!(table.cudaGraphMemsetNodeGetParams(node, out))
        });
    }
}

/// A kernel that does nothing, where the library can load one.
fn kernel(asked: &Asked<'_>) -> *const c_void {
    const SOURCE: &CStr = c".version 7.0
        .target sm_52
        .address_size 64
        .visible .entry nothing() { ret; }";
    let table = asked.runtime;
    let (mut library, mut kernel) = (ptr::null_mut(), ptr::null_mut());
    let (options, values) = (ptr::null_mut(), ptr::null_mut());
    let (more, their) = (ptr::null_mut(), ptr::null_mut());
    let source = SOURCE.as_ptr().cast();
    let status = call!(table.cudaLibraryLoadData(
        &raw mut library,
        source,
        options,
        values,
        0,
        more,
        their,
        0
    ));
    if status != cudaError_t::cudaSuccess {
        return ptr::null();
    }
    let status = call!(table.cudaLibraryGetKernel(&raw mut kernel, library, c"nothing".as_ptr()));
    asked.right("cudaLibraryGetKernel", status);
    kernel.cast::<c_void>().cast_const()
}

/// Whatever differs between majors, with the types of one of them.
macro_rules! of_major {
    ($major:ident, $properties:ident) => {
        mod $major {
            use super::*;
            use cuda_sys::runtime::$major as types;

            pub(super) fn ask(asked: &Asked<'_>, table: &types::Table) {
                pointers(asked, table);
                let found = asked.filled("cudaGetDeviceProperties", |out| {
                    call!(table.$properties(out, 0))
                });
                if found.succeeded() {
                    assert!(found.written > 600, "only {} bytes", found.written);
                    let properties = &found.buffer.buffer;
                    // SAFETY: a struct of numbers, whose every byte was written.
                    let properties = unsafe { properties.assume_init_ref() };
                    assert!(properties.major >= 3, "a compute capability");
                    assert!(properties.totalGlobalMem > 1 << 26, "a size of memory");
                }
                // Not every library takes a kernel that it loaded itself for a function.
                let kernel = kernel(asked);
                if asked.device == Device::None || !kernel.is_null() {
                    fill("cudaFuncGetAttributes", |out| {
                        call!(table.cudaFuncGetAttributes(out, kernel))
                    });
                }
                for attribute in [
                    cudaLaunchAttributeID::cudaLaunchAttributeAccessPolicyWindow,
                    cudaLaunchAttributeID::cudaLaunchAttributeSynchronizationPolicy,
                    cudaLaunchAttributeID::cudaLaunchAttributePriority,
                ] {
                    fill("cudaStreamGetAttribute", |out| {
                        call!(table.cudaStreamGetAttribute(ptr::null_mut(), attribute, out))
                    });
                }
                textures(asked, table);
                surfaces(asked, table);
                allocation_nodes(asked, table);
            }

            fn pointers(asked: &Asked<'_>, table: &types::Table) {
                let runtime = asked.runtime;
                let on_stack = 0_u64;
                let mut device = ptr::null_mut();
                let mut pinned = ptr::null_mut();
                let mut managed = ptr::null_mut();
                asked.right("cudaMalloc", call!(runtime.cudaMalloc(&raw mut device, 40)));
                let status = call!(runtime.cudaHostAlloc(&raw mut pinned, 4096, 2));
                asked.right("cudaHostAlloc", status);
                let status = call!(runtime.cudaMallocManaged(&raw mut managed, 4096, 1));
                asked.right("cudaMallocManaged", status);
                for (pointer, class) in [
                    (ptr::null(), 0),
                    ((&raw const on_stack).cast(), 0),
                    (pinned.cast_const(), 1),
                    (device.cast_const(), 2),
                    (managed.cast_const(), 3),
                ] {
                    let name = "cudaPointerGetAttributes";
                    let found = fill(name, |out| {
                        call!(table.cudaPointerGetAttributes(out, pointer))
                    });
                    // Whether null is an error is the driver's own affair.
                    if !pointer.is_null() {
                        asked.right(name, found.status);
                    }
                    let (status, told) = runtime.pointer_attributes(pointer);
                    assert_eq!(status, found.status, "the safe form answers the same");
                    if found.succeeded() && !pointer.is_null() {
                        assert!(found.written >= 24, "only {} bytes", found.written);
                        assert_eq!(told.memory_type.0, class, "the class of memory");
                    }
                }
            }

            fn textures(asked: &Asked<'_>, table: &types::Table) {
                // Its `cudaTextureDesc` is that of `cudaTextureDesc_v2`, four bytes more than in 11.8.
                if asked.version == Version::new(11, 7) {
                    return;
                }
                let runtime = asked.runtime;
                let mut memory = ptr::null_mut();
                asked.right(
                    "cudaMalloc",
                    call!(runtime.cudaMalloc(&raw mut memory, 4096)),
                );
                let kind = cudaChannelFormatKind::cudaChannelFormatKindFloat;
                let mut resource = types::cudaResourceDesc {
                    resType: cudaResourceType::cudaResourceTypeLinear,
                    ..Default::default()
                };
                resource.res.linear.devPtr = memory;
                resource.res.linear.desc = call!(runtime.cudaCreateChannelDesc(32, 0, 0, 0, kind));
                resource.res.linear.sizeInBytes = 4096;
                let description = types::cudaTextureDesc {
                    readMode: cudaTextureReadMode::cudaReadModeElementType,
                    ..Default::default()
                };
                let mut texture = 0;
                let status = call!(table.cudaCreateTextureObject(
                    &raw mut texture,
                    &raw const resource,
                    &raw const description,
                    ptr::null()
                ));
                if !asked.right("cudaCreateTextureObject", status) {
                    return;
                }
                asked.filled("cudaGetTextureObjectResourceDesc", |out| {
                    call!(table.cudaGetTextureObjectResourceDesc(out, texture))
                });
                asked.filled("cudaGetTextureObjectTextureDesc", |out| {
                    call!(table.cudaGetTextureObjectTextureDesc(out, texture))
                });
                // The texture was made without a view.
                fill("cudaGetTextureObjectResourceViewDesc", |out| {
                    call!(table.cudaGetTextureObjectResourceViewDesc(out, texture))
                });
            }

            fn surfaces(asked: &Asked<'_>, table: &types::Table) {
                let runtime = asked.runtime;
                let kind = cudaChannelFormatKind::cudaChannelFormatKindFloat;
                let format = call!(runtime.cudaCreateChannelDesc(32, 0, 0, 0, kind));
                let mut array = ptr::null_mut();
                // cudaArraySurfaceLoadStore
                let status =
                    call!(runtime.cudaMallocArray(&raw mut array, &raw const format, 16, 16, 2));
                asked.right("cudaMallocArray", status);
                let mut resource = types::cudaResourceDesc {
                    resType: cudaResourceType::cudaResourceTypeArray,
                    ..Default::default()
                };
                resource.res.array.array = array;
                let mut surface = 0;
                let status =
                    call!(table.cudaCreateSurfaceObject(&raw mut surface, &raw const resource));
                if asked.right("cudaCreateSurfaceObject", status) {
                    asked.filled("cudaGetSurfaceObjectResourceDesc", |out| {
                        call!(table.cudaGetSurfaceObjectResourceDesc(out, surface))
                    });
                }
            }

            fn allocation_nodes(asked: &Asked<'_>, table: &types::Table) {
                let runtime = asked.runtime;
                let mut graph = ptr::null_mut();
                let status = call!(runtime.cudaGraphCreate(&raw mut graph, 0));
                if !asked.right("cudaGraphCreate", status) {
                    return;
                }
                let mut parameters = types::cudaMemAllocNodeParams {
                    bytesize: 4096,
                    ..Default::default()
                };
                parameters.poolProps.allocType = cudaMemAllocationType::cudaMemAllocationTypePinned;
                parameters.poolProps.handleTypes =
                    cudaMemAllocationHandleType::cudaMemHandleTypeNone;
                parameters.poolProps.location.type_ =
                    cudaMemLocationType::cudaMemLocationTypeDevice;
                let mut node = ptr::null_mut();
                let status = call!(table.cudaGraphAddMemAllocNode(
                    &raw mut node,
                    graph,
                    ptr::null(),
                    0,
                    &raw mut parameters
                ));
                if asked.right("cudaGraphAddMemAllocNode", status) {
                    asked.filled("cudaGraphMemAllocNodeGetParams", |out| {
                        call!(table.cudaGraphMemAllocNodeGetParams(node, out))
                    });
                }
            }
        }
    };
}

mod majors {
    use super::*;

    of_major!(v11, cudaGetDeviceProperties);
    of_major!(v12, cudaGetDeviceProperties_v2);
    of_major!(v13, cudaGetDeviceProperties);

    pub(super) fn ask_own(asked: &Asked<'_>) {
        if let Some(table) = asked.runtime.v11() {
            v11::ask(asked, table);
        }
        if let Some(table) = asked.runtime.v12() {
            v12::ask(asked, table);
        }
        if let Some(table) = asked.runtime.v13() {
            v13::ask(asked, table);
        }
    }
}

/// Everything that is asked of one library.
fn ask(asked: &Asked<'_>) {
    shared(asked);
    majors::ask_own(asked);
}

#[test]
fn no_real_library_writes_past_our_buffers() {
    if wanted() == Wanted::Off && Driver::get().is_ok() {
        skip("CUWHY_TEST_GPU is off, and the machine has a driver");
        return;
    }
    // Who requires a device has one here.
    let device = device_or_why().ok();
    for toolkit in toolkits() {
        // A runtime does not work on a driver of an older major.
        let too_new = |driver: &Driver| driver.version().major() < toolkit.version.major();
        if device.is_some_and(too_new) {
            skip(&format!(
                "the driver is older than libcudart {}",
                toolkit.version
            ));
            continue;
        }
        let child = Child::new(here!(), &toolkit.version.to_string());
        let outcome = child.run(|| {
            ask(&Asked {
                runtime: Runtime::open(&toolkit.runtime).unwrap(),
                version: toolkit.version,
                device: device.map_or(Device::None, |_| Device::Real),
            });
        });
        outcome.must_succeed();
    }
}

#[test]
fn no_simulated_library_writes_past_our_buffers() {
    for major in Major::ALL {
        let child = Child::new(here!(), &format!("CUDA {major}"));
        let child = simulated(child, Some(major.version().major()));
        let outcome = child.run(|| {
            // Once it is mapped, the runtime finds it under its name.
            Driver::get().unwrap();
            let runtime = Runtime::get().unwrap();
            assert_eq!(runtime.major(), major);
            ask(&Asked {
                runtime,
                version: runtime.version(),
                device: Device::Simulated,
            });
        });
        outcome.must_succeed();
    }
}

/// The test is worth something: a call that writes one byte too many is caught.
#[test]
#[should_panic(expected = "wrote past its buffer")]
fn a_byte_too_many_is_noticed() {
    fill::<u64>("a wrong call", |out| {
        let behind = out.wrapping_add(1).cast::<u8>();
        // SAFETY: the byte behind the buffer is the first of the canaries.
        unsafe { behind.write(0) };
        cudaError_t::cudaSuccess
    });
}
