//! Tables that are bound by hand: what is there is called, what is not there is a value.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use core::ffi::{CStr, c_char, c_uint, c_void};
use core::ptr;

use cuda_sys::driver::{self, CUdeviceptr, CUresult, Driver, cudaError_enum};
use cuda_sys::runtime::{self, Runtime, cudaChannelFormatKind, cudaError_t, cudaMemcpyKind};
use cuda_sys::runtime::{v11, v12, v13};

/// What the fake functions answer.
const PLAIN: c_uint = 1001;
const PER_THREAD: c_uint = 1002;

// They ignore the arguments that they are called with, which the C calling convention allows.
extern "C" fn plain() -> c_uint {
    PLAIN
}

extern "C" fn per_thread() -> c_uint {
    PER_THREAD
}

fn is_per_thread(name: &CStr) -> bool {
    let name = name.to_bytes();
    name.ends_with(b"_ptsz") || name.ends_with(b"_ptds")
}

/// A function for every name: one answer for plain names, another for per-thread ones.
fn every(name: &CStr) -> *const c_void {
    let function: extern "C" fn() -> c_uint = if is_per_thread(name) {
        per_thread
    } else {
        plain
    };
    function as *const c_void
}

fn none(_name: &CStr) -> *const c_void {
    ptr::null()
}

fn driver_table(resolve: fn(&CStr) -> *const c_void) -> driver::Table {
    // SAFETY: the functions read no argument and return what a status is made of.
    unsafe { driver::Table::bind(&mut |name| resolve(name)) }
}

fn runtime_table(resolve: fn(&CStr) -> *const c_void) -> runtime::Table {
    // SAFETY: the functions read no argument and return what a status is made of; those that
    // return something else are not called.
    unsafe { runtime::Table::bind(&mut |name| resolve(name)) }
}

#[test]
fn each_name_is_asked_for_once_in_the_order_of_the_table() {
    let mut asked = Vec::new();
    let mut resolve = |name: &CStr| {
        asked.push(name.to_str().unwrap().to_owned());
        ptr::null()
    };
    // SAFETY: null is no function.
    let table = unsafe { driver::Table::bind(&mut resolve) };
    let names: Vec<&str> = driver::Table::SYMBOLS
        .iter()
        .map(|symbol| symbol.name)
        .collect();
    assert_eq!(asked, names);
    assert_eq!(table.absent().count(), names.len());
}

