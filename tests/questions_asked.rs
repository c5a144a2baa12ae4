//! What is really asked of the driver about the operands of a call: the plural query and no singular one, never
//! `P2P_TOKENS`, never an address that the registry knows as freed in stream order, one query per operand where
//! nothing is wrong. Every call that our questions make goes by a recorder, for every class of memory, through
//! the checker with the default and the strict policy: on the simulator with the runtime of each major, and with
//! `CUWHY_TEST_GPU=require` on the machine's device with the runtime that `CUWHY_LIBCUDART` names.

#[path = "both_answers/samples.rs"]
mod samples;

use core::ffi::{CStr, c_uint, c_void};
use core::ptr;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use cuda_sys::driver::{
    CUdeviceptr, CUmemLocation, CUpointer_attribute, CUresult, Driver, Table, pfn,
};
use cuda_sys::runtime::Runtime;
use cuwhy_tests::{here, on_cuda};
use cuwhy_validate::ask::Live;
use cuwhy_validate::call::{
    Action, Batch, BatchAttribute, BatchEntry, Export, Fill, Linear, Peer, Place, Plane, Register,
    Side, SymbolCopy, Volume,
};
use cuwhy_validate::facts::Owner;
use cuwhy_validate::registry::Freed;
use cuwhy_validate::{
    Api, Call, Checker, Class, Kind, Order, Policy, Registry, Site, Span, Stream,
};
use samples::{address, samples};

/// One call that has to succeed.
macro_rules! made {
    ($library:ident . $function:ident ( $($argument:expr),* $(,)? )) => {{
        // SAFETY: each pointer given in this file is that of a live variable of the type that the
        // function writes, each address and handle one that an earlier call of it made.
        let status = unsafe { $library.$function($($argument),*) };
        assert_eq!(status.0, 0, stringify!($function));
    }};
}

/// A question that reached the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// `cuPointerGetAttributes`: the attributes and the address.
    Plural(Vec<u32>, u64),
    /// `cuPointerGetAttribute`.
    Singular(u64),
    /// `cuMemGetAddressRange`.
    Range(u64),
    /// `cuMemGetAccess`.
    Access(u64),
    /// A function that has no place in a question.
    Other,
}

impl Asked {
    const fn address(&self) -> Option<u64> {
        match self {
            Self::Plural(_, address)
            | Self::Singular(address)
            | Self::Range(address)
            | Self::Access(address) => Some(*address),
            Self::Other => None,
        }
    }
}

/// Functions that a question may call and that take no address of an operand.
const HARMLESS: &[&str] = &[
    "cuCtxGetCurrent",
    "cuCtxGetDevice",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuStreamIsCapturing",
    "cuStreamGetDevice",
    "cuMemPoolGetAccess",
    "cuArray3DGetDescriptor_v2",
];

static ASKED: Mutex<Vec<Asked>> = Mutex::new(Vec::new());
static REAL: OnceLock<&'static Driver> = OnceLock::new();

fn note(asked: Asked) -> &'static Driver {
    let mut all = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    all.push(asked);
    REAL.get().expect("the recorder was made after it")
}

fn taken() -> Vec<Asked> {
    core::mem::take(&mut ASKED.lock().unwrap_or_else(PoisonError::into_inner))
}

unsafe extern "C" fn plural(
    count: c_uint,
    list: *mut CUpointer_attribute,
    places: *mut *mut c_void,
    address: CUdeviceptr,
) -> CUresult {
    let number = usize::try_from(count).expect("a small number");
    // SAFETY: the caller hands over that many attributes.
    let wanted = unsafe { core::slice::from_raw_parts(list, number) };
    let wanted = wanted.iter().map(|one| one.0).collect();
    let real = note(Asked::Plural(wanted, address));
    // SAFETY: the caller's own arguments.
    unsafe { real.cuPointerGetAttributes(count, list, places, address) }
}

