//! A pool of pinned blocks that pageable data is staged through on its way to the device.
//!
//! Pinning is slow and pinned memory is scarce: the blocks are made once, lent out and taken back. This
//! crate is what an author of a low-level library would write with `cuwhy-driver` and nothing else.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use cuwhy_driver::context::Context;
use cuwhy_driver::copy::{HostPart, Transfer};
use cuwhy_driver::error::Result;
use cuwhy_driver::memory::{DeviceMemory, DeviceSlice, HostFlags, PinnedBuffer};
use cuwhy_driver::stream::Stream;

/// Blocks of one size, lent to whoever stages something.
#[derive(Debug)]
pub struct StagingPool {
    free: Mutex<Vec<PinnedBuffer<u8>>>,
    returned: Condvar,
    block: usize,
}

impl StagingPool {
    /// Pins `count` blocks of `block` bytes, of both at least one.
    ///
    /// # Errors
    ///
    /// Where the memory cannot be pinned.
    pub fn new(context: &Context, block: usize, count: usize) -> Result<Self> {
        let block = block.max(1);
        let make = |_| PinnedBuffer::zeroed(context, block, HostFlags::PLAIN.portable());
        let free = (0..count.max(1)).map(make).collect::<Result<_>>()?;
        Ok(Self {
            free: Mutex::new(free),
            returned: Condvar::new(),
            block,
        })
    }

    /// Copies pageable bytes to the device, block by block: while one is on its way the next is filled.
    ///
    /// # Errors
    ///
    /// Where the destination is too short, or a copy fails.
    pub fn upload(
        &self,
        stream: &Stream,
        destination: &impl DeviceMemory<Element = u8>,
        source: &[u8],
    ) -> Result<()> {
        let destination = destination.slice(..source.len())?;
        let mut on_its_way: Option<Upload<'_>> = None;
        let mut begin = 0;
        for chunk in source.chunks(self.block) {
            let part = destination.slice(begin..begin + chunk.len())?;
            begin += chunk.len();
            let mut block = self.lend();
            for (to, from) in block.iter_mut().zip(chunk) {
                *to = *from;
            }
            let next = Transfer::upload(stream, part, HostPart::new(block, ..chunk.len())?)?;
            self.take_back(on_its_way.replace(next))?;
        }
        self.take_back(on_its_way)
    }

    /// How many blocks nobody has.
    #[must_use]
    pub fn free(&self) -> usize {
        self.blocks().len()
    }

    /// A block, as soon as there is one.
    fn lend(&self) -> PinnedBuffer<u8> {
        let mut blocks = self.blocks();
        loop {
            match blocks.pop() {
                Some(block) => return block,
                None => {
                    blocks = self
                        .returned
                        .wait(blocks)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }

    /// Waits for a copy, and takes its block back.
    fn take_back(&self, upload: Option<Upload<'_>>) -> Result<()> {
        if let Some(upload) = upload {
            let (part, _) = upload.wait()?;
            self.blocks().push(part.into_whole());
            self.returned.notify_one();
        }
        Ok(())
    }

    fn blocks(&self) -> MutexGuard<'_, Vec<PinnedBuffer<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A block on its way to a part of the destination.
type Upload<'a> = Transfer<HostPart<PinnedBuffer<u8>>, DeviceSlice<'a, u8>>;

#[cfg(test)]
mod tests {
    use cuwhy_driver::device::Device;
    use cuwhy_driver::memory::DeviceBuffer;
    use cuwhy_driver::stream::StreamOptions;

    use super::*;

    #[test]
    fn what_is_staged_arrives_and_every_block_comes_back() -> Result<()> {
        let context = match Device::new(0).and_then(|device| device.context()) {
            Err(error) if error.is_missing() => return Ok(()),
            context => context?,
        };
        let stream = Stream::new(&context, StreamOptions::NON_BLOCKING)?;
        let pool = StagingPool::new(&context, 1000, 2)?;
        let source: Vec<u8> = (0..=255).cycle().take(12_345).collect();
        let destination = DeviceBuffer::<u8>::new(&context, source.len())?;
        pool.upload(&stream, &destination, &source)?;
        assert_eq!(destination.to_vec()?, source);
        assert!(
            pool.upload(&stream, &destination.slice(1..)?, &source)
                .is_err(),
            "too short"
        );
        pool.upload(&stream, &destination, &[])?;
        assert_eq!(pool.free(), 2);
        Ok(())
    }
}
