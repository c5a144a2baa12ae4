//! Memory and events that one process lends to another: every answer measured on an H100 with driver 580.159.04, and
//! asked again wherever CUDA is.

use core::ffi::{c_char, c_void};
use core::ptr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use cuda_sys::driver::*;
use cuwhy_tests::{Child, here, on_cuda};

const HANDLES: &str = "CUWHY_TEST_HANDLES";
const TEST: &str = "another_process_has_what_it_is_lent";
/// What the borrower says when the lender is to go on.
const YOUR_TURN: &str = "your turn";
const SIZE: usize = 100;
/// The flag of lazy peer access, which must be given.
const LAZY: u32 = 1;

/// Calls a function of the driver and answers its status as a number.
macro_rules! cu {
    ($driver:ident.$name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: places are live; addresses and handles that are wrong are so on purpose.
        unsafe { $driver.$name($($argument),*) }.0
    };
}

fn ready() -> &'static Driver {
    let driver = Driver::get().expect("there is a driver");
    let mut context = ptr::null_mut();
    assert_eq!(cu!(driver.cuInit(0)), 0);
    assert_eq!(cu!(driver.cuDevicePrimaryCtxRetain(&raw mut context, 0)), 0);
    assert_eq!(cu!(driver.cuCtxSetCurrent(context)), 0);
    driver
}

fn bytes(driver: &Driver, address: CUdeviceptr, count: usize) -> (u32, [u8; SIZE + 1]) {
    let mut here = [0; SIZE + 1];
    let status = cu!(driver.cuMemcpyDtoH_v2(here.as_mut_ptr().cast(), address, count));
    (status, here)
}

/// One attribute, which is no longer than eight bytes.
fn attribute(driver: &Driver, address: CUdeviceptr, which: CUpointer_attribute) -> u64 {
    let (mut value, mut which) = (0_u64, which);
    let mut place: *mut c_void = (&raw mut value).cast();
    let status = cu!(driver.cuPointerGetAttributes(1, &raw mut which, &raw mut place, address));
    assert_eq!(status, 0);
    value
}

/// What is lent: the first half of an allocation's block, its neighbour, and an event.
struct Lent {
    memory: CUipcMemHandle,
    neighbour: CUipcMemHandle,
    event: CUipcEventHandle,
}

impl Lent {
    fn text(&self) -> String {
        let all = [
            &self.memory.reserved,
            &self.neighbour.reserved,
            &self.event.reserved,
        ];
        let bytes = all.into_iter().flatten();
        bytes
            .map(|byte| format!("{:02x}", byte.cast_unsigned()))
            .collect()
    }

    fn of(text: &str) -> Self {
        let byte = |at: usize| -> c_char {
            let digits = &text[2 * at..2 * at + 2];
            u8::from_str_radix(digits, 16).expect("hex").cast_signed()
        };
        let handle = |from: usize| core::array::from_fn(|index| byte(from + index));
        Self {
            memory: CUipcMemHandle {
                reserved: handle(0),
            },
            neighbour: CUipcMemHandle {
                reserved: handle(64),
            },
            event: CUipcEventHandle {
                reserved: handle(128),
            },
        }
    }
}

/// Who may give what away.
fn only_plain_memory_is_given(driver: &Driver) {
    let mut handle = CUipcMemHandle::default();
    let mut give = |address| cu!(driver.cuIpcGetMemHandle(&raw mut handle, address));
    let (mut managed, mut ordered, mut pinned) = (0, 0, ptr::null_mut());
    assert_eq!(cu!(driver.cuMemAllocManaged(&raw mut managed, 64, 1)), 0);
    assert_eq!(
        cu!(driver.cuMemAllocAsync(&raw mut ordered, 64, ptr::null_mut())),
        0
    );
    assert_eq!(cu!(driver.cuMemAllocHost_v2(&raw mut pinned, 64)), 0);
    let pinned = pinned.expose_provenance() as u64;
    assert_eq!([0, managed, ordered, pinned].map(&mut give), [1; 4]);

    let mut handle = CUipcEventHandle::default();
    let mut event = ptr::null_mut();
    assert_eq!(
        cu!(driver.cuEventCreate(&raw mut event, 4)),
        1,
        "it would keep time"
    );
    assert_eq!(cu!(driver.cuEventCreate(&raw mut event, 0)), 0);
    assert_eq!(cu!(driver.cuIpcGetEventHandle(&raw mut handle, event)), 400);
    assert_eq!(
        cu!(driver.cuIpcGetEventHandle(&raw mut handle, ptr::null_mut())),
        1
    );
}