unsafe extern "C" fn singular(
    place: *mut c_void,
    attribute: CUpointer_attribute,
    address: CUdeviceptr,
) -> CUresult {
    let real = note(Asked::Singular(address));
    // SAFETY: the caller's own arguments.
    unsafe { real.cuPointerGetAttribute(place, attribute, address) }
}

unsafe extern "C" fn range(
    base: *mut CUdeviceptr,
    bytes: *mut usize,
    address: CUdeviceptr,
) -> CUresult {
    let real = note(Asked::Range(address));
    // SAFETY: the caller's own arguments.
    unsafe { real.cuMemGetAddressRange_v2(base, bytes, address) }
}

unsafe extern "C" fn access(
    flags: *mut u64,
    location: *const CUmemLocation,
    address: CUdeviceptr,
) -> CUresult {
    let real = note(Asked::Access(address));
    // SAFETY: the caller's own arguments.
    unsafe { real.cuMemGetAccess(flags, location, address) }
}

/// Stands for every function that no question calls. It looks at no argument, so it does not matter what they are.
unsafe extern "C" fn other() -> CUresult {
    note(Asked::Other);
    CUresult::CUDA_ERROR_NOT_SUPPORTED
}

/// The driver's table with the recorder before it.
fn recorder(driver: &'static Driver) -> &'static Table {
    assert!(REAL.set(driver).is_ok(), "one recorder in a process");
    let file = CString::new(driver.file().path().as_os_str().as_bytes()).expect("a path");
    // SAFETY: a C string; the library is loaded already and never closed.
    let library = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    assert!(!library.is_null(), "the driver is loaded");
    let mut resolve = |name: &CStr| -> *const c_void {
        match name.to_bytes() {
            b"cuPointerGetAttributes" => plural as pfn::cuPointerGetAttributes as *const c_void,
            b"cuPointerGetAttribute" => singular as pfn::cuPointerGetAttribute as *const c_void,
            b"cuMemGetAddressRange_v2" => range as pfn::cuMemGetAddressRange_v2 as *const c_void,
            b"cuMemGetAccess" => access as pfn::cuMemGetAccess as *const c_void,
            known if HARMLESS.iter().any(|one| one.as_bytes() == known) => {
                // SAFETY: an open library and a C string.
                unsafe { libc::dlsym(library, name.as_ptr()) }.cast_const()
            }
            _ => other as unsafe extern "C" fn() -> CUresult as *const c_void,
        }
    };
    // SAFETY: the four have the C signatures, which the compiler checked; the driver's own are its own; the last
    // looks at no argument, and in C a caller may hand over more of them.
    Box::leak(Box::new(unsafe { Table::bind(&mut resolve) }))
}

fn a_call(function: &'static str, api: Api, action: Action) -> Call {
    Call {
        function,
        api,
        action,
        order: Order::Synchronous(Stream::Legacy),
        site: Site::Unknown,
    }
}

fn memory(start: u64, pitch: u64, y: u64) -> Place {
    Place::Memory {
        side: Side::Unified,
        address: start,
        pitch,
        rows: 0,
        x: 0,
        y,
        z: 0,
    }
}

/// Calls of every form between two addresses.
fn forms(dst: u64, src: u64, bytes: u64) -> Vec<Call> {
    use Api::{Driver, Runtime};
    let line = Linear {
        dst,
        src,
        bytes,
        kind: Kind::Default,
    };
    let plane = Plane {
        dst,
        dst_pitch: 16,
        src,
        src_pitch: 16,
        width: 8,
        height: bytes / 16,
        kind: Kind::Default,
    };
    let volume = Volume {
        dst: memory(dst, 16, 1),
        src: memory(src, 16, 0),
        width: 8,
        height: bytes / 16,
        depth: 1,
        is_plane: true,
        kind: Kind::Default,
    };
    let peer = Peer {
        dst,
        dst_device: 0,
        src,
        src_device: 0,
        bytes,
    };
    let fill = Fill {
        dst,
        pitch: 0,
        value: 0,
        element: 1,
        width: bytes,
        height: 1,
    };
    let symbol = SymbolCopy {
        name: dst,
        symbol: dst,
        offset: 0,
        other: src,
        bytes,
        to_symbol: true,
        kind: Kind::HostToDevice,
    };
    let batch = Batch {
        entries: vec![BatchEntry { dst, src, bytes }; 2],
        attributes: vec![BatchAttribute {
            source_access: 1,
            from: 0,
        }],
    };
    let register = Register {
        address: dst,
        bytes,
        flags: 0,
    };
    let mut calls = vec![
        a_call("cuMemcpy", Driver, Action::Copy(line)),
        a_call("cudaMemcpy2D", Runtime, Action::Copy2D(plane)),
        a_call("cuMemcpy2D", Driver, Action::Copy3D(volume)),
        a_call("cudaMemcpyPeer", Runtime, Action::Peer(peer)),
        a_call("cuMemsetD8", Driver, Action::Fill(fill)),
        a_call("cudaMemcpyToSymbol", Runtime, Action::Symbol(symbol)),
        a_call("cuMemcpyBatchAsync", Driver, Action::Batch(batch)),
        a_call("cuMemHostRegister", Driver, Action::Register(register)),
        a_call(
            "cuMemHostUnregister",
            Driver,
            Action::Unregister { address: dst },
        ),
        a_call(
            "cuIpcGetMemHandle",
            Driver,
            Action::Export(Export { address: dst }),
        ),
    ];
    for kind in [0, 1, 2, 3, 4, 9] {
        let call = Call::memcpy(dst, src, bytes, Kind::from_raw(kind));
        calls.push(call.clone().on_stream("cudaMemcpyAsync", Stream::PerThread));
        calls.push(call);
    }
    calls
}

/// What is wrong with a question, whatever it is about.
fn forbidden(asked: &Asked, not: &[Span], host: &[u64]) -> Option<&'static str> {
    let tokens = CUpointer_attribute::CU_POINTER_ATTRIBUTE_P2P_TOKENS.0;
    let touches = |address: u64| not.iter().any(|span| span.contains(address));
    match asked {
        Asked::Other => Some("a function that has no place in a question"),
        Asked::Singular(_) => Some("a singular query"),
        Asked::Plural(wanted, _) if wanted.contains(&tokens) => Some("P2P_TOKENS"),
        // The driver logs an error for such an address.
        Asked::Range(address) if host.contains(address) => Some("the range of no CUDA memory"),
        _ if asked.address().is_some_and(touches) => Some("memory that was freed in order"),
        _ => None,
    }
}

