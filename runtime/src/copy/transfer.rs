use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::RangeBounds;

use bytemuck::{AnyBitPattern, NoUninit};

use super::slices::same_length;
use super::{Direction, raw};
use crate::error::{Result, report_drop};
use crate::event::{Event, EventOptions};
use crate::memory::{Bytes, DeviceMemory, PinnedBuffer, resolve};
use crate::pointer::Address;
use crate::stream::{Stream, waiting};

/// Host memory that stays where it is when its owner moves.
///
/// # Safety
///
/// `elements` returns the same memory however the value moves, until it is dropped or borrowed mutably,
/// and nobody else has access to it, not even after the value was forgotten: it owns the memory.
pub unsafe trait HostMemory: 'static {
    /// The type of the elements.
    type Element;

    /// The elements.
    fn elements(&self) -> &[Self::Element];

    /// The elements to write to.
    fn elements_mut(&mut self) -> &mut [Self::Element];
}

// SAFETY: it owns its elements, and they do not move with it.
unsafe impl<T: 'static> HostMemory for PinnedBuffer<T> {
    type Element = T;

    fn elements(&self) -> &[T] {
        self
    }

    fn elements_mut(&mut self) -> &mut [T] {
        self
    }
}

// SAFETY: it owns its elements, and they do not move with it.
unsafe impl<T: 'static> HostMemory for Vec<T> {
    type Element = T;

    fn elements(&self) -> &[T] {
        self
    }

    fn elements_mut(&mut self) -> &mut [T] {
        self
    }
}

/// A range of host memory that is owned as a whole.
#[derive(Debug)]
pub struct HostPart<H> {
    whole: H,
    start: usize,
    len: usize,
}

impl<H: HostMemory> HostPart<H> {
    /// The elements of a range.
    ///
    /// # Errors
    ///
    /// [`Misuse::OutOfRange`](crate::error::Misuse::OutOfRange) where the range does not lie inside; the
    /// memory is then dropped.
    pub fn new(whole: H, range: impl RangeBounds<usize>) -> Result<Self> {
        let (start, len) = resolve(range, whole.elements().len())?;
        Ok(Self { whole, start, len })
    }

    /// The whole again.
    #[must_use]
    pub fn into_whole(self) -> H {
        self.whole
    }
}

// SAFETY: it owns the whole, whose elements do not move with it.
unsafe impl<H: HostMemory> HostMemory for HostPart<H> {
    type Element = H::Element;

    fn elements(&self) -> &[H::Element] {
        self.whole
            .elements()
            .get(self.start..self.start + self.len)
            .unwrap_or_default()
    }

    fn elements_mut(&mut self) -> &mut [H::Element] {
        let range = self.start..self.start + self.len;
        self.whole.elements_mut().get_mut(range).unwrap_or_default()
    }
}

/// An asynchronous copy that owns both its sides until it has finished.
///
/// Dropping it waits. Forgetting it leaks both sides, which is safe. The device side may be anything
/// that is device memory: a buffer, an `Arc` of one, a view.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::copy::Transfer;
/// use cuwhy_runtime::memory::{DeviceBuffer, HostFlags, PinnedBuffer};
/// use cuwhy_runtime::stream::{Stream, StreamOptions};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let stream = Stream::new(&device, StreamOptions::NON_BLOCKING)?;
/// let source = PinnedBuffer::from_slice(&device, &[1_u8, 2, 3], HostFlags::PLAIN)?;
/// let upload = Transfer::upload(&stream, DeviceBuffer::new(&device, 3)?, source)?;
/// // Something else is done here, and then:
/// let (source, buffer) = upload.wait()?;
/// assert_eq!(buffer.to_vec()?, *source);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
#[must_use = "dropping a transfer waits for it"]
pub struct Transfer<H, D> {
    done: Event,
    /// Whether nobody can know any longer when the copy ends.
    lost: bool,
    sides: ManuallyDrop<(H, D)>,
}