fn lend() {
    let driver = ready();
    only_plain_memory_is_given(driver);
    let (mut memory, mut neighbour, mut event) = (0, 0, ptr::null_mut());
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut memory, SIZE)), 0);
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut neighbour, SIZE)), 0);
    assert_eq!(cu!(driver.cuMemsetD8_v2(memory, 42, SIZE)), 0);
    assert_eq!(cu!(driver.cuMemsetD8_v2(neighbour, 7, SIZE)), 0);
    assert_eq!(cu!(driver.cuEventCreate(&raw mut event, 6)), 0);
    assert_eq!(cu!(driver.cuEventRecord(event, ptr::null_mut())), 0);
    assert_eq!(cu!(driver.cuCtxSynchronize()), 0);
    let mut lent = Lent {
        memory: CUipcMemHandle::default(),
        neighbour: CUipcMemHandle::default(),
        event: CUipcEventHandle::default(),
    };
    let mut inner = CUipcMemHandle::default();
    let place = &raw mut inner;
    assert_eq!(
        cu!(driver.cuIpcGetMemHandle(&raw mut lent.memory, memory)),
        0
    );
    assert_eq!(cu!(driver.cuIpcGetMemHandle(place, memory + 50)), 0);
    assert_eq!(inner.reserved, lent.memory.reserved, "it is of the whole");
    assert_eq!(
        cu!(driver.cuIpcGetMemHandle(&raw mut lent.neighbour, neighbour)),
        0
    );
    assert_eq!(
        cu!(driver.cuIpcGetEventHandle(&raw mut lent.event, event)),
        0
    );
    let (mut own, mut own_event) = (0, ptr::null_mut());
    assert_eq!(
        cu!(driver.cuIpcOpenMemHandle_v2(&raw mut own, lent.memory, LAZY)),
        201
    );
    assert_eq!(
        cu!(driver.cuIpcOpenEventHandle(&raw mut own_event, lent.event)),
        201
    );

    let mut borrower = Command::new(std::env::current_exe().expect("this program's file"))
        .args([TEST, "--exact", "--nocapture", "--test-threads=1"])
        .env(HANDLES, lent.text())
        .env("CUWHY_TEST_CHILD", format!("{TEST}#borrows"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts again");
    let mut lines = BufReader::new(borrower.stdout.take().expect("a pipe")).lines();
    let said = lines.any(|line| line.is_ok_and(|line| line.contains(YOUR_TURN)));
    assert!(said, "the borrower failed");
    let (status, seen) = bytes(driver, memory, SIZE);
    assert_eq!(
        (status, seen[0], seen[99]),
        (0, 43, 43),
        "written by the other"
    );
    assert_eq!(cu!(driver.cuEventQuery(event)), 0);
    assert_eq!(cu!(driver.cuMemFree_v2(memory)), 0);
    let mut input = borrower.stdin.take().expect("a pipe");
    writeln!(input, "go on").expect("the borrower reads");
    let rest = lines.map_while(Result::ok).collect::<Vec<_>>();
    let status = borrower.wait().expect("a child can be waited for");
    assert_eq!(status.code(), Some(86), "{rest:#?}");
}

fn borrow(text: &str) {
    let driver = ready();
    let lent = Lent::of(text);
    let (mut memory, mut again, mut neighbour) = (0, 0, 0);
    let open = |place: &mut CUdeviceptr, handle: CUipcMemHandle, flags| {
        cu!(driver.cuIpcOpenMemHandle_v2(core::ptr::from_mut(place), handle, flags))
    };
    let garbage = CUipcMemHandle {
        reserved: [0x5a; 64],
    };
    let of_event = CUipcMemHandle {
        reserved: lent.event.reserved,
    };
    let mut nowhere = 0;
    assert_eq!(open(&mut nowhere, lent.memory, 0), 1, "the flag is missing");
    assert_eq!(open(&mut nowhere, garbage, LAZY), 1);
    assert_eq!(open(&mut nowhere, CUipcMemHandle::default(), LAZY), 1);
    assert_eq!(open(&mut nowhere, of_event, LAZY), 1);
    assert_eq!(open(&mut memory, lent.memory, LAZY), 0);
    assert_eq!(open(&mut again, lent.memory, LAZY), 0);
    assert_eq!(memory, again, "it is there already");
    assert_eq!(open(&mut neighbour, lent.neighbour, LAZY), 0);
    assert_eq!(neighbour - memory, 512, "as they lie in the lender");

    let (mut base, mut size) = (0, 0);
    let place = &raw mut base;
    assert_eq!(
        cu!(driver.cuMemGetAddressRange_v2(place, &raw mut size, memory + 4)),
        0
    );
    assert_eq!((base, size), (memory, SIZE));
    type Which = CUpointer_attribute_enum;
    let asked = |which| attribute(driver, memory, which);
    assert_eq!(asked(Which::CU_POINTER_ATTRIBUTE_MEMORY_TYPE), 2);
    assert_eq!(
        asked(Which::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE),
        0
    );
    assert_eq!(asked(Which::CU_POINTER_ATTRIBUTE_RANGE_SIZE), SIZE as u64);
    assert_eq!(asked(Which::CU_POINTER_ATTRIBUTE_MAPPED), 1);
    assert_eq!(asked(Which::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS), 3);
    assert_eq!(asked(Which::CU_POINTER_ATTRIBUTE_MAPPING_SIZE), 2 << 20);

    let (status, seen) = bytes(driver, memory, SIZE);
    assert_eq!((status, seen[0], seen[99]), (0, 42, 42));
    assert_eq!(bytes(driver, memory, SIZE + 1).0, 1);
    assert_eq!(cu!(driver.cuMemsetD8_v2(memory, 43, SIZE)), 0);
    assert_eq!(cu!(driver.cuCtxSynchronize()), 0);
    let mut handle = CUipcMemHandle::default();
    assert_eq!(
        cu!(driver.cuIpcGetMemHandle(&raw mut handle, memory)),
        1,
        "not its own"
    );
    assert_eq!(cu!(driver.cuMemFree_v2(memory)), 1);
    assert_eq!(cu!(driver.cuMemFreeAsync(memory, ptr::null_mut())), 1);
    borrow_event(driver, &lent);

    let mut out = std::io::stdout();
    writeln!(out, "{YOUR_TURN}").expect("the lender reads");
    out.flush().expect("the lender reads");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .expect("the lender's word");

    let (status, seen) = bytes(driver, memory, SIZE);
    assert_eq!((status, seen[0]), (0, 43), "the lender has freed it");
    let close = |address| cu!(driver.cuIpcCloseMemHandle(address));
    assert_eq!([close(0), close(memory + 4), close(memory)], [1, 1, 0]);
    assert_eq!(bytes(driver, memory, SIZE).0, 0, "it was opened twice");
    assert_eq!([close(memory), close(memory)], [0, 1]);
    assert_eq!(
        attribute(driver, memory, Which::CU_POINTER_ATTRIBUTE_MEMORY_TYPE),
        0
    );
    assert_eq!(bytes(driver, neighbour, SIZE).1[0], 7);
    let mut own = 0;
    assert_eq!(cu!(driver.cuMemAlloc_v2(&raw mut own, SIZE)), 0);
    assert_eq!(close(own), 1);
}

fn borrow_event(driver: &Driver, lent: &Lent) {
    let (mut event, mut other, mut stream) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let of_memory = CUipcEventHandle {
        reserved: lent.memory.reserved,
    };
    assert_eq!(
        cu!(driver.cuIpcOpenEventHandle(&raw mut event, of_memory)),
        205
    );
    assert_eq!(
        cu!(driver.cuIpcOpenEventHandle(&raw mut event, lent.event)),
        0
    );
    assert_eq!(
        cu!(driver.cuIpcOpenEventHandle(&raw mut other, lent.event)),
        0
    );
    assert_ne!(event, other);
    assert_eq!(cu!(driver.cuEventQuery(event)), 0);
    assert_eq!(cu!(driver.cuEventSynchronize(event)), 0);
    assert_eq!(cu!(driver.cuStreamWaitEvent(ptr::null_mut(), event, 0)), 0);
    let mut handle = CUipcEventHandle::default();
    assert_eq!(
        cu!(driver.cuIpcGetEventHandle(&raw mut handle, event)),
        400,
        "not its own"
    );
    let mut time = 0.0;
    assert_eq!(
        cu!(driver.cuEventElapsedTime(&raw mut time, event, event)),
        400
    );
    assert_eq!(cu!(driver.cuStreamCreate(&raw mut stream, 1)), 0);
    assert_eq!(cu!(driver.cuEventRecord(event, stream)), 0);
    assert_eq!(cu!(driver.cuStreamSynchronize(stream)), 0);
    assert_eq!(cu!(driver.cuEventQuery(event)), 0);
    assert_eq!(cu!(driver.cuEventDestroy_v2(event)), 0);
    assert_eq!(cu!(driver.cuEventQuery(other)), 0);
}

#[test]
fn another_process_has_what_it_is_lent() {
    assert_eq!(here!(), TEST);
    if let Ok(handles) = std::env::var(HANDLES) {
        Child::new(TEST, "borrows").run(|| borrow(&handles));
        return;
    }
    on_cuda(TEST, lend);
}
