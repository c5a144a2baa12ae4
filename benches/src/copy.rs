use cuda_sys::driver::CUresult;
use cuda_sys::runtime::{cudaError_t, cudaMemcpyKind};

use crate::{Block, Class, Gpu, Stream};

/// Through what a copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The driver's function, called through the table.
    Driver,
    /// The runtime's function, called through the table.
    Runtime,
}

/// Which way a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From host memory (managed memory is taken for it) to a device.
    ToDevice,
    /// From a device to host memory.
    FromDevice,
    /// On the device.
    OnDevice,
}

/// A copy that is made over and over.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// Where.
    pub gpu: Gpu,
    /// Destination.
    pub dst: &'a Block,
    /// Source.
    pub src: &'a Block,
    /// How many bytes, at most what both blocks have.
    pub bytes: usize,
}

impl Layer {
    /// Every layer, the bare ones first.
    pub const ALL: [Self; 2] = [Self::Driver, Self::Runtime];

    /// The layer in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Runtime => "runtime",
        }
    }

    /// Whether the layer can be used here.
    #[must_use]
    pub fn works(self, gpu: &Gpu) -> bool {
        match self {
            Self::Driver => true,
            Self::Runtime => gpu.runtime.is_some(),
        }
    }
}

impl Copy<'_> {
    /// Which way the copy goes.
    #[must_use]
    pub fn direction(&self) -> Direction {
        match (on_device(self.dst), on_device(self.src)) {
            (true, true) => Direction::OnDevice,
            (false, true) => Direction::FromDevice,
            (_, false) => Direction::ToDevice,
        }
    }

    /// Makes the copy and waits for it, as the layer's function without `Async` does.
    ///
    /// # Panics
    ///
    /// When CUDA refuses: then no time would mean anything.
    #[inline]
    pub fn wait(&self, layer: Layer) {
        assert!(self.fits());
        match layer {
            Layer::Driver => self.driver(),
            Layer::Runtime => self.runtime(),
        }
    }

    /// Puts the copy into a stream.
    ///
    /// # Panics
    ///
    /// When CUDA refuses.
    #[inline]
    pub fn enqueue(&self, layer: Layer, stream: Stream) {
        assert!(self.fits());
        match layer {
            Layer::Driver => self.driver_async(stream),
            Layer::Runtime => self.runtime_async(stream),
        }
    }

    #[inline]
    fn fits(&self) -> bool {
        self.bytes <= self.dst.bytes() && self.bytes <= self.src.bytes()
    }

    fn driver(&self) {
        let Self {
            gpu,
            dst,
            src,
            bytes,
        } = *self;
        let driver = gpu.driver;
        let status = match self.direction() {
            // SAFETY: both blocks are alive and have this many bytes.
            Direction::ToDevice => unsafe {
                driver.cuMemcpyHtoD_v2(dst.address(), src.pointer(), bytes)
            },
            // SAFETY: as above.
            Direction::FromDevice => unsafe {
                driver.cuMemcpyDtoH_v2(dst.pointer(), src.address(), bytes)
            },
            // SAFETY: as above.
            Direction::OnDevice => unsafe {
                driver.cuMemcpyDtoD_v2(dst.address(), src.address(), bytes)
            },
        };
        assert_eq!(status, CUresult::CUDA_SUCCESS);
    }

    fn driver_async(&self, stream: Stream) {
        let Self {
            gpu,
            dst,
            src,
            bytes,
        } = *self;
        let driver = gpu.driver;
        let stream = stream.handle();
        let status = match self.direction() {
            // SAFETY: both blocks have this many bytes and live until the stream was waited for.
            Direction::ToDevice => unsafe {
                driver.cuMemcpyHtoDAsync_v2(dst.address(), src.pointer(), bytes, stream)
            },
            // SAFETY: as above.
            Direction::FromDevice => unsafe {
                driver.cuMemcpyDtoHAsync_v2(dst.pointer(), src.address(), bytes, stream)
            },
            // SAFETY: as above.
            Direction::OnDevice => unsafe {
                driver.cuMemcpyDtoDAsync_v2(dst.address(), src.address(), bytes, stream)
            },
        };
        assert_eq!(status, CUresult::CUDA_SUCCESS);
    }

    fn kind(&self) -> cudaMemcpyKind {
        match self.direction() {
            Direction::ToDevice => cudaMemcpyKind::cudaMemcpyHostToDevice,
            Direction::FromDevice => cudaMemcpyKind::cudaMemcpyDeviceToHost,
            Direction::OnDevice => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
        }
    }

    fn runtime(&self) {
        let runtime = self.gpu.runtime.expect("the layer works here");
        let (dst, src) = (self.dst.pointer(), self.src.pointer());
        // SAFETY: both blocks are alive and have this many bytes.
        let status = unsafe { runtime.cudaMemcpy(dst, src, self.bytes, self.kind()) };
        assert_eq!(status, cudaError_t::cudaSuccess);
    }

    fn runtime_async(&self, stream: Stream) {
        let runtime = self.gpu.runtime.expect("the layer works here");
        let (dst, src) = (self.dst.pointer(), self.src.pointer());
        let stream = stream.handle();
        // SAFETY: both blocks have this many bytes and live until the stream was waited for.
        let status = unsafe { runtime.cudaMemcpyAsync(dst, src, self.bytes, self.kind(), stream) };
        assert_eq!(status, cudaError_t::cudaSuccess);
    }
}

/// Whether a block lies on the device; managed memory is used from the host's side here.
fn on_device(block: &Block) -> bool {
    matches!(block.class(), Class::Device | Class::Pool)
}