fn complain(
    wrong: &mut Vec<String>,
    what: &str,
    call: &Call,
    asked: &[Asked],
    not: &[Span],
    host: &[u64],
) {
    for one in asked {
        if let Some(why) = forbidden(one, not, host) {
            wrong.push(format!("{why}: {one:x?} for {what}: {}", call.text()));
        }
    }
}

/// Lets a checker judge a call before it is made and after it was refused, and takes what was asked.
fn questions(checker: &Checker<'_>, call: &Call) -> Vec<Asked> {
    drop(taken());
    match checker.before(call) {
        Ok(expected) => drop(checker.after(call, expected, 1)),
        Err(told) => drop(told),
    }
    taken()
}

fn ready() -> (&'static Driver, &'static Runtime, Live<'static>) {
    let driver = Driver::get().expect("there is a driver");
    let runtime = Runtime::get().expect("there is a runtime");
    made!(driver.cuInit(0));
    made!(runtime.cudaSetDevice(0));
    made!(runtime.cudaFree(ptr::null_mut()));
    let mut unused = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut unused, 1));
    (driver, runtime, Live::new(recorder(driver)))
}

fn every_class() {
    let (driver, runtime, live) = ready();
    let samples = samples(driver, runtime);
    let host: Vec<u64> = samples
        .iter()
        .filter(|one| one.class.is_none())
        .map(|one| one.address)
        .collect();
    let registry = Registry::default();
    let checkers = [Policy::Check, Policy::Strict].map(|policy| {
        [
            Checker::new(&live).with_policy(policy),
            Checker::new(&live)
                .with_policy(policy)
                .with_registry(&registry),
        ]
    });
    let mut wrong = Vec::new();
    let mut asked_of = 0;
    for one in &samples {
        for two in &samples {
            for (index, call) in forms(one.address, two.address, 64).iter().enumerate() {
                // All forms with all classes on one side, and one form for every pair.
                if index > 0 && !matches!(two.what, "cudaMalloc" | "the heap") {
                    continue;
                }
                for checker in checkers.iter().flatten() {
                    let asked = questions(checker, call);
                    asked_of += asked.len();
                    let what = format!("{} <- {}", one.what, two.what);
                    complain(&mut wrong, &what, call, &asked, &[], &host);
                }
            }
        }
    }
    assert!(
        asked_of > 10_000,
        "{asked_of} questions went by the recorder"
    );
    assert!(
        wrong.is_empty(),
        "{} of {asked_of}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
}

/// A right copy by the default policy: both first bytes are asked about once, and nothing else is.
fn one_query_per_operand() {
    let (driver, runtime, live) = ready();
    let checker = Checker::new(&live);
    let strict = Checker::new(&live).with_policy(Policy::Strict);
    let right = |class: Option<Class>| !matches!(class, Some(Class::NoAccess | Class::Reserved));
    let lives = samples(driver, runtime);
    let lives = lives
        .iter()
        .filter(|one| right(one.class) && one.address > 0x1000 && !one.what.contains("free"));
    let lives: Vec<_> = lives.filter(|one| one.address < 1 << 47).collect();
    let plain = |class: Option<Class>| class != Some(Class::Virtual);
    for (dst, src) in lives
        .iter()
        .flat_map(|dst| lives.iter().map(move |src| (dst, src)))
    {
        let call = Call::driver_copy("cuMemcpy", dst.address, src.address, 4, Kind::Default);
        // Nobody may write there, and that is looked at more closely.
        let closed = matches!(
            dst.what,
            "registered, read-only" | "a constant of the program"
        );
        if dst.address == src.address || closed && dst.class.is_some() {
            continue;
        }
        let queries = |checker: &Checker<'_>| -> Vec<u64> {
            drop(taken());
            drop(checker.before(&call));
            let plural = |one: &Asked| match one {
                Asked::Plural(_, address) => Some(*address),
                _ => None,
            };
            taken().iter().filter_map(plural).collect()
        };
        let (what, quick) = (format!("{} <- {}", dst.what, src.what), queries(&checker));
        assert_eq!(quick, [dst.address, src.address], "{what}");
        let deep = queries(&strict);
        for operand in [dst, src] {
            let times = deep
                .iter()
                .filter(|&&address| address == operand.address)
                .count();
            assert_eq!(times, 1, "{what}, {}", operand.what);
        }
        if plain(dst.class) && plain(src.class) && dst.class.is_some() && src.class.is_some() {
            assert_eq!(deep, quick, "{what}");
        }
    }
}

