//! The fronts beyond plain copies: what the runtime itself checks, keeps and translates, in each major.
//!
//! The numbers are what an H200 answered to the real libraries of 11.8, 12.9 and 13.0.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed, and says what it left out"
)]

mod support;

use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::Driver;
use cuda_sys::runtime::{
    Major, Runtime, cudaChannelFormatDesc, cudaChannelFormatKind, cudaExtent, cudaMemcpy3DParms,
    cudaMemcpyKind, cudaMemsetParams, cudaPitchedPtr, cudaStreamCaptureMode,
};
use support::{End, MAJORS, c, in_child};

const H2H: cudaMemcpyKind = cudaMemcpyKind::cudaMemcpyHostToHost;
const H2D: cudaMemcpyKind = cudaMemcpyKind::cudaMemcpyHostToDevice;
const D2H: cudaMemcpyKind = cudaMemcpyKind::cudaMemcpyDeviceToHost;
const D2D: cudaMemcpyKind = cudaMemcpyKind::cudaMemcpyDeviceToDevice;
const DEFAULT: cudaMemcpyKind = cudaMemcpyKind::cudaMemcpyDefault;

/// Runs `work` in a child per major.
fn each(settings: &str, work: fn(Major, &'static Runtime, &'static Driver)) {
    for major in MAJORS {
        let settings = format!("quiet,{settings}");
        let end = in_child(move || {
            // SAFETY: the child has one thread.
            unsafe { std::env::set_var("CUWHY_SIM", settings) };
            let (runtime, driver) = support::open(major);
            work(major, runtime, driver);
            0
        });
        assert_eq!(end, End::Exit(0), "CUDA {major}");
    }
}

fn memory(runtime: &Runtime, size: usize) -> *mut c_void {
    let mut place = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, size)), 0);
    place
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count)
        .map(|index| u8::try_from(index % 251).unwrap())
        .collect()
}

#[test]
fn the_primary_context_is_made_by_the_first_call_that_needs_one() {
    each("", |major, runtime, driver| {
        let active = || {
            let (mut flags, mut active) = (0, 0);
            assert_eq!(
                c!(driver.cuDevicePrimaryCtxGetState(0, &raw mut flags, &raw mut active)),
                0
            );
            active == 1
        };
        let mut number = 0;
        assert_eq!(c!(runtime.cudaGetDeviceCount(&raw mut number)), 0);
        assert_eq!(c!(runtime.cudaGetDevice(&raw mut number)), 0);
        assert_eq!(c!(runtime.cudaGetLastError()), 0);
        let (status, attributes) = runtime.pointer_attributes((&raw const number).cast());
        assert_eq!(
            (status.0, attributes.memory_type.0, attributes.device),
            (0, 0, -2)
        );
        assert_eq!(attributes.host_pointer, (&raw mut number).cast());
        assert!(!active());
        assert_eq!(c!(runtime.cudaSetDevice(0)), 0);
        // CUDA 12 made this call eager.
        assert_eq!(active(), major != Major::V11);
        assert_eq!(
            c!(runtime.cudaMemcpy(ptr::null_mut(), ptr::null(), 0, DEFAULT)),
            0
        );
        assert!(active());
    });
}

#[test]
fn the_last_error_is_the_threads_own_and_is_told_once() {
    each("", |_, runtime, _| {
        let mut place = ptr::null_mut();
        assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 1 << 46)), 2);
        assert_eq!(place, ptr::null_mut());
        assert_eq!(c!(runtime.cudaSetDevice(99)), 101);
        memory(runtime, 16);
        assert_eq!(c!(runtime.cudaPeekAtLastError()), 101);
        let elsewhere = std::thread::spawn(move || c!(runtime.cudaGetLastError()));
        assert_eq!(elsewhere.join().unwrap(), 0);
        assert_eq!(c!(runtime.cudaGetLastError()), 101);
        assert_eq!(c!(runtime.cudaGetLastError()), 0);
    });
}

