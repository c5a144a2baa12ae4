//! Every line of the measured table of copies, through `cudaMemcpy` of each front.
//!
//! The fronts' answers are computed; the table is only compared with them. A child makes the operands and copies line
//! by line; where a copy kills it, the next child goes on behind that line.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed, and says what it left out"
)]

mod support;

use core::ffi::c_void;
use core::ptr;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::atomic::AtomicI32;

use cuda_sys::driver::{
    CUmemAccess_flags_enum, CUmemAccessDesc, CUmemAllocationProp, CUmemAllocationType_enum,
    CUmemLocationType_enum, Driver,
};
use cuda_sys::runtime::{Major, Runtime, cudaMemcpyKind};
use support::{End, c, in_child};

const TABLE: &str =
    include_str!("../../../../tests/data/ground-truth/cudaMemcpy-h200-driver580-cuda13.0.tsv");
const PAGE: usize = 4096;

/// The variable that a compiler would keep on the host for one on the device.
static SHADOW: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

struct Row {
    kind: cudaMemcpyKind,
    dst: &'static str,
    src: &'static str,
    count: usize,
    line: &'static str,
    result: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let kind = match cells[0] {
            "H2H" => cudaMemcpyKind::cudaMemcpyHostToHost,
            "H2D" => cudaMemcpyKind::cudaMemcpyHostToDevice,
            "D2H" => cudaMemcpyKind::cudaMemcpyDeviceToHost,
            "D2D" => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
            "Default" => cudaMemcpyKind::cudaMemcpyDefault,
            other => cudaMemcpyKind(other.parse().unwrap_or(9)),
        };
        Row {
            kind,
            dst: cells[1],
            src: cells[2],
            count: cells[3].parse().unwrap(),
            line,
            result: cells[4],
        }
    };
    TABLE.lines().skip(1).map(row).collect()
}

type Operands = BTreeMap<&'static str, *mut c_void>;

/// The operands as they were made on hardware: through the runtime, but for virtual memory.
fn operands(major: Major) -> (&'static Runtime, Operands) {
    let (runtime, driver) = support::open(major);
    let mut all = Operands::from([
        ("null", ptr::null_mut()),
        ("unmapped_low_0x1000", ptr::without_provenance_mut(0x1000)),
        (
            "noncanonical",
            ptr::without_provenance_mut(0xdead_0000_0000_0000),
        ),
        (
            "pageable_heap",
            Vec::<u8>::leak(vec![0; PAGE]).as_mut_ptr().cast(),
        ),
        ("pageable_guarded_1page", guarded()),
        ("pageable_readonly", pages(1, libc::PROT_READ)),
        (
            "host_shadow_of_symbol",
            (&raw const SHADOW).cast_mut().cast(),
        ),
    ]);
    let mut place = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMallocHost(&raw mut place, PAGE)), 0);
    all.insert("pinned", place);
    assert_eq!(c!(runtime.cudaHostAlloc(&raw mut place, PAGE, 3)), 0);
    all.insert("pinned_mapped", place);
    let registered = pages(3, libc::PROT_READ | libc::PROT_WRITE).wrapping_byte_add(PAGE);
    assert_eq!(c!(runtime.cudaHostRegister(registered, PAGE, 0)), 0);
    all.insert("registered", registered);
    assert_eq!(c!(runtime.cudaMallocManaged(&raw mut place, PAGE, 1)), 0);
    all.insert("managed", place);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 40)), 0);
    all.insert("device_40B", place);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 4 << 20)), 0);
    all.insert("device_4MiB", place);
    all.insert(
        "device_4MiB_interior_last4B",
        place.wrapping_byte_add((4 << 20) - 4),
    );
    announce(major);
    assert_eq!(
        c!(runtime.cudaGetSymbolAddress(&raw mut place, (&raw const SHADOW).cast())),
        0
    );
    all.insert("device_symbol", place);
    pool(runtime, &mut all);
    let base = mapped(driver, 4 << 20, true);
    all.insert("vmm_mapped", base);
    all.insert("vmm_mapped_last4B", base.wrapping_byte_add((2 << 20) - 4));
    all.insert("vmm_reserved_unmapped", base.wrapping_byte_add(2 << 20));
    all.insert("vmm_mapped_noaccess", mapped(driver, 2 << 20, false));
    // Nothing is allocated after these, so nobody gets the addresses again.
    let mut huge = ptr::null_mut();
    assert_eq!(c!(runtime.cudaMalloc(&raw mut place, 1 << 20)), 0);
    assert_eq!(c!(runtime.cudaMalloc(&raw mut huge, 256 << 20)), 0);
    assert_eq!(c!(runtime.cudaFree(place)), 0);
    assert_eq!(c!(runtime.cudaFree(huge)), 0);
    all.insert("device_freed_1MiB", place);
    all.insert("device_freed_256MiB", huge);
    (runtime, all)
}

