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

/// Bytes in a row, rows, slices.
fn extent(layout: Layout) -> Outcome<(usize, usize, usize)> {
    const CUBEMAP: u32 = 0x04;
    if layout.width == 0 || (layout.depth != 0 && layout.height == 0 && layout.flags & 1 == 0) {
        return Err(Code::INVALID_VALUE);
    }
    if layout.flags & CUBEMAP != 0
        && (layout.width != layout.height || !layout.depth.is_multiple_of(6))
    {
        return Err(Code::INVALID_VALUE);
    }
    let row = layout
        .width
        .checked_mul(layout.element_bytes()?)
        .ok_or(Code::INVALID_VALUE)?;
    Ok((row, layout.height.max(1), layout.depth.max(1)))
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