#[test]
fn work_that_is_not_done_is_no_last_error() {
    unsafe extern "C" fn wait(_: *mut c_void) {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    each("", |_, runtime, _| {
        let mut stream = ptr::null_mut();
        assert_eq!(c!(runtime.cudaStreamCreate(&raw mut stream)), 0);
        assert_eq!(
            c!(runtime.cudaLaunchHostFunc(stream, Some(wait), ptr::null_mut())),
            0
        );
        assert_eq!(c!(runtime.cudaStreamQuery(stream)), 600);
        assert_eq!(c!(runtime.cudaPeekAtLastError()), 0);
        assert_eq!(c!(runtime.cudaStreamSynchronize(stream)), 0);
        assert_eq!(c!(runtime.cudaStreamQuery(stream)), 0);
    });
}

#[test]
fn nothing_to_allocate_is_null_and_no_error() {
    each("", |_, runtime, _| {
        let marked = || ptr::without_provenance_mut::<c_void>(77);
        let mut place = marked();
        assert_eq!(
            (c!(runtime.cudaMalloc(&raw mut place, 0)), place.is_null()),
            (0, true)
        );
        place = marked();
        assert_eq!(
            (
                c!(runtime.cudaMallocHost(&raw mut place, 0)),
                place.is_null()
            ),
            (0, true)
        );
        place = marked();
        assert_eq!(
            (
                c!(runtime.cudaMallocManaged(&raw mut place, 0, 1)),
                place.is_null()
            ),
            (0, true)
        );
        place = marked();
        assert_eq!(
            (
                c!(runtime.cudaMallocAsync(&raw mut place, 0, ptr::null_mut())),
                place.is_null()
            ),
            (0, true)
        );
        let mut pitch = 77;
        assert_eq!(
            c!(runtime.cudaMallocPitch(&raw mut place, &raw mut pitch, 0, 3)),
            0
        );
        assert_eq!((place.is_null(), pitch), (true, 0));
        assert_eq!(
            c!(runtime.cudaMallocPitch(&raw mut place, &raw mut pitch, 513, 3)),
            0
        );
        assert_eq!(pitch, 1024);
        assert_eq!(c!(runtime.cudaFree(place)), 0);
        assert_eq!(c!(runtime.cudaFree(ptr::null_mut())), 0);
        assert_eq!(c!(runtime.cudaFree(place)), 1);
    });
}

#[test]
fn rows_are_checked_by_the_runtime_before_the_driver() {
    each("", |_, runtime, _| {
        let (device, mut host) = (memory(runtime, 4096), bytes(4096));
        let place: *mut c_void = host.as_mut_ptr().cast();
        let copy = |pitch, width, height, kind| {
            c!(runtime.cudaMemcpy2D(device, pitch, place, 64, width, height, kind))
        };
        assert_eq!(copy(64, 32, 4, H2D), 0);
        assert_eq!(copy(16, 32, 4, H2D), 12);
        assert_eq!(copy(16, 32, 4, cudaMemcpyKind(9)), 12);
        // With one row the pitch leads nowhere, and the driver has the word.
        assert_eq!(copy(16, 32, 1, H2D), 1);
        assert_eq!(copy(0, 32, 1, H2D), 0);
        assert_eq!(copy(0, 32, 2, H2D), 12);
        assert_eq!(copy(16, 32, 0, cudaMemcpyKind(9)), 0);
        assert_eq!(copy(64, 32, 4, cudaMemcpyKind(5)), 21);
        assert_eq!(
            c!(runtime.cudaMemcpy(ptr::null_mut(), place, 4, cudaMemcpyKind(5))),
            21
        );
        assert_eq!(
            c!(runtime.cudaMemcpy(ptr::null_mut(), place, 0, cudaMemcpyKind(5))),
            0
        );
        let mut back = vec![0_u8; 4096];
        assert_eq!(c!(runtime.cudaMemset(device, 0, 4096)), 0);
        assert_eq!(copy(128, 32, 4, H2D), 0);
        assert_eq!(
            c!(runtime.cudaMemcpy2D(back.as_mut_ptr().cast(), 64, device, 128, 32, 4, D2H)),
            0
        );
        for row in 0..4 {
            assert_eq!(back[row * 64..row * 64 + 32], host[row * 64..row * 64 + 32]);
        }
    });
}

static FLOAT: cudaChannelFormatDesc = cudaChannelFormatDesc {
    x: 32,
    y: 0,
    z: 0,
    w: 0,
    f: cudaChannelFormatKind::cudaChannelFormatKindFloat,
};

#[test]
fn arrays_are_device_memory_for_every_direction() {
    each("", |_, runtime, _| {
        let mut array = ptr::null_mut();
        assert_eq!(
            c!(runtime.cudaMallocArray(&raw mut array, &raw const FLOAT, 64, 16, 0)),
            0
        );
        let (mut sent, mut back) = (bytes(4096), vec![0_u8; 4096]);
        let (from, to): (*mut c_void, *mut c_void) =
            (sent.as_mut_ptr().cast(), back.as_mut_ptr().cast());
        let into = |kind| c!(runtime.cudaMemcpy2DToArray(array, 0, 0, from, 256, 256, 16, kind));
        let out = |kind| c!(runtime.cudaMemcpy2DFromArray(to, 256, array, 0, 0, 256, 16, kind));
        assert_eq!([H2H, H2D, D2H, D2D, DEFAULT].map(into), [21, 0, 21, 1, 0]);
        assert_eq!([H2H, H2D, D2H, D2D, DEFAULT].map(out), [21, 21, 0, 1, 0]);
        assert_eq!(back, sent);
        // One line, laid over the end of a row.
        assert_eq!(
            c!(runtime.cudaMemcpyToArray(array, 128, 0, from, 300, H2D)),
            0
        );
        assert_eq!(
            c!(runtime.cudaMemcpyFromArray(to, array, 128, 0, 300, D2H)),
            0
        );
        assert_eq!(back[..300], sent[..300]);
        assert_eq!(
            c!(runtime.cudaMemcpyToArray(array, 0, 15, from, 300, H2D)),
            1
        );
        assert_eq!(
            c!(runtime.cudaMemcpy2DToArray(ptr::null_mut(), 0, 0, from, 256, 64, 4, H2D)),
            400
        );
        let (mut desc, mut extent, mut flags) = (FLOAT, cudaExtent::default(), 9);
        assert_eq!(
            c!(runtime.cudaArrayGetInfo(&raw mut desc, &raw mut extent, &raw mut flags, array)),
            0
        );
        assert_eq!(
            (desc.x, extent.width, extent.height, extent.depth, flags),
            (32, 64, 16, 0, 0)
        );
        let odd = cudaChannelFormatDesc { x: 24, ..FLOAT };
        assert_eq!(
            c!(runtime.cudaMallocArray(&raw mut array, &raw const odd, 64, 16, 0)),
            20
        );
    });
}

#[test]
fn slices_move_with_their_pitches() {
    each("", |_, runtime, _| {
        let (mut sent, mut back) = (bytes(512), vec![0_u8; 512]);
        let pitched = |ptr: *mut c_void, pitch| cudaPitchedPtr {
            ptr,
            pitch,
            xsize: 64,
            ysize: 4,
        };
        let device = memory(runtime, 4096);
        let extent = cudaExtent {
            width: 32,
            height: 4,
            depth: 2,
        };
        let mut there = cudaMemcpy3DParms {
            srcPtr: pitched(sent.as_mut_ptr().cast(), 64),
            dstPtr: pitched(device, 512),
            extent,
            kind: H2D,
            ..cudaMemcpy3DParms::default()
        };
        let again = cudaMemcpy3DParms {
            srcPtr: pitched(device, 512),
            dstPtr: pitched(back.as_mut_ptr().cast(), 64),
            kind: D2H,
            ..there
        };
        assert_eq!(c!(runtime.cudaMemcpy3D(&raw const there)), 0);
        assert_eq!(c!(runtime.cudaMemcpy3D(&raw const again)), 0);
        for row in 0..8 {
            assert_eq!(back[row * 64..row * 64 + 32], sent[row * 64..row * 64 + 32]);
        }
        let with = |change: &dyn Fn(&mut cudaMemcpy3DParms)| {
            let mut copy = there;
            change(&mut copy);
            c!(runtime.cudaMemcpy3D(&raw const copy))
        };
        assert_eq!(with(&|copy| copy.srcPtr.pitch = 16), 12);
        assert_eq!(with(&|copy| copy.srcPtr.ysize = 2), 12);
        assert_eq!(with(&|copy| copy.srcPtr.xsize = 8), 0);
        assert_eq!(with(&|copy| copy.dstPtr.ptr = ptr::null_mut()), 1);
        assert_eq!(with(&|copy| copy.kind = cudaMemcpyKind(9)), 21);
        assert_eq!(with(&|copy| copy.extent.depth = 0), 0);
        there = cudaMemcpy3DParms::default();
        assert_eq!(c!(runtime.cudaMemcpy3D(&raw const there)), 0);
        assert_eq!(c!(runtime.cudaMemcpy3D(ptr::null())), 1);
    });
}

#[test]
fn a_captured_copy_and_a_made_graph_do_the_same() {
    each("", |_, runtime, _| {
        let (mut stream, mut graph, mut made) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        assert_eq!(c!(runtime.cudaStreamCreate(&raw mut stream)), 0);
        let (first, second) = (memory(runtime, 64), memory(runtime, 64));
        assert_eq!(c!(runtime.cudaMemset(first, 7, 64)), 0);
        let mode = cudaStreamCaptureMode::cudaStreamCaptureModeRelaxed;
        assert_eq!(c!(runtime.cudaStreamBeginCapture(stream, mode)), 0);
        assert_eq!(
            c!(runtime.cudaMemcpyAsync(second, first, 64, D2D, stream)),
            0
        );
        assert_eq!(c!(runtime.cudaStreamEndCapture(stream, &raw mut graph)), 0);
        let mut count = 0;
        assert_eq!(
            c!(runtime.cudaGraphGetNodes(graph, ptr::null_mut(), &raw mut count)),
            0
        );
        assert_eq!(count, 1);
        assert_eq!(
            c!(runtime.cudaGraphInstantiateWithFlags(&raw mut made, graph, 0)),
            0
        );
        assert_eq!(c!(runtime.cudaGraphLaunch(made, stream)), 0);
        let mut back = [0_u8; 64];
        assert_eq!(c!(runtime.cudaStreamSynchronize(stream)), 0);
        assert_eq!(
            c!(runtime.cudaMemcpy(back.as_mut_ptr().cast(), second, 64, D2H)),
            0
        );
        assert_eq!(back, [7; 64]);

        let (mut set, mut copy) = (ptr::null_mut(), ptr::null_mut());
        let fill = cudaMemsetParams {
            dst: first,
            pitch: 64,
            value: 9,
            elementSize: 1,
            width: 64,
            height: 1,
        };
        assert_eq!(c!(runtime.cudaGraphCreate(&raw mut graph, 0)), 0);
        assert_eq!(
            c!(runtime.cudaGraphAddMemsetNode(
                &raw mut set,
                graph,
                ptr::null(),
                0,
                &raw const fill
            )),
            0
        );
        let node = &raw mut copy;
        let to = back.as_mut_ptr().cast();
        assert_eq!(
            c!(runtime.cudaGraphAddMemcpyNode1D(
                node,
                graph,
                &raw const set,
                1,
                to,
                first,
                64,
                D2H
            )),
            0
        );
        let mut found = cudaMemcpy3DParms::default();
        assert_eq!(
            c!(runtime.cudaGraphMemcpyNodeGetParams(copy, &raw mut found)),
            0
        );
        assert_eq!(
            (found.extent.width, found.kind, found.srcPtr.ptr),
            (64, D2H, first)
        );
        assert_eq!(
            c!(runtime.cudaGraphInstantiateWithFlags(&raw mut made, graph, 0)),
            0
        );
        assert_eq!(c!(runtime.cudaGraphLaunch(made, stream)), 0);
        assert_eq!(c!(runtime.cudaStreamSynchronize(stream)), 0);
        assert_eq!(back, [9; 64]);
    });
}

/// The one form of all nodes. No real library was asked about it; the driver's nodes behind it were measured.
macro_rules! nodes_in_one_form {
    ($types:ident, $runtime:ident, $table:ident, $function:ident($($edges:expr)?)) => {{
        use cuda_sys::runtime::$types::cudaGraphNodeParams;
        use cuda_sys::runtime::cudaGraphNodeType;
        let (runtime, table) = ($runtime, $table);
        let (mut graph, mut made) = (ptr::null_mut(), ptr::null_mut());
        let (mut set, mut copy) = (ptr::null_mut(), ptr::null_mut());
        let (device, mut back) = (memory(runtime, 64), [0_u8; 64]);
        assert_eq!(c!(runtime.cudaGraphCreate(&raw mut graph, 0)), 0);

        let mut fill = cudaGraphNodeParams::default();
        fill.type_ = cudaGraphNodeType::cudaGraphNodeTypeMemset;
        fill.__bindgen_anon_1.memset.dst = device;
        fill.__bindgen_anon_1.memset.value = 5;
        fill.__bindgen_anon_1.memset.elementSize = 1;
        fill.__bindgen_anon_1.memset.width = 64;
        fill.__bindgen_anon_1.memset.height = 1;
        let (node, params) = (&raw mut set, &raw mut fill);
        let status = c!(table.$function(node, graph, ptr::null(), $($edges,)? 0, params));
        assert_eq!(status, 0);

        let mut out = cudaGraphNodeParams::default();
        out.type_ = cudaGraphNodeType::cudaGraphNodeTypeMemcpy;
        out.__bindgen_anon_1.memcpy.copyParams = cudaMemcpy3DParms {
            srcPtr: cudaPitchedPtr { ptr: device, pitch: 64, xsize: 64, ysize: 1 },
            dstPtr: cudaPitchedPtr { ptr: back.as_mut_ptr().cast(), pitch: 64, xsize: 64, ysize: 1 },
            extent: cudaExtent { width: 64, height: 1, depth: 1 },
            kind: D2H,
            ..cudaMemcpy3DParms::default()
        };
        let (node, params) = (&raw mut copy, &raw mut out);
        let status = c!(table.$function(node, graph, &raw const set, $($edges,)? 1, params));
        assert_eq!(status, 0);

        let mut kernel = cudaGraphNodeParams::default();
        let params = &raw mut kernel;
        let status = c!(table.$function(node, graph, ptr::null(), $($edges,)? 0, params));
        assert_eq!(status, 801, "kernels are not run");

        let status = c!(runtime.cudaGraphInstantiateWithFlags(&raw mut made, graph, 0));
        assert_eq!(status, 0);
        assert_eq!(c!(runtime.cudaGraphLaunch(made, ptr::null_mut())), 0);
        assert_eq!(c!(runtime.cudaDeviceSynchronize()), 0);
        assert_eq!(back, [5; 64]);
    }};
}

#[test]
fn nodes_of_every_kind_have_one_form() {
    each("", |_, runtime, _| {
        if let Some(table) = runtime.v12() {
            nodes_in_one_form!(v12, runtime, table, cudaGraphAddNode());
            nodes_in_one_form!(v12, runtime, table, cudaGraphAddNode_v2(ptr::null()));
        }
        if let Some(table) = runtime.v13() {
            nodes_in_one_form!(v13, runtime, table, cudaGraphAddNode(ptr::null()));
        }
    });
}

#[test]
fn a_copy_on_the_legacy_stream_ends_a_capture() {
    each("", |_, runtime, _| {
        let (mut stream, mut graph) = (ptr::null_mut(), ptr::null_mut());
        assert_eq!(c!(runtime.cudaStreamCreate(&raw mut stream)), 0);
        let (device, mut host) = (memory(runtime, 64), bytes(64));
        let mode = cudaStreamCaptureMode::cudaStreamCaptureModeGlobal;
        assert_eq!(c!(runtime.cudaStreamBeginCapture(stream, mode)), 0);
        assert_eq!(
            c!(runtime.cudaMemcpy(device, host.as_mut_ptr().cast(), 64, H2D)),
            906
        );
        assert_eq!(
            c!(runtime.cudaStreamEndCapture(stream, &raw mut graph)),
            901
        );
        assert_eq!(c!(runtime.cudaGetLastError()), 901);
        assert_eq!(
            c!(runtime.cudaMemcpy(device, host.as_mut_ptr().cast(), 64, H2D)),
            0
        );
    });
}

#[test]
fn devices_are_chosen_per_thread_and_reset_alone() {
    each("devices=2", |_, runtime, _| {
        let mut number = -1;
        assert_eq!(c!(runtime.cudaSetDevice(1)), 0);
        let there = memory(runtime, 64);
        assert_eq!(runtime.pointer_attributes(there).1.device, 1);
        let elsewhere = std::thread::spawn(move || {
            let mut number = -1;
            (c!(runtime.cudaGetDevice(&raw mut number)), number)
        });
        assert_eq!(elsewhere.join().unwrap(), (0, 0));
        assert_eq!(c!(runtime.cudaSetDevice(0)), 0);
        let here = memory(runtime, 64);
        assert_eq!(c!(runtime.cudaMemcpyPeer(here, 0, there, 1, 64)), 0);
        assert_eq!(c!(runtime.cudaMemcpyPeer(here, 0, there, 99, 64)), 101);
        assert_eq!(c!(runtime.cudaDeviceReset()), 0);
        assert_eq!(c!(runtime.cudaGetDevice(&raw mut number)), 0);
        assert_eq!(number, 0);
        assert_eq!(runtime.pointer_attributes(here).1.memory_type.0, 0);
        assert_eq!(runtime.pointer_attributes(there).1.memory_type.0, 2);
        memory(runtime, 64);
    });
}

#[test]
fn properties_stop_before_what_is_reserved() {
    each("", |major, runtime, _| {
        let name = support::device_name(runtime);
        assert!(name.contains("simulated"), "{name}");
        let size = match major {
            Major::V11 => return,
            Major::V12 => 780,
            _ => 784,
        };
        let mut room = [0x5a_u8; 1100];
        assert_eq!(
            support::raw_properties(runtime, room.as_mut_ptr().cast()),
            0
        );
        assert!(room[size..].iter().all(|byte| *byte == 0x5a));
    });
}

#[test]
fn what_is_not_simulated_answers_801_and_is_there() {
    each("", |major, runtime, _| {
        assert_eq!(
            c!(runtime.cudaGraphicsUnregisterResource(ptr::null_mut())),
            801
        );
        assert_eq!(c!(runtime.cudaGetLastError()), 801);
        let unknown = if major == Major::V11 { 98 } else { 400 };
        let block = cuda_sys::runtime::dim3 { x: 1, y: 1, z: 1 };
        let function = (&raw const block).cast();
        let launched = c!(runtime.cudaLaunchKernel(
            function,
            block,
            block,
            ptr::null_mut(),
            0,
            ptr::null_mut()
        ));
        assert_eq!(launched, unknown);
    });
}

#[test]
fn an_older_driver_is_insufficient() {
    each("driver=11.8", |major, runtime, _| {
        let mut count = -1;
        let expected = if major == Major::V11 { 0 } else { 35 };
        assert_eq!(c!(runtime.cudaGetDeviceCount(&raw mut count)), expected);
    });
}

#[test]
fn announced_variables_are_device_memory_with_a_size() {
    each("", |major, runtime, _| {
        support::announce::announce(major);
        let symbol: *const c_void = (&raw const support::announce::SHADOW).cast();
        let (mut place, mut size) = (ptr::null_mut(), 0);
        assert_eq!(c!(runtime.cudaGetSymbolAddress(&raw mut place, symbol)), 0);
        assert_eq!(c!(runtime.cudaGetSymbolSize(&raw mut size, symbol)), 0);
        assert_eq!(size, 256);
        let (mut sent, mut back) = (bytes(256), vec![0_u8; 256]);
        let (from, to): (*mut c_void, *mut c_void) =
            (sent.as_mut_ptr().cast(), back.as_mut_ptr().cast());
        let into =
            |count, offset, kind| c!(runtime.cudaMemcpyToSymbol(symbol, from, count, offset, kind));
        let out = |kind| c!(runtime.cudaMemcpyFromSymbol(to, symbol, 256, 0, kind));
        let kinds = [H2H, H2D, D2H, D2D, DEFAULT, cudaMemcpyKind(5)];
        assert_eq!(kinds.map(|kind| into(256, 0, kind)), [21, 0, 21, 1, 0, 21]);
        assert_eq!(kinds.map(out), [21, 21, 0, 1, 0, 21]);
        assert_eq!(back, sent);
        assert_eq!(into(257, 0, H2D), 1);
        assert_eq!(into(5, 252, H2D), 1);
        assert_eq!(into(4, 252, H2D), 0);
        assert_eq!(into(0, 9999, cudaMemcpyKind(9)), 0);
        let unknown = (&raw const size).cast();
        assert_eq!(
            c!(runtime.cudaMemcpyToSymbol(unknown, from, 4, 0, cudaMemcpyKind(9))),
            13
        );
        assert_eq!(c!(runtime.cudaMemcpyToSymbol(unknown, from, 0, 0, H2D)), 0);
        // After a reset the variable has an address again.
        assert_eq!(c!(runtime.cudaDeviceReset()), 0);
        assert_eq!(into(256, 0, H2D), 0);
    });
}