fn pages(count: usize, protection: i32) -> *mut c_void {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: fresh pages at the kernel's choice.
    let start = unsafe { libc::mmap(ptr::null_mut(), count * PAGE, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    start
}

fn guarded() -> *mut c_void {
    let start = pages(2, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: the second of the two pages that were just mapped.
    let status = unsafe { libc::mprotect(start.wrapping_byte_add(PAGE), PAGE, libc::PROT_NONE) };
    assert_eq!(status, 0);
    start
}

/// Announces the variable as a compiled program does before `main`.
fn announce(major: Major) {
    type Begin = unsafe extern "C" fn(*mut c_void) -> *mut *mut c_void;
    type Variable = unsafe extern "C" fn(
        *mut *mut c_void,
        *mut c_void,
        *mut c_void,
        *const i8,
        i32,
        usize,
        i32,
        i32,
    );
    let name = std::ffi::CString::new(support::library(major.soname()).to_str().unwrap()).unwrap();
    // SAFETY: the library is open already; this is another reference to it.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
    // SAFETY: an open library and a C string.
    let begin = unsafe { libc::dlsym(library, c"__cudaRegisterFatBinary".as_ptr()) };
    // SAFETY: as above.
    let variable = unsafe { libc::dlsym(library, c"__cudaRegisterVar".as_ptr()) };
    assert!(!begin.is_null() && !variable.is_null());
    // SAFETY: the function of this name has this type.
    let begin = unsafe { core::mem::transmute::<*mut c_void, Begin>(begin) };
    // SAFETY: as above.
    let variable = unsafe { core::mem::transmute::<*mut c_void, Variable>(variable) };
    // SAFETY: the simulator does not look into the image.
    let image = unsafe { begin(ptr::null_mut()) };
    let host = (&raw const SHADOW).cast_mut().cast();
    let name = c"symbol".as_ptr();
    // SAFETY: the address is only noted, and the name is a C string.
    unsafe {
        variable(
            image,
            host,
            ptr::null_mut(),
            name,
            0,
            size_of_val(&SHADOW),
            0,
            0,
        )
    };
}

fn pool(runtime: &Runtime, all: &mut Operands) {
    let mut stream = ptr::null_mut();
    assert_eq!(c!(runtime.cudaStreamCreate(&raw mut stream)), 0);
    let (mut live, mut freed) = (ptr::null_mut(), ptr::null_mut());
    assert_eq!(c!(runtime.cudaMallocAsync(&raw mut live, PAGE, stream)), 0);
    assert_eq!(c!(runtime.cudaMallocAsync(&raw mut freed, PAGE, stream)), 0);
    assert_eq!(c!(runtime.cudaFreeAsync(freed, stream)), 0);
    assert_eq!(c!(runtime.cudaStreamSynchronize(stream)), 0);
    all.insert("device_async_pool", live);
    all.insert("device_async_freed", freed);
}

/// Reserves `size` bytes and maps 2 MiB at their start.
fn mapped(driver: &Driver, size: usize, access: bool) -> *mut c_void {
    const CHUNK: usize = 2 << 20;
    let mut wanted = CUmemAllocationProp {
        type_: CUmemAllocationType_enum::CU_MEM_ALLOCATION_TYPE_PINNED,
        ..CUmemAllocationProp::default()
    };
    wanted.location.type_ = CUmemLocationType_enum::CU_MEM_LOCATION_TYPE_DEVICE;
    let (mut base, mut memory) = (0, 0);
    assert_eq!(
        c!(driver.cuMemAddressReserve(&raw mut base, size, 0, 0, 0)),
        0
    );
    assert_eq!(
        c!(driver.cuMemCreate(&raw mut memory, CHUNK, &raw const wanted, 0)),
        0
    );
    assert_eq!(c!(driver.cuMemMap(base, CHUNK, 0, memory, 0)), 0);
    if access {
        let flags = CUmemAccess_flags_enum::CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        let access = CUmemAccessDesc {
            location: wanted.location,
            flags,
        };
        assert_eq!(
            c!(driver.cuMemSetAccess(base, CHUNK, &raw const access, 1)),
            0
        );
    }
    ptr::with_exposed_provenance_mut(usize::try_from(base).unwrap())
}

/// Copies from line `first` on and writes each answer, until the end or a crash.
fn answer_from(first: usize, rows: &[Row], major: Major, mut pipe: std::io::PipeWriter) -> i32 {
    let (runtime, operands) = operands(major);
    for row in &rows[first..] {
        let status =
            c!(runtime.cudaMemcpy(operands[row.dst], operands[row.src], row.count, row.kind));
        if writeln!(pipe, "{status}").is_err() {
            return 1;
        }
    }
    0
}

fn answers(rows: &[Row], major: Major) -> Vec<String> {
    let mut answers: Vec<String> = Vec::new();
    while answers.len() < rows.len() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let first = answers.len();
        // Fewer bytes than a pipe holds, so the child need not be read from while it runs.
        let end = in_child(|| answer_from(first, rows, major, writer));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        answers.extend(text.lines().map(str::to_owned));
        match end {
            End::Signal(libc::SIGSEGV) => answers.push("SIGSEGV".to_owned()),
            End::Exit(0) => {}
            other => panic!(
                "the child ended with {other:?} at line {}",
                answers.len() + 2
            ),
        }
    }
    answers
}

fn every_copy_ends_as_measured(major: Major) {
    let rows = rows();
    let answers = answers(&rows, major);
    let wrong: Vec<String> = rows
        .iter()
        .zip(&answers)
        .filter(|(row, answer)| row.result != answer.as_str())
        .map(|(row, answer)| format!("{}: {answer}", row.line))
        .collect();
    println!(
        "CUDA {major}: {} of {} copies agree",
        rows.len() - wrong.len(),
        rows.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_copy_through_cuda_11_ends_as_measured() {
    every_copy_ends_as_measured(Major::V11);
}

#[test]
fn every_copy_through_cuda_12_ends_as_measured() {
    every_copy_ends_as_measured(Major::V12);
}

#[test]
fn every_copy_through_cuda_13_ends_as_measured() {
    every_copy_ends_as_measured(Major::V13);
}
