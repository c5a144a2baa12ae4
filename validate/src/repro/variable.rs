//! `__device__` variables, announced to the runtime as a compiled program announces its own.

use super::stage::{Skip, Stage};
use crate::facts::Owner;
use crate::{Class, Span};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;
use cuda_sys::runtime::Runtime;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Mutex, PoisonError};

/// Bytes of the variables.
const ROOM: [usize; 3] = [256, 4, 64];

/// What the program's own code would use as the variables: these addresses are their names.
static SHADOWS: ([u8; 256], [u8; 4], [u8; 64]) = ([0; 256], [0; 4], [0; 64]);

const NAMES: [&CStr; 3] = [c"cuwhy_table", c"cuwhy_word", c"cuwhy_fixed"];
/// The last one is a `__constant__`.
const IS_CONSTANT: [c_int; 3] = [0, 0, 1];

/// The whole program. A driver makes code of it for whatever device there is.
const PROGRAM: &[u8] = b".version 7.0\n.target sm_52\n.address_size 64\n.visible .global .align 4 .b8 cuwhy_table[256];\n.visible .global .align 4 .b8 cuwhy_word[4];\n.visible .const .align 4 .b8 cuwhy_fixed[64];\n\0";

/// What a compiler puts into `.nv_fatbin`: a header, and one entry with the program as text.
///
/// NVIDIA does not document the form; it is that of what `nvcc` and `fatbinary` write, and was tried
/// with libcudart 11.8, 12.9 and 13.0.
#[repr(C, align(8))]
struct Image {
    magic: u32,
    version: u16,
    header: u16,
    /// Bytes of everything behind this header.
    bytes: u64,
    kind: u16,
    entry_version: u16,
    entry_header: u32,
    /// Bytes of the entry's contents, padded.
    contents: u64,
    compressed: u32,
    /// Where the options of the assembler begin.
    options: u32,
    minor: u16,
    major: u16,
    architecture: u32,
    name_offset: u32,
    name_length: u32,
    flags: u64,
    zero: u64,
    uncompressed: u64,
    /// Where the text of the options begins, and that text: there are none.
    options_text: u64,
    no_options: u64,
    text: [u8; TEXT],
}

const TEXT: usize = PROGRAM.len().next_multiple_of(8);
const HEADER: u16 = 16;
const ENTRY: u32 = 80;

const fn text() -> [u8; TEXT] {
    let mut text = [0; TEXT];
    let mut at = 0;
    while at < PROGRAM.len() {
        text[at] = PROGRAM[at];
        at += 1;
    }
    text
}

static IMAGE: Image = Image {
    magic: 0xba55_ed50,
    version: 1,
    header: HEADER,
    bytes: ENTRY as u64 + TEXT as u64,
    kind: 1,
    entry_version: 0x0101,
    entry_header: ENTRY,
    contents: TEXT as u64,
    compressed: 0,
    options: 0x40,
    minor: 0,
    major: 7,
    architecture: 52,
    name_offset: 0,
    name_length: 0,
    // 64-bit addresses, made on Linux.
    flags: 0x11,
    zero: 0,
    uncompressed: 0,
    options_text: 0x48,
    no_options: 0,
    text: text(),
};

/// What a compiler puts into `.nvFatBinSegment`.
#[repr(C)]
struct Wrapper {
    magic: c_int,
    version: c_int,
    image: *const c_void,
    more: *const c_void,
}

type Begin = unsafe extern "C" fn(*const c_void) -> *mut *mut c_void;
type End = unsafe extern "C" fn(*mut *mut c_void);
type Announce = unsafe extern "C" fn(
    *mut *mut c_void,
    *const c_void,
    *const c_char,
    *const c_char,
    c_int,
    usize,
    c_int,
    c_int,
);

/// A variable that was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// By what the runtime knows it: an address of this program.
    pub name: u64,
    /// Where it is on the device.
    pub start: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Announces three variables once in a process, of 256, of 4 and, constant, of 64 bytes, and says where
