use cuda_sys::runtime::cudaMemcpyKind;
use cuwhy_validate::checker::Checker;
use cuwhy_validate::{Call, Kind};

use crate::{Block, Class, Gpu, Stream};

/// Through what a copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The driver's function, called through the table.
    Driver,
    /// The runtime's function, called through the table.
    Runtime,
    /// The driver's function, checked before.
    CheckedDriver,
    /// The runtime's function, checked before.
    CheckedRuntime,
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
    /// Who checks it in the checked layers.
    pub checker: &'a Checker<'a>,
}

impl Layer {
    /// Every layer, the bare ones first.
    pub const ALL: [Self; 4] = [
        Self::Driver,
        Self::Runtime,
        Self::CheckedDriver,
        Self::CheckedRuntime,
    ];

    /// The layer in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Runtime => "runtime",
            Self::CheckedDriver => "driver, checked",
            Self::CheckedRuntime => "runtime, checked",
        }
    }

    /// Whether the layer can be used here.
    #[must_use]
    pub fn works(self, gpu: &Gpu) -> bool {
        match self {
            Self::Driver | Self::CheckedDriver => true,
            Self::Runtime | Self::CheckedRuntime => gpu.runtime.is_some(),
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
        let status = match layer {
            Layer::Driver => self.driver(),
            Layer::Runtime => self.runtime(),
            Layer::CheckedDriver => return self.checked(&self.driver_call(), || self.driver()),
            Layer::CheckedRuntime => return self.checked(&self.runtime_call(), || self.runtime()),
        };
        assert_eq!(status, 0);
    }

    /// Puts the copy into a stream.
    ///
    /// # Panics
    ///
    /// When CUDA refuses.
    #[inline]
    pub fn enqueue(&self, layer: Layer, stream: Stream) {
        assert!(self.fits());
        let known = cuwhy_validate::Stream::Handle(stream.handle().expose_provenance() as u64);
        let status = match layer {
            Layer::Driver => self.driver_async(stream),
            Layer::Runtime => self.runtime_async(stream),
            Layer::CheckedDriver => {
                let name = match self.direction() {
                    Direction::ToDevice => "cuMemcpyHtoDAsync",
                    Direction::FromDevice => "cuMemcpyDtoHAsync",
                    Direction::OnDevice => "cuMemcpyDtoDAsync",
                };
                let call = self.driver_call().on_stream(name, known);
                return self.checked(&call, || self.driver_async(stream));
            }
            Layer::CheckedRuntime => {
                let call = self.runtime_call().on_stream("cudaMemcpyAsync", known);
                return self.checked(&call, || self.runtime_async(stream));
            }
        };
        assert_eq!(status, 0);
    }

    /// Makes a call under the eyes of the checker.
    #[inline]
    fn checked(&self, call: &Call, make: impl FnOnce() -> u32) {
        if let Err(error) = self.checker.run(call, make) {
            panic!("{error}");
        }
    }

    #[inline]
    fn driver_call(&self) -> Call {
        let name = match self.direction() {
            Direction::ToDevice => "cuMemcpyHtoD",
            Direction::FromDevice => "cuMemcpyDtoH",
            Direction::OnDevice => "cuMemcpyDtoD",
        };
        let (dst, src) = (self.dst.address(), self.src.address());
        Call::driver_copy(name, dst, src, self.bytes as u64, self.checked_kind())
    }

    #[inline]
    fn runtime_call(&self) -> Call {
        let (dst, src) = (self.dst.address(), self.src.address());
        Call::memcpy(dst, src, self.bytes as u64, self.checked_kind())
    }

    #[inline]
    fn checked_kind(&self) -> Kind {
        match self.direction() {
            Direction::ToDevice => Kind::HostToDevice,
            Direction::FromDevice => Kind::DeviceToHost,
            Direction::OnDevice => Kind::DeviceToDevice,
        }
    }

    #[inline]
    fn fits(&self) -> bool {
        self.bytes <= self.dst.bytes() && self.bytes <= self.src.bytes()
    }

    fn driver(&self) -> u32 {
        let Self {
            gpu,
            dst,
            src,
            bytes,
            ..
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
        status.0
    }

    fn driver_async(&self, stream: Stream) -> u32 {
        let Self {
            gpu,
            dst,
            src,
            bytes,
            ..
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
        status.0
    }

    fn kind(&self) -> cudaMemcpyKind {
        match self.direction() {
            Direction::ToDevice => cudaMemcpyKind::cudaMemcpyHostToDevice,
            Direction::FromDevice => cudaMemcpyKind::cudaMemcpyDeviceToHost,
            Direction::OnDevice => cudaMemcpyKind::cudaMemcpyDeviceToDevice,
        }
    }

    fn runtime(&self) -> u32 {
        let runtime = self.gpu.runtime.expect("the layer works here");
        let (dst, src) = (self.dst.pointer(), self.src.pointer());
        // SAFETY: both blocks are alive and have this many bytes.
        let status = unsafe { runtime.cudaMemcpy(dst, src, self.bytes, self.kind()) };
        status.0
    }

    fn runtime_async(&self, stream: Stream) -> u32 {
        let runtime = self.gpu.runtime.expect("the layer works here");
        let (dst, src) = (self.dst.pointer(), self.src.pointer());
        let stream = stream.handle();
        // SAFETY: both blocks have this many bytes and live until the stream was waited for.
        let status = unsafe { runtime.cudaMemcpyAsync(dst, src, self.bytes, self.kind(), stream) };
        status.0
    }
}

/// Whether a block lies on the device; managed memory is used from the host's side here.
fn on_device(block: &Block) -> bool {
    matches!(block.class(), Class::Device | Class::Pool)
}