impl<H: HostMemory, D: DeviceMemory<Element = H::Element>> Transfer<H, D> {
    /// Starts a copy of host memory to device memory.
    ///
    /// Runtime API: `cudaMemcpyAsync`, `cudaEventRecord`. With pageable memory (a `Vec`) the copy is
    /// correct, and not asynchronous.
    ///
    /// # Errors
    ///
    /// [`Misuse`](crate::error::Misuse) for lengths that differ and for a stream that captures, and what
    /// CUDA answers; both sides are then dropped.
    #[doc(alias = "cudaMemcpyAsync")]
    pub fn upload(stream: &Stream, destination: D, source: H) -> Result<Self>
    where
        H::Element: NoUninit,
    {
        same_length(
            "cudaMemcpyAsync",
            destination.len(),
            source.elements().len(),
        )?;
        let (to, from) = (
            destination.address(),
            Address::from(source.elements().as_ptr()),
        );
        let size = Bytes(size_of_val(source.elements()));
        Self::start(
            stream,
            (source, destination),
            (to, from, size),
            Direction::HostToDevice,
        )
    }

    /// Starts a copy of device memory to host memory.
    ///
    /// Runtime API: `cudaMemcpyAsync`, `cudaEventRecord`.
    ///
    /// # Errors
    ///
    /// As [`Transfer::upload`].
    #[doc(alias = "cudaMemcpyAsync")]
    pub fn download(stream: &Stream, mut destination: H, source: D) -> Result<Self>
    where
        H::Element: AnyBitPattern,
    {
        same_length(
            "cudaMemcpyAsync",
            destination.elements().len(),
            source.len(),
        )?;
        let size = Bytes(size_of_val(destination.elements()));
        let (to, from) = (
            Address::from(destination.elements_mut().as_mut_ptr()),
            source.address(),
        );
        Self::start(
            stream,
            (destination, source),
            (to, from, size),
            Direction::DeviceToHost,
        )
    }

    fn start(
        stream: &Stream,
        sides: (H, D),
        (to, from, size): (Address, Address, Bytes),
        direction: Direction,
    ) -> Result<Self> {
        stream.refuse_capture("cudaMemcpyAsync")?;
        let done = Event::new(stream.device(), EventOptions::WITHOUT_TIMING)?;
        let mut transfer = Self {
            done,
            lost: false,
            sides: ManuallyDrop::new(sides),
        };
        if size.0 > 0 {
            let entered = stream.device().enter()?;
            // SAFETY: the transfer owns both sides, whose memory does not move, and gives them up only
            // when the stream has passed the event that is recorded behind the copy.
            let result = unsafe { raw::copy_async(to, from, size, direction, stream) };
            drop(entered);
            if let Err(error) = result.and_then(|()| transfer.done.record(stream)) {
                // The copy may have started although its mark did not: unless the stream is idle,
                // both sides are leaked.
                let idle = waiting(|| stream.synchronize());
                transfer.lost = idle.is_err();
                report_drop(idle);
                return Err(error);
            }
        }
        Ok(transfer)
    }
}

impl<H, D> Transfer<H, D> {
    /// Whether the copy has finished.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    pub fn is_done(&self) -> Result<bool> {
        waiting(|| self.done.is_done())
    }

    /// Makes later work of another stream wait for the copy.
    ///
    /// Runtime API: `cudaStreamWaitEvent`. The event itself is not had: recording it again would make this
    /// value believe that the copy has finished.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaStreamWaitEvent")]
    pub fn before(&self, stream: &Stream) -> Result<()> {
        stream.wait(&self.done)
    }

    /// Waits, and gives the host's and the device's side back.
    ///
    /// # Errors
    ///
    /// What CUDA answers when waited for; both sides are then leaked, because the copy may still be
    /// under way.
    pub fn wait(self) -> Result<(H, D)> {
        let mut this = ManuallyDrop::new(self);
        let waited = waiting(|| this.done.synchronize());
        // SAFETY: `this` is never dropped nor used again, so the event is dropped once.
        unsafe { core::ptr::drop_in_place(&raw mut this.done) };
        waited?;
        // SAFETY: taken once: `this` is never dropped nor used again.
        Ok(unsafe { ManuallyDrop::take(&mut this.sides) })
    }
}

impl<H, D> Drop for Transfer<H, D> {
    fn drop(&mut self) {
        if self.lost {
            return;
        }
        match waiting(|| self.done.synchronize()) {
            // SAFETY: dropped once, here; the copy has finished.
            Ok(()) => unsafe { ManuallyDrop::drop(&mut self.sides) },
            // The copy may still be under way: both sides are leaked.
            Err(error) => report_drop(Err(error)),
        }
    }
}

impl<H, D> fmt::Debug for Transfer<H, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
