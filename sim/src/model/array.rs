//! Arrays: memory with a shape and without an address.

use std::sync::Arc;

use super::code::{Code, Outcome};
use super::mapping::{Mapping, PAGE, Use};
use super::meter::{Charge, Meter};
use super::object::ContextId;

/// What an array is made of, as the program asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Elements in a row; 0 for height or depth means that there is no such dimension.
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) depth: usize,
    pub(crate) format: u32,
    pub(crate) channels: u32,
    pub(crate) flags: u32,
}

impl Layout {
    /// Bytes of one channel, by CUDA's number of the format.
    fn channel_bytes(self) -> Option<usize> {
        match self.format {
            0x01 | 0x08 => Some(1),
            0x02 | 0x09 | 0x10 => Some(2),
            0x03 | 0x0a | 0x20 => Some(4),
            _ => None,
        }
    }

    pub(crate) fn element_bytes(self) -> Outcome<usize> {
        let channel = self.channel_bytes().ok_or(Code::INVALID_VALUE)?;
        match self.channels {
            count @ (1 | 2 | 4) => Ok(channel
                * if count == 1 {
                    1
                } else if count == 2 {
                    2
                } else {
                    4
                }),
            _ => Err(Code::INVALID_VALUE),
        }
    }
}

/// An array.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) handle: usize,
    pub(crate) layout: Layout,
    pub(crate) element: usize,
    pub(crate) context: ContextId,
    /// Bytes in a row.
    pub(crate) row: usize,
    pub(crate) rows: usize,
    pub(crate) slices: usize,
    pub(crate) bytes: Arc<Mapping>,
    _charge: Charge,
}

/// The largest sides of an H200's arrays: of one, two and three dimensions.
const WIDEST: usize = 131_072;
const HIGHEST: usize = 65_536;
const LARGEST_SOLID: usize = 16_384;

/// Bytes in a row, rows, slices.
fn extent(layout: Layout) -> Outcome<(usize, usize, usize)> {
    const LAYERED: u32 = 0x01;
    const CUBEMAP: u32 = 0x04;
    const KNOWN: u32 = 0x1ff;
    let Layout {
        width,
        height,
        depth,
        flags,
        ..
    } = layout;
    let layered = flags & (LAYERED | CUBEMAP) != 0;
    let solid = depth != 0 && !layered;
    let too_large =
        width > WIDEST || height > HIGHEST || solid && width.max(height).max(depth) > LARGEST_SOLID;
    let misshapen =
        width == 0 || flags & !KNOWN != 0 || solid && height == 0 || layered && depth == 0;
    let no_cube = flags & CUBEMAP != 0 && (width != height || !depth.is_multiple_of(6));
    if too_large || misshapen || no_cube {
        return Err(Code::INVALID_VALUE);
    }
    let row = width
        .checked_mul(layout.element_bytes()?)
        .ok_or(Code::INVALID_VALUE)?;
    Ok((row, height.max(1), depth.max(1)))
}

impl Array {
    pub(crate) fn new(
        handle: usize,
        layout: Layout,
        context: ContextId,
        meter: &Arc<Meter>,
    ) -> Outcome<Self> {
        let (row, rows, slices) = extent(layout)?;
        let size = row
            .checked_mul(rows)
            .and_then(|size| size.checked_mul(slices))
            .ok_or(Code::OUT_OF_MEMORY)?;
        let charge = meter.charge(
            super::mapping::round_up(size, super::arena::BLOCK).ok_or(Code::OUT_OF_MEMORY)?,
        )?;
        let bytes = Arc::new(Mapping::new(Use::Shadow, size, PAGE)?);
        let element = layout.element_bytes()?;
        Ok(Self {
            handle,
            layout,
            element,
            context,
            row,
            rows,
            slices,
            bytes,
            _charge: charge,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_checked() {
        let meter = Meter::new(1 << 30, None);
        let layout = Layout {
            width: 10,
            height: 4,
            depth: 0,
            format: 0x20,
            channels: 2,
            flags: 0,
        };
        let array = Array::new(1, layout, 0, &meter).unwrap();
        assert_eq!((array.row, array.rows, array.slices), (80, 4, 1));
        let broken = Layout {
            channels: 3,
            ..layout
        };
        assert_eq!(
            Array::new(1, broken, 0, &meter).unwrap_err(),
            Code::INVALID_VALUE
        );
    }
}
