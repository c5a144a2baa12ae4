//! A line of the table becomes a call.
//!
//! `stream capture context flags count list - entries…`; an entry is `source destination width height depth order
//! flags`; a side `object+offset:row length:layer height:kind of hint:its number`, `@array:x:y:z` or `#type`.

use core::ptr;

use cuda_sys::driver::*;
use cuda_sys::runtime::{Runtime, v12, v13};

use super::c;
use super::world::World;

/// Which form of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `cuMemcpy3DBatchAsync`.
    Driver,
    /// `cuMemcpy3DBatchAsync_v2`.
    DriverTwo,
    /// `cudaMemcpy3DBatchAsync` of 12.8 and 12.9.
    RuntimeTwelve,
    /// The same of 13.
    Runtime,
}

impl Form {
    /// That of a runtime; before 12.8 there is none.
    pub(crate) fn of(runtime: &Runtime) -> Option<Self> {
        if runtime.v13().is_some() {
            Some(Self::Runtime)
        } else {
            runtime.v12().map(|_| Self::RuntimeTwelve)
        }
    }

    pub(crate) const fn is_runtime(self) -> bool {
        matches!(self, Self::RuntimeTwelve | Self::Runtime)
    }

    /// Whether it says which entry it refused.
    pub(crate) const fn names_an_entry(self) -> bool {
        matches!(self, Self::Driver | Self::RuntimeTwelve)
    }
}

/// What came of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    status: u32,
    /// What the next synchronisation said.
    pub(crate) later: u32,
    /// The entry that was named; -1 for none.
    pub(crate) failed: i64,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        match self.later {
            0 => self.status.to_string(),
            later => format!("{} then {later}", self.status),
        }
    }
}

/// Whether the call is made without a current context.
pub(crate) fn is_without_context(call: &str) -> bool {
    call.split(' ').nth(2) == Some("-")
}

/// The table's numbers are C's: what is negative wraps around.
fn number(text: &str) -> usize {
    let signed = text.parse::<i64>().map(i64::cast_unsigned);
    let number = signed.or_else(|_| text.parse()).expect("a number");
    usize::try_from(number).expect("64 bits")
}

fn narrow(text: &str) -> u32 {
    u32::try_from(number(text) & 0xffff_ffff).expect("it is cut off")
}

fn side(world: &World, text: &str) -> CUmemcpy3DOperand {
    let mut parts = text.split(':');
    let name = parts.next().expect("a side");
    let mut next = || parts.next().unwrap_or("0");
    if let Some(array) = name.strip_prefix('@') {
        let array = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_2 {
            array: ptr::with_exposed_provenance_mut(world.place(array)),
            offset: CUoffset3D {
                x: number(next()),
                y: number(next()),
                z: number(next()),
            },
        };
        return CUmemcpy3DOperand {
            type_: CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_ARRAY,
            op: CUmemcpy3DOperand_st__bindgen_ty_1 { array },
        };
    }
    let (type_, name) = match name.strip_prefix('#') {
        Some(raw) => (CUmemcpy3DOperandType_enum(narrow(raw)), "d4m"),
        None => (CUmemcpy3DOperandType::CU_MEMCPY_OPERAND_TYPE_POINTER, name),
    };
    let (name, offset) = name.split_once('+').unwrap_or((name, "0"));
    let ptr = CUmemcpy3DOperand_st__bindgen_ty_1__bindgen_ty_1 {
        ptr: world.place(name).wrapping_add(number(offset)) as CUdeviceptr,
        rowLength: number(next()),
        layerHeight: number(next()),
        locHint: CUmemLocation {
            type_: CUmemLocationType_enum(narrow(next())),
            __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 {
                id: narrow(next()).cast_signed(),
            },
        },
    };
    CUmemcpy3DOperand {
        type_,
        op: CUmemcpy3DOperand_st__bindgen_ty_1 { ptr },
    }
}

fn entry(world: &World, text: &str) -> CUDA_MEMCPY3D_BATCH_OP {
    let words: Vec<&str> = text.split(' ').collect();
    let [src, dst, width, height, depth, order, flags] = words[..] else {
        panic!("{text} is no entry");
    };
    CUDA_MEMCPY3D_BATCH_OP {
        src: side(world, src),
        dst: side(world, dst),
        extent: CUextent3D {
            width: number(width),
            height: number(height),
            depth: number(depth),
        },
        srcAccessOrder: CUmemcpySrcAccessOrder_enum(narrow(order)),
        flags: narrow(flags),
    }
}

impl World {
    /// Makes the call of a line.
    pub(crate) fn ask(&self, call: &str, form: Form) -> Answer {
        let driver = self.driver;
        let words: Vec<&str> = call.splitn(8, ' ').collect();
        let [
            stream,
            capture,
            context,
            flags,
            count,
            list,
            _,
            ref entries @ ..,
        ] = words[..]
        else {
            panic!("{call} is no call");
        };
        let entries = entries
            .first()
            .into_iter()
            .flat_map(|text| text.split(" ; "));
        let mut entries: Vec<_> = entries.map(|text| entry(self, text)).collect();
        let count = if count == "=" {
            entries.len()
        } else {
            number(count)
        };
        let list = if list == "0" {
            ptr::null_mut()
        } else {
            entries.as_mut_ptr()
        };
        let flags = number(flags) as u64;
        let handle = self.stream(stream);
        let recorded = (capture != "-").then(|| {
            let (name, mode) = capture.split_at(1);
            let recorded = self.stream(name);
            let mode = CUstreamCaptureMode_enum(narrow(mode));
            assert_eq!(c!(driver.cuStreamBeginCapture_v2(recorded, mode)), 0);
            recorded
        });
        if context == "-" {
            assert_eq!(c!(driver.cuCtxSetCurrent(ptr::null_mut())), 0);
        }
        let mut failed = usize::MAX;
        let which = &raw mut failed;
        let status = match form {
            Form::Driver => c!(driver.cuMemcpy3DBatchAsync(count, list, which, flags, handle)),
            Form::DriverTwo => c!(driver.cuMemcpy3DBatchAsync_v2(count, list, flags, handle)),
            Form::RuntimeTwelve => {
                let table = self.runtime.v12().expect("it is of 12");
                let list = list.cast::<v12::cudaMemcpy3DBatchOp>();
                c!(table.cudaMemcpy3DBatchAsync(count, list, which, flags, handle))
            }
            Form::Runtime => {
                let table = self.runtime.v13().expect("it is of 13");
                let list = list.cast::<v13::cudaMemcpy3DBatchOp>();
                c!(table.cudaMemcpy3DBatchAsync(count, list, flags, handle))
            }
        };
        if context == "-" {
            assert_eq!(c!(driver.cuCtxSetCurrent(self.context)), 0);
        }
        if let Some(recorded) = recorded {
            let mut graph = ptr::null_mut();
            // Whatever the batch was answered, the capture is whole, and empty.
            assert_eq!(
                c!(driver.cuStreamEndCapture(recorded, &raw mut graph)),
                0,
                "{call}"
            );
            let mut nodes = 0;
            assert_eq!(
                c!(driver.cuGraphGetNodes(graph, ptr::null_mut(), &raw mut nodes)),
                0
            );
            assert_eq!(nodes, 0, "{call}");
            assert_eq!(c!(driver.cuGraphDestroy(graph)), 0);
        }
        let later = c!(driver.cuCtxSynchronize());
        Answer {
            status,
            later,
            failed: i64::try_from(failed).unwrap_or(-1),
        }
    }
}
