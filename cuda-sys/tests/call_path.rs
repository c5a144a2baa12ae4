//! What a call costs beside the function itself: no allocation, and no look-up once it was made.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use core::cell::Cell;
use core::ffi::{CStr, c_uint, c_void};
use std::alloc::{GlobalAlloc, Layout, System};

use cuda_sys::driver::Table;

/// Counts what the thread allocates.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
    static LOOKED_UP: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

extern "C" fn answers(_flags: c_uint) -> c_uint {
    0
}

fn resolve(name: &CStr) -> *const c_void {
    LOOKED_UP.set(LOOKED_UP.get() + 1);
    let function: extern "C" fn(c_uint) -> c_uint = answers;
    match name.to_bytes() {
        b"cuInit" => function as *const c_void,
        _ => core::ptr::null(),
    }
}

#[test]
fn a_bound_function_is_called_without_allocation_and_look_up() {
    // SAFETY: the one function that is there has the signature of its name.
    let table = unsafe { Table::bind(&mut |name| resolve(name)) };
    let before = (ALLOCATED.get(), LOOKED_UP.get());
    assert!(
        before.1 > 600,
        "each name was looked up when the table was bound"
    );
    for _ in 0..1000 {
        // SAFETY: this function takes any number.
        assert_eq!(unsafe { table.cuInit(0) }.0, 0);
        // SAFETY: the function is absent, so that nothing is called.
        assert_eq!(unsafe { table.cuCtxSynchronize() }.0, 302);
    }
    assert_eq!((ALLOCATED.get(), LOOKED_UP.get()), before);
}
