//! Calls of the driver.

use cuda_sys::driver::{CUmemcpyAttributes, CUresult, CUstream, Driver, cudaError_enum};
use cuwhy_validate::call::{Batch, Fill, Linear, Volume};

use super::layout::{array, part, plane_struct, volume_struct};
use super::{NOT_MADE, cuda, pointer, size};

pub(super) fn line(driver: &Driver, name: &str, copy: &Linear, stream: CUstream) -> CUresult {
    let (to, from, bytes) = (copy.dst, copy.src, size(copy.bytes));
    match name {
        "cuMemcpy" => cuda!(driver.cuMemcpy(to, from, bytes)),
        "cuMemcpyHtoD" => cuda!(driver.cuMemcpyHtoD_v2(to, pointer(from), bytes)),
        "cuMemcpyDtoH" => cuda!(driver.cuMemcpyDtoH_v2(pointer(to), from, bytes)),
        "cuMemcpyDtoD" => cuda!(driver.cuMemcpyDtoD_v2(to, from, bytes)),
        "cuMemcpyAsync" => cuda!(driver.cuMemcpyAsync(to, from, bytes, stream)),
        "cuMemcpyHtoDAsync" => cuda!(driver.cuMemcpyHtoDAsync_v2(to, pointer(from), bytes, stream)),
        "cuMemcpyDtoHAsync" => cuda!(driver.cuMemcpyDtoHAsync_v2(pointer(to), from, bytes, stream)),
        "cuMemcpyDtoDAsync" => cuda!(driver.cuMemcpyDtoDAsync_v2(to, from, bytes, stream)),
        _ => cudaError_enum(NOT_MADE),
    }
}

pub(super) fn boxed(driver: &Driver, name: &str, copy: &Volume, stream: CUstream) -> CUresult {
    let plane = plane_struct(copy);
    let volume = volume_struct(copy);
    let (to, from) = (part(&copy.dst), part(&copy.src));
    let bytes = size(copy.width);
    let (to_at, from_at) = (size(to.at[0]), size(from.at[0]));
    match name {
        "cuMemcpy2D" => cuda!(driver.cuMemcpy2D_v2(&raw const plane)),
        "cuMemcpy2DUnaligned" => cuda!(driver.cuMemcpy2DUnaligned_v2(&raw const plane)),
        "cuMemcpy2DAsync" => cuda!(driver.cuMemcpy2DAsync_v2(&raw const plane, stream)),
        "cuMemcpy3D" => cuda!(driver.cuMemcpy3D_v2(&raw const volume)),
        "cuMemcpy3DAsync" => cuda!(driver.cuMemcpy3DAsync_v2(&raw const volume, stream)),
        "cuMemcpyHtoA" => {
            cuda!(driver.cuMemcpyHtoA_v2(array(to.array), to_at, pointer(from.address), bytes))
        }
        "cuMemcpyDtoA" => {
            cuda!(driver.cuMemcpyDtoA_v2(array(to.array), to_at, from.address, bytes))
        }
        "cuMemcpyAtoH" => {
            cuda!(driver.cuMemcpyAtoH_v2(pointer(to.address), array(from.array), from_at, bytes))
        }
        "cuMemcpyAtoD" => {
            cuda!(driver.cuMemcpyAtoD_v2(to.address, array(from.array), from_at, bytes))
        }
        "cuMemcpyAtoA" => {
            cuda!(driver.cuMemcpyAtoA_v2(array(to.array), to_at, array(from.array), from_at, bytes))
        }
        _ => cudaError_enum(NOT_MADE),
    }
}

pub(super) fn filled(driver: &Driver, name: &str, fill: &Fill, stream: CUstream) -> CUresult {
    let &Fill { dst, value, .. } = fill;
    let (pitch, width, height) = (size(fill.pitch), size(fill.width), size(fill.height));
    let [low, second, ..] = value.to_le_bytes();
    let half = u16::from_le_bytes([low, second]);
    match name {
        "cuMemsetD8" => cuda!(driver.cuMemsetD8_v2(dst, low, width)),
        "cuMemsetD16" => cuda!(driver.cuMemsetD16_v2(dst, half, width)),
        "cuMemsetD32" => cuda!(driver.cuMemsetD32_v2(dst, value, width)),
        "cuMemsetD8Async" => cuda!(driver.cuMemsetD8Async(dst, low, width, stream)),
        "cuMemsetD16Async" => cuda!(driver.cuMemsetD16Async(dst, half, width, stream)),
        "cuMemsetD32Async" => cuda!(driver.cuMemsetD32Async(dst, value, width, stream)),
        "cuMemsetD2D8" => cuda!(driver.cuMemsetD2D8_v2(dst, pitch, low, width, height)),
        "cuMemsetD2D16" => cuda!(driver.cuMemsetD2D16_v2(dst, pitch, half, width, height)),
        "cuMemsetD2D32" => cuda!(driver.cuMemsetD2D32_v2(dst, pitch, value, width, height)),
        "cuMemsetD2D32Async" => {
            cuda!(driver.cuMemsetD2D32Async(dst, pitch, value, width, height, stream))
        }
        _ => cudaError_enum(NOT_MADE),
    }
}

/// A batch as the C functions take it.
pub(super) struct Lists {
    pub(super) to: Vec<u64>,
    pub(super) from: Vec<u64>,
    pub(super) bytes: Vec<usize>,
    pub(super) attributes: Vec<CUmemcpyAttributes>,
    pub(super) starts: Vec<usize>,
}

impl Lists {
    pub(super) fn of(batch: &Batch) -> Self {
        let mut lists = Self {
            to: batch.entries.iter().map(|entry| entry.dst).collect(),
            from: batch.entries.iter().map(|entry| entry.src).collect(),
            bytes: batch
                .entries
                .iter()
                .map(|entry| size(entry.bytes))
                .collect(),
            attributes: Vec::new(),
            starts: Vec::new(),
        };
        for attribute in &batch.attributes {
            let mut one = CUmemcpyAttributes::default();
            one.srcAccessOrder.0 = attribute.source_access;
            lists.attributes.push(one);
            lists.starts.push(size(attribute.from));
        }
        lists
    }
}

pub(super) fn batched(driver: &Driver, name: &str, batch: &Batch, stream: CUstream) -> CUresult {
    let mut lists = Lists::of(batch);
    let (count, attributes) = (lists.to.len(), lists.attributes.len());
    let (to, from) = (lists.to.as_mut_ptr(), lists.from.as_mut_ptr());
    let (bytes, how) = (lists.bytes.as_mut_ptr(), lists.attributes.as_mut_ptr());
    let starts = lists.starts.as_mut_ptr();
    let mut bad = 0_usize;
    if name == "cuMemcpyBatchAsync_v2" {
        cuda!(driver.cuMemcpyBatchAsync_v2(to, from, bytes, count, how, starts, attributes, stream))
    } else {
        cuda!(driver.cuMemcpyBatchAsync(
            to,
            from,
            bytes,
            count,
            how,
            starts,
            attributes,
            &raw mut bad,
            stream
        ))
    }
}
