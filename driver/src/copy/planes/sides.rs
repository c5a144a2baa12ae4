use core::ptr;

use cuda_sys::driver::CUmemorytype;

use crate::array::RawArray;
use crate::memory::{Bytes, Pitch};
use crate::pointer::Address;

/// Memory in rows, or an array: one side of a copy of planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Memory {
    /// Host memory.
    Host {
        /// The first byte of the first row.
        address: Address,
        /// From one row to the next.
        pitch: Pitch,
        /// Rows from one plane to the next; of no matter for one plane.
        height: usize,
    },
    /// Device memory.
    Device {
        /// The first byte of the first row.
        address: Address,
        /// From one row to the next.
        pitch: Pitch,
        /// Rows from one plane to the next; of no matter for one plane.
        height: usize,
    },
    /// Memory that CUDA tells apart by its address.
    Any {
        /// The first byte of the first row.
        address: Address,
        /// From one row to the next.
        pitch: Pitch,
        /// Rows from one plane to the next; of no matter for one plane.
        height: usize,
    },
    /// An array.
    Array {
        /// The array.
        array: RawArray,
        /// The size of an element, which the runtime counts in.
        element: Bytes,
    },
}

/// Where a copy begins inside its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Bytes from the beginning of a row.
    pub x: Bytes,
    /// Rows.
    pub y: usize,
    /// Planes.
    pub z: usize,
}

/// One side of a copy of planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// The memory.
    pub memory: Memory,
    /// Where the copy begins in it.
    pub position: Position,
}

impl Side {
    /// Host memory, from its first byte on.
    #[must_use]
    pub fn host(address: impl Into<Address>, pitch: Pitch) -> Self {
        Memory::Host {
            address: address.into(),
            pitch,
            height: 0,
        }
        .into()
    }

    /// Device memory, from its first byte on.
    #[must_use]
    pub fn device(address: impl Into<Address>, pitch: Pitch) -> Self {
        Memory::Device {
            address: address.into(),
            pitch,
            height: 0,
        }
        .into()
    }

    /// Memory that CUDA tells apart by its address, from its first byte on.
    #[must_use]
    pub fn any(address: impl Into<Address>, pitch: Pitch) -> Self {
        Memory::Any {
            address: address.into(),
            pitch,
            height: 0,
        }
        .into()
    }

    /// An array, from its first element on.
    #[must_use]
    pub fn array(array: RawArray, element: Bytes) -> Self {
        Memory::Array { array, element }.into()
    }

    /// The same with planes of `height` rows.
    #[must_use]
    pub fn planes_of(mut self, rows: usize) -> Self {
        match &mut self.memory {
            Memory::Host { height, .. }
            | Memory::Device { height, .. }
            | Memory::Any { height, .. } => {
                *height = rows;
            }
            Memory::Array { .. } => {}
        }
        self
    }

    /// The address of the first byte that is copied; null of an array.
    pub(in crate::copy) fn first_byte(&self) -> Address {
        match self.memory {
            Memory::Host {
                address,
                pitch,
                height,
            }
            | Memory::Device {
                address,
                pitch,
                height,
            }
            | Memory::Any {
                address,
                pitch,
                height,
            } => {
                let planes = height
                    .wrapping_mul(self.position.z)
                    .wrapping_add(self.position.y);
                let offset = pitch.0.wrapping_mul(planes).wrapping_add(self.position.x.0);
                Address(address.0.wrapping_add(offset as u64))
            }
            Memory::Array { .. } => Address::NULL,
        }
    }

    /// The size of an array's elements.
    pub(super) fn element(&self) -> Option<usize> {
        match self.memory {
            Memory::Array { element, .. } => Some(element.0.max(1)),
            _ => None,
        }
    }

    /// The same from another position on.
    #[must_use]
    pub fn at(self, position: Position) -> Self {
        Self { position, ..self }
    }

    /// The four ways in which C says where memory is, with pitch and height.
    pub(super) fn parts(&self) -> Parts {
        let none = Parts {
            kind: CUmemorytype::CU_MEMORYTYPE_UNIFIED,
            host: ptr::null_mut(),
            device: 0,
            array: ptr::null_mut(),
            pitch: 0,
            height: 0,
        };
        match self.memory {
            Memory::Host {
                address,
                pitch,
                height,
            } => Parts {
                kind: CUmemorytype::CU_MEMORYTYPE_HOST,
                host: address.as_mut_ptr(),
                pitch: pitch.0,
                height,
                ..none
            },
            Memory::Device {
                address,
                pitch,
                height,
            } => Parts {
                kind: CUmemorytype::CU_MEMORYTYPE_DEVICE,
                device: address.0,
                pitch: pitch.0,
                height,
                ..none
            },
            Memory::Any {
                address,
                pitch,
                height,
            } => Parts {
                device: address.0,
                pitch: pitch.0,
                height,
                ..none
            },
            Memory::Array { array, .. } => Parts {
                kind: CUmemorytype::CU_MEMORYTYPE_ARRAY,
                array: array.0,
                ..none
            },
        }
    }
}

impl From<Memory> for Side {
    fn from(memory: Memory) -> Self {
        Self {
            memory,
            position: Position::default(),
        }
    }
}

/// One side in C's words.
pub(super) struct Parts {
    pub(super) kind: CUmemorytype,
    pub(super) host: *mut core::ffi::c_void,
    pub(super) device: u64,
    pub(super) array: cuda_sys::driver::CUarray,
    pub(super) pitch: usize,
    pub(super) height: usize,
}