/// Memory between living neighbours, freed in the order of a stream.
fn freed_in_order() {
    const BYTES: u64 = 4096;
    let (driver, runtime, live) = ready();
    let registry = Registry::default();
    let mut pool = [0_u64; 5];
    for start in &mut pool {
        made!(driver.cuMemAllocAsync(&raw mut *start, 4096, ptr::null_mut()));
    }
    pool.sort_unstable();
    for start in pool {
        let mut owner = Owner::of(Class::Pool);
        owner.range = Some(Span::sized(start, BYTES));
        owner.device = Some(0);
        registry.allocated(owner);
    }
    let mut device = ptr::null_mut();
    made!(runtime.cudaMalloc(&raw mut device, 1 << 20));
    let device = address(device);
    let gone = pool[2];
    made!(driver.cuMemFreeAsync(gone, ptr::null_mut()));
    registry.freed(gone, &Freed::in_order("cuMemFreeAsync", Site::Unknown, 0));
    // What stands where somebody may have meant a device pointer.
    let words: &'static mut [u64; 512] = Box::leak(Box::new([gone; 512]));
    let words = words.as_mut_ptr().expose_provenance() as u64;
    let not = [Span::sized(gone, BYTES)];
    let mut wrong = Vec::new();
    let mut asked_of = 0;
    for policy in [Policy::Check, Policy::Strict, Policy::ExplainOnFailure] {
        let checker = Checker::new(&live)
            .with_policy(policy)
            .with_registry(&registry);
        for (dst, src) in [
            (gone, words),
            (words, gone),
            (gone, device),
            (device, gone + 100),
            (gone + BYTES - 1, gone),
            // It begins elsewhere and runs into it.
            (pool[1], device),
            (device, pool[0]),
            (gone - 16, words),
            (0x1000, device),
            (words, device),
        ] {
            for bytes in [
                64,
                2 * BYTES,
                8 * BYTES,
                gone.wrapping_sub(src),
                gone.wrapping_sub(dst),
                1 << 46,
            ] {
                let bytes = bytes.saturating_add(64);
                for call in forms(dst, src, bytes) {
                    let asked = questions(&checker, &call);
                    asked_of += asked.len();
                    complain(&mut wrong, "freed in order", &call, &asked, &not, &[]);
                }
            }
        }
    }
    assert!(asked_of > 1000, "{asked_of} questions went by the recorder");
    assert!(
        wrong.is_empty(),
        "{} of {asked_of}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    // Once the stream was waited for, the driver may be asked again; the recorder does see it.
    made!(driver.cuCtxSynchronize());
    registry.synchronized(None);
    let checker = Checker::new(&live).with_registry(&registry);
    let call = Call::driver_copy("cuMemcpy", gone, device, 4, Kind::Default);
    let asked = questions(&checker, &call);
    assert!(
        asked.iter().any(|one| one.address() == Some(gone)),
        "{asked:?}"
    );
}

/// The recorder notices what must never be asked.
fn what_is_forbidden_is_noticed() {
    let driver = Driver::get().expect("there is a driver");
    made!(driver.cuInit(0));
    let table = recorder(driver);
    let mut value = [0_u64; 4];
    let place: *mut c_void = value.as_mut_ptr().cast();
    let tokens = CUpointer_attribute::CU_POINTER_ATTRIBUTE_P2P_TOKENS;
    drop(taken());
    // SAFETY: the place has room for any attribute; the address is looked up, not followed.
    let _ = unsafe {
        table.cuPointerGetAttribute(
            place,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
            0x1000,
        )
    };
    let (mut list, mut places) = ([tokens], [place]);
    // SAFETY: the place has room for both tokens, and of the null pointer there are none.
    let _ = unsafe { table.cuPointerGetAttributes(1, list.as_mut_ptr(), places.as_mut_ptr(), 0) };
    // SAFETY: it has no precondition.
    let _ = unsafe { table.cuCtxSynchronize() };
    let asked = taken();
    let words: Vec<_> = asked.iter().map(|one| forbidden(one, &[], &[])).collect();
    assert_eq!(
        words,
        [
            Some("a singular query"),
            Some("P2P_TOKENS"),
            Some("a function that has no place in a question")
        ]
    );
}

#[test]
fn nothing_forbidden_is_asked_about_any_class_of_memory() {
    on_cuda(here!(), every_class);
}

#[test]
fn a_right_copy_costs_one_query_per_operand() {
    on_cuda(here!(), one_query_per_operand);
}

#[test]
fn memory_that_was_freed_in_order_is_not_asked_about() {
    on_cuda(here!(), freed_in_order);
}

#[test]
fn the_recorder_sees_what_is_forbidden() {
    on_cuda(here!(), what_is_forbidden_is_noticed);
}
