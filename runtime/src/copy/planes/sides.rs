use core::ptr;

use cuda_sys::runtime::{cudaArray_t, cudaMemcpyKind, cudaPitchedPtr, cudaPos};

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

    /// The array, where it is one.
    pub(super) fn as_array(&self) -> Option<(cudaArray_t, usize)> {
        match self.memory {
            Memory::Array { array, element } => Some((array.0, element.0.max(1))),
            _ => None,
        }
    }

    /// Address, pitch and rows, where it is no array.
    pub(super) fn as_rows(&self) -> (Address, Pitch, usize) {
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
            } => (address, pitch, height),
            Memory::Array { .. } => (Address::NULL, Pitch(0), 0),
        }
    }

    /// The four ways in which C says where memory is; positions of arrays are in elements.
    pub(super) fn parts(&self, width: usize) -> (cudaArray_t, cudaPos, cudaPitchedPtr) {
        let Position { x, y, z } = self.position;
        if let Some((array, element)) = self.as_array() {
            let nowhere = cudaPitchedPtr {
                ptr: ptr::null_mut(),
                pitch: 0,
                xsize: 0,
                ysize: 0,
            };
            return (
                array,
                cudaPos {
                    x: x.0 / element,
                    y,
                    z,
                },
                nowhere,
            );
        }
        let (address, pitch, height) = self.as_rows();
        let rows = cudaPitchedPtr {
            ptr: address.as_mut_ptr(),
            pitch: pitch.0,
            xsize: width,
            ysize: height,
        };
        (ptr::null_mut(), cudaPos { x: x.0, y, z }, rows)
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

/// What C calls the direction between two sides.
pub(super) fn kind(destination: &Side, source: &Side) -> cudaMemcpyKind {
    let host = |side: &Side| matches!(side.memory, Memory::Host { .. });
    let any = |side: &Side| matches!(side.memory, Memory::Any { .. });
    match (host(destination), host(source)) {
        _ if any(destination) || any(source) => cudaMemcpyKind::cudaMemcpyDefault,
        (true, true) => cudaMemcpyKind::cudaMemcpyHostToHost,
        (true, false) => cudaMemcpyKind::cudaMemcpyDeviceToHost,
        (false, true) => cudaMemcpyKind::cudaMemcpyHostToDevice,
        (false, false) => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
    }
}