/// they are in the current context.
///
/// # Errors
///
/// [`Skip`] for a runtime that cannot be told, or that does not find them.
pub fn variables(runtime: &Runtime) -> Result<[Variable; 3], Skip> {
    static ANNOUNCED: Mutex<bool> = Mutex::new(false);
    let mut announced = ANNOUNCED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*announced {
        announce(runtime)?;
        *announced = true;
    }
    drop(announced);
    let mut found = [Variable {
        name: 0,
        start: 0,
        bytes: 0,
    }; 3];
    for ((one, shadow), bytes) in found.iter_mut().zip(shadows()).zip(ROOM) {
        let mut start = ptr::null_mut();
        // SAFETY: `start` is a live pointer, and the address was announced.
        let status = unsafe { runtime.cudaGetSymbolAddress(&raw mut start, shadow) };
        if status.0 != 0 {
            return Err(Skip::Failed {
                call: "cudaGetSymbolAddress",
                status: status.0,
            });
        }
        *one = Variable {
            name: shadow.expose_provenance() as u64,
            start: start.expose_provenance() as u64,
            bytes: bytes as u64,
        };
    }
    Ok(found)
}

impl Stage {
    /// A variable of 256 bytes.
    pub(super) fn variable(&self) -> Result<Variable, Skip> {
        let [one, ..] = variables(self.runtime()?)?;
        let mut owner = Owner::of(Class::Symbol);
        owner.range = Some(Span::sized(one.start, one.bytes));
        owner.device = Some(0);
        self.registry().allocated(owner);
        Ok(one)
    }
}

/// The addresses by which the runtime knows the variables.
fn shadows() -> [*const c_void; 3] {
    let (table, word, fixed) = &SHADOWS;
    [
        (&raw const *table).cast(),
        (&raw const *word).cast(),
        (&raw const *fixed).cast(),
    ]
}

fn announce(runtime: &Runtime) -> Result<(), Skip> {
    let begin = function(runtime, c"__cudaRegisterFatBinary")?;
    let end = function(runtime, c"__cudaRegisterFatBinaryEnd")?;
    let variable = function(runtime, c"__cudaRegisterVar")?;
    // SAFETY: the function of this name has this type in every runtime since 10.1.
    let begin = unsafe { core::mem::transmute::<*mut c_void, Begin>(begin) };
    // SAFETY: as above.
    let end = unsafe { core::mem::transmute::<*mut c_void, End>(end) };
    // SAFETY: as above.
    let variable = unsafe { core::mem::transmute::<*mut c_void, Announce>(variable) };
    // The runtime keeps its address, and may look at it when a device is first used.
    let wrapper: &'static Wrapper = Box::leak(Box::new(Wrapper {
        magic: 0x4662_43b1,
        version: 1,
        image: (&raw const IMAGE).cast(),
        more: ptr::null(),
    }));
    // SAFETY: the image and its wrapper live as long as the process.
    let handle = unsafe { begin((&raw const *wrapper).cast()) };
    for (index, shadow) in shadows().into_iter().enumerate() {
        let (name, bytes, constant) = (NAMES[index].as_ptr(), ROOM[index], IS_CONSTANT[index]);
        // SAFETY: the handle is of a moment ago, the name a C string, and the address only a number.
        unsafe { variable(handle, shadow, name, name, 0, bytes, constant, 0) };
    }
    // SAFETY: the handle is of a moment ago, and everything in the image was announced.
    unsafe { end(handle) };
    Ok(())
}

/// A function that no header declares, of the library that is loaded already.
fn function(runtime: &Runtime, name: &CStr) -> Result<*mut c_void, Skip> {
    let missing = Skip::Needs("a runtime in which a program can announce its variables");
    let file = CString::new(runtime.file().path().as_os_str().as_bytes());
    let Ok(file) = file else {
        return Err(missing);
    };
    // SAFETY: a C string; nothing is loaded that is not there.
    let library = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if library.is_null() {
        return Err(missing);
    }
    // SAFETY: an open library, which is never closed, and a C string.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    if found.is_null() {
        return Err(missing);
    }
    Ok(found)
}