#[test]
fn no_name_stands_twice() {
    let tables = [
        vec![driver::Table::SYMBOLS],
        vec![runtime::Table::SYMBOLS, v11::Table::SYMBOLS],
        vec![runtime::Table::SYMBOLS, v12::Table::SYMBOLS],
        vec![runtime::Table::SYMBOLS, v13::Table::SYMBOLS],
    ];
    for table in tables {
        let mut names: Vec<&str> = table.concat().iter().map(|symbol| symbol.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

#[test]
fn what_is_absent_answers_302() {
    let table = driver_table(none);
    let wanted = CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
    assert_eq!(wanted.0, 302);
    // SAFETY: nothing is called: the table is empty.
    assert_eq!(unsafe { table.cuInit(0) }, wanted);
    // SAFETY: as above.
    assert_eq!(unsafe { table.cuMemcpy(0, 0, 0) }, wanted);
    // SAFETY: as above.
    assert_eq!(unsafe { table.per_thread().cuMemcpy(0, 0, 0) }, wanted);
    let table = runtime_table(none);
    let wanted = cudaError_t::cudaErrorSharedObjectSymbolNotFound;
    assert_eq!(wanted.0, 302);
    // SAFETY: as above.
    assert_eq!(unsafe { table.cudaDeviceSynchronize() }, wanted);
}

#[test]
fn what_is_absent_and_returns_no_status_answers_null_or_zero() {
    let table = runtime_table(none);
    // SAFETY: nothing is called: the table is empty.
    let name: *const c_char = unsafe { table.cudaGetErrorName(cudaError_t::cudaSuccess) };
    assert!(name.is_null());
    // SAFETY: as above.
    let text = unsafe { table.cudaGetErrorString(cudaError_t::cudaSuccess) };
    assert!(text.is_null());
    let kind = cudaChannelFormatKind::cudaChannelFormatKindFloat;
    // SAFETY: as above.
    let format = unsafe { table.cudaCreateChannelDesc(32, 32, 32, 32, kind) };
    assert_eq!(
        (format.x, format.y, format.z, format.w, format.f.0),
        (0, 0, 0, 0, 0)
    );
}

#[test]
fn an_absent_function_is_a_status_and_a_reason_and_not_a_panic() {
    let table = driver_table(|name| match name.to_bytes() {
        b"cuMemFree_v2" => ptr::null(),
        _ => every(name),
    });
    // SAFETY: nothing is called: the table has no such entry.
    let status = unsafe { table.cuMemFree_v2(0) };
    assert_eq!(status, CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND);
    let absent: Vec<&str> = table.absent().map(|symbol| symbol.name).collect();
    assert_eq!(absent, ["cuMemFree_v2"]);
    assert!(!table.has("cuMemFree_v2"));
    assert!(table.has("cuMemFree"));
    let text = table.find("cuMemFree_v2").unwrap_err().to_string();
    assert_eq!(text, "cuMemFree_v2 needs a driver for CUDA 3.2");
    assert!(table.find("cuMemFree_v3").unwrap_err().symbol.is_none());
    assert_eq!(table.find("cuInit").unwrap().name, "cuInit");
}

#[test]
fn every_function_is_found_by_its_name_and_by_no_part_of_it() {
    let table = driver_table(every);
    for symbol in driver::Table::SYMBOLS {
        assert_eq!(table.find(symbol.name).as_ref(), Ok(symbol));
        assert!(!table.has(&symbol.name[1..]));
    }
    let table = runtime_table(every);
    for symbol in runtime::Table::SYMBOLS {
        assert_eq!(table.find(symbol.name).as_ref(), Ok(symbol));
        assert!(!table.has(&symbol.name[1..]));
    }
}

#[test]
fn plain_names_call_plain_exports() {
    let table = driver_table(every);
    let source = ptr::null();
    let stream = ptr::null_mut();
    let answers = [
        // SAFETY: the fake functions read no argument.
        unsafe { table.cuMemcpy(0, 0, 0) },
        // SAFETY: as above.
        unsafe { table.cuMemcpyHtoD_v2(0, source, 0) },
        // SAFETY: as above.
        unsafe { table.cuMemcpyDtoDAsync_v2(0, 0, 0, stream) },
        // SAFETY: as above.
        unsafe { table.cuStreamSynchronize(stream) },
    ];
    assert_eq!(answers.map(|answer| answer.0), [PLAIN; 4]);
    // SAFETY: as above.
    assert_eq!(unsafe { table.cuMemcpy_ptds(0, 0, 0) }.0, PER_THREAD);
}

#[test]
fn the_per_thread_view_calls_the_other_exports_under_the_same_names() {
    let table = driver_table(every);
    let view = table.per_thread();
    let source = ptr::null();
    let stream = ptr::null_mut();
    let answers = [
        // SAFETY: the fake functions read no argument.
        unsafe { view.cuMemcpy(0, 0, 0) },
        // SAFETY: as above.
        unsafe { view.cuMemcpyHtoD_v2(0, source, 0) },
        // SAFETY: as above.
        unsafe { view.cuMemcpyDtoDAsync_v2(0, 0, 0, stream) },
        // SAFETY: as above.
        unsafe { view.cuMemsetD8Async(0, 0, 0, stream) },
        // SAFETY: as above.
        unsafe { view.cuStreamSynchronize(stream) },
    ];
    assert_eq!(answers.map(|answer| answer.0), [PER_THREAD; 5]);
    // What has no per-thread form is the table's own.
    let mut pointer: CUdeviceptr = 0;
    // SAFETY: as above.
    assert_eq!(unsafe { view.cuMemAlloc_v2(&raw mut pointer, 4) }.0, PLAIN);
    assert!(view.has("cuMemcpy_ptds"));

    let table = runtime_table(every);
    let kind = cudaMemcpyKind::cudaMemcpyDefault;
    let (to, stream) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: as above.
    let copy = unsafe { table.cudaMemcpy(to, source, 0, kind) };
    assert_eq!(copy.0, PLAIN);
    // SAFETY: as above.
    let copy = unsafe { table.per_thread().cudaMemcpy(to, source, 0, kind) };
    assert_eq!(copy.0, PER_THREAD);
    // SAFETY: as above.
    let copy = unsafe {
        table
            .per_thread()
            .cudaMemcpyAsync(to, source, 0, kind, stream)
    };
    assert_eq!(copy.0, PER_THREAD);

    // SAFETY: as above.
    let table = unsafe { v13::Table::bind(&mut |name| every(name)) };
    let location = Default::default();
    // SAFETY: as above.
    let plain = unsafe { table.cudaMemPrefetchAsync(source, 0, location, 0, stream) };
    // SAFETY: as above.
    let other = unsafe {
        table
            .per_thread()
            .cudaMemPrefetchAsync(source, 0, location, 0, stream)
    };
    assert_eq!((plain.0, other.0), (PLAIN, PER_THREAD));
}

#[test]
fn arguments_arrive_as_they_were_given() {
    extern "C" fn add(to: CUdeviceptr, from: *const c_void, count: usize) -> c_uint {
        c_uint::try_from(to + from.addr() as u64 + count as u64).unwrap()
    }
    let function: extern "C" fn(CUdeviceptr, *const c_void, usize) -> c_uint = add;
    let mut resolve = |name: &CStr| match name.to_bytes() {
        b"cuMemcpyHtoD_v2" => function as *const c_void,
        _ => ptr::null(),
    };
    // SAFETY: the one function has the signature of that name, its status a number.
    let table = unsafe { driver::Table::bind(&mut resolve) };
    let from = ptr::without_provenance(0x20);
    // SAFETY: the fake function follows no pointer.
    let answer = unsafe { table.cuMemcpyHtoD_v2(0x300, from, 4) };
    assert_eq!(answer.0, 0x324);
    assert_eq!(table.absent().count(), driver::Table::SYMBOLS.len() - 1);
}

/// A per-thread export is the variant of a plain one: the view has a plain name for each.
#[test]
fn every_per_thread_export_has_its_plain_name() {
    for symbols in [
        driver::Table::SYMBOLS,
        runtime::Table::SYMBOLS,
        v11::Table::SYMBOLS,
        v12::Table::SYMBOLS,
        v13::Table::SYMBOLS,
    ] {
        let names: Vec<&str> = symbols.iter().map(|symbol| symbol.name).collect();
        for name in &names {
            let plain = name
                .strip_suffix("_ptsz")
                .or_else(|| name.strip_suffix("_ptds"));
            assert!(plain.is_none_or(|plain| names.contains(&plain)), "{name}");
        }
    }
}

#[test]
fn tables_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<driver::Table>();
    shared::<driver::PerThread>();
    shared::<runtime::Table>();
    shared::<v11::Table>();
    shared::<v12::Table>();
    shared::<v13::Table>();
    shared::<Driver>();
    shared::<Runtime>();
}

#[test]
fn a_table_tells_how_much_of_it_is_bound() {
    let all = driver::Table::SYMBOLS.len();
    let text = format!("{:?}", driver_table(every));
    assert_eq!(text, format!("Table {{ bound: {all}, of: {all} }}"));
    let text = format!("{:?}", driver_table(none).per_thread());
    assert_eq!(text, format!("PerThread(Table {{ bound: 0, of: {all} }})"));
}

/// A newer library may answer with a number that these bindings have never heard of.
#[test]
fn a_number_that_nobody_knows_stays_a_number() {
    let status: CUresult = cudaError_enum(c_uint::MAX);
    assert_ne!(status, CUresult::CUDA_SUCCESS);
    assert_eq!(status.0, c_uint::MAX);
    let kind = cudaMemcpyKind(99);
    assert_eq!(kind.0, 99);
}
