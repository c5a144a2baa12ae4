use core::ffi::c_void;
use core::ptr;

use cuda_sys::driver::{
    CU_MEMHOSTALLOC_PORTABLE, CUcontext, CUmemAttach_flags, CUresult, CUstream, Driver,
};
use cuda_sys::runtime::{Runtime, cudaError_t};
use cuwhy_validate::facts::Owner;
use cuwhy_validate::{Class as Known, Registry, Span};

/// The first GPU of this machine, with its primary context current on this thread.
#[derive(Debug, Clone, Copy)]
pub struct Gpu {
    /// The driver.
    pub driver: &'static Driver,
    /// The runtime, which uses the same context; `None` where there is none that works.
    pub runtime: Option<&'static Runtime>,
    context: CUcontext,
}

// SAFETY: a context may be used from any thread; the rest are shared references.
unsafe impl Send for Gpu {}
// SAFETY: as above.
unsafe impl Sync for Gpu {}

/// A stream of this program; it lives for good.
#[derive(Debug, Clone, Copy)]
pub struct Stream(CUstream);

impl Stream {
    /// The legacy default stream.
    pub const LEGACY: Self = Self(ptr::null_mut());

    /// The handle, as both APIs take it.
    #[must_use]
    pub fn handle(self) -> CUstream {
        self.0
    }
}

/// The kinds of memory that a copy meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Memory that CUDA was never told of.
    Pageable,
    /// `cuMemHostAlloc`.
    Pinned,
    /// Pageable memory that was given to `cuMemHostRegister`.
    Registered,
    /// `cuMemAllocManaged`.
    Managed,
    /// `cuMemAlloc`.
    Device,
    /// `cuMemAllocAsync`, from the device's default pool.
    Pool,
}

/// A piece of memory of some class, freed when dropped.
#[derive(Debug)]
pub struct Block {
    gpu: Gpu,
    class: Class,
    address: u64,
    bytes: usize,
}

impl Gpu {
    /// Opens both libraries and makes the first GPU's primary context current.
    ///
    /// # Errors
    ///
    /// Why there is no GPU to measure on, in words.
    pub fn open() -> Result<Self, String> {
        let driver = Driver::get().map_err(|error| error.to_string())?;
        // SAFETY: `cuInit` may be called at any time.
        done("cuInit", unsafe { driver.cuInit(0) })?;
        let mut device = 0;
        // SAFETY: `device` is a live `CUdevice`.
        done("cuDeviceGet", unsafe {
            driver.cuDeviceGet(&raw mut device, 0)
        })?;
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a live handle and the device was just given by the driver.
        let status = unsafe { driver.cuDevicePrimaryCtxRetain(&raw mut context, device) };
        done("cuDevicePrimaryCtxRetain", status)?;
        let mut gpu = Self {
            driver,
            runtime: None,
            context,
        };
        gpu.enter()?;
        gpu.runtime = Runtime::get().ok().filter(|runtime| {
            // SAFETY: the runtime's calls have no preconditions.
            let status = unsafe { runtime.cudaSetDevice(0) };
            status == cudaError_t::cudaSuccess
        });
        Ok(gpu)
    }

    /// Makes the context current on the calling thread.
    ///
    /// # Errors
    ///
    /// The driver's answer.
    pub fn enter(&self) -> Result<(), String> {
        // SAFETY: the context is retained until the process ends.
        done("cuCtxSetCurrent", unsafe {
            self.driver.cuCtxSetCurrent(self.context)
        })
    }

    /// Creates a stream that does not wait for the legacy default stream.
    ///
    /// # Errors
    ///
    /// The driver's answer.
    pub fn stream(&self) -> Result<Stream, String> {
        let mut stream = ptr::null_mut();
        // SAFETY: `stream` is a live handle; 1 is `CU_STREAM_NON_BLOCKING`.
        done("cuStreamCreate", unsafe {
            self.driver.cuStreamCreate(&raw mut stream, 1)
        })?;
        Ok(Stream(stream))
    }

    /// Waits for everything on a stream.
    ///
    /// # Errors
    ///
    /// The driver's answer.
    pub fn wait(&self, stream: Stream) -> Result<(), String> {
        // SAFETY: a stream of this program lives for good.
        done("cuStreamSynchronize", unsafe {
            self.driver.cuStreamSynchronize(stream.0)
        })
    }

    /// Takes `bytes` of memory of a class.
    ///
    /// Host memory is written to once, so that every page is there before a time is taken.
    ///
    /// # Errors
    ///
    /// The driver's answer.
    pub fn block(&self, class: Class, bytes: usize) -> Result<Block, String> {
        let mut host: *mut c_void = ptr::null_mut();
        let mut device = 0;
        match class {
            Class::Pageable => host = pages(bytes)?,
            Class::Registered => {
                host = pages(bytes)?;
                // SAFETY: the pages are mapped and belong to this block alone.
                let status = unsafe { self.driver.cuMemHostRegister_v2(host, bytes, 0) };
                if let Err(error) = done("cuMemHostRegister", status) {
                    unmap(host, bytes);
                    return Err(error);
                }
            }
            Class::Pinned => {
                let flags = CU_MEMHOSTALLOC_PORTABLE;
                // SAFETY: `host` is a live pointer.
                let status = unsafe { self.driver.cuMemHostAlloc(&raw mut host, bytes, flags) };
                done("cuMemHostAlloc", status)?;
            }
            Class::Managed => {
                let flags = CUmemAttach_flags::CU_MEM_ATTACH_GLOBAL.0;
                // SAFETY: `device` is a live `CUdeviceptr`.
                let status =
                    unsafe { self.driver.cuMemAllocManaged(&raw mut device, bytes, flags) };
                done("cuMemAllocManaged", status)?;
                host = ptr::with_exposed_provenance_mut(usize::try_from(device).unwrap_or(0));
            }
            Class::Device => {
                // SAFETY: `device` is a live `CUdeviceptr`.
                let status = unsafe { self.driver.cuMemAlloc_v2(&raw mut device, bytes) };
                done("cuMemAlloc", status)?;
            }
            Class::Pool => {
                let stream = ptr::null_mut();
                // SAFETY: `device` is a live `CUdeviceptr`; null is the legacy default stream.
                let status = unsafe { self.driver.cuMemAllocAsync(&raw mut device, bytes, stream) };
                done("cuMemAllocAsync", status)?;
                self.wait(Stream::LEGACY)?;
            }
        }
        if !host.is_null() {
            // SAFETY: this many bytes were just given to us, and the host may write all of them.
            unsafe { ptr::write_bytes(host.cast::<u8>(), 1, bytes) };
        }
        let address = if host.is_null() {
            device
        } else {
            host.expose_provenance() as u64
        };
        Ok(Block {
            gpu: *self,
            class,
            address,
            bytes,
        })
    }
}

impl Class {
    /// Every class, host memory first.
    pub const ALL: [Self; 6] = [
        Self::Pageable,
        Self::Pinned,
        Self::Registered,
        Self::Managed,
        Self::Device,
        Self::Pool,
    ];

    /// The class in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pageable => "pageable",
            Self::Pinned => "pinned",
            Self::Registered => "registered",
            Self::Managed => "managed",
            Self::Device => "device",
            Self::Pool => "pool",
        }
    }
}

impl Block {
    /// The address, as the driver takes it.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The address, as the runtime takes it.
    #[must_use]
    pub fn pointer(&self) -> *mut c_void {
        ptr::with_exposed_provenance_mut(usize::try_from(self.address).unwrap_or(0))
    }

    /// How many bytes there are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Tells a registry of it, as whoever allocates does; of pageable memory nobody tells.
    pub fn tell(&self, registry: &Registry) {
        let class = match self.class {
            Class::Pageable => return,
            Class::Pinned => Known::Pinned,
            Class::Registered => Known::Registered,
            Class::Managed => Known::Managed,
            Class::Device => Known::Device,
            Class::Pool => Known::Pool,
        };
        let mut owner = Owner::of(class);
        owner.range = Some(Span::sized(self.address, self.bytes as u64));
        owner.device = Some(0);
        registry.allocated(owner);
    }

    /// What kind of memory it is.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let driver = self.gpu.driver;
        let status = match self.class {
            Class::Pageable => CUresult::CUDA_SUCCESS,
            // SAFETY: the block was registered and no copy of ours is in flight.
            Class::Registered => unsafe { driver.cuMemHostUnregister(self.pointer()) },
            // SAFETY: the block came from `cuMemHostAlloc` and no copy of ours is in flight.
            Class::Pinned => unsafe { driver.cuMemFreeHost(self.pointer()) },
            // SAFETY: the block came from the driver and no copy of ours is in flight.
            Class::Managed | Class::Device | Class::Pool => unsafe {
                driver.cuMemFree_v2(self.address)
            },
        };
        // A program that measures and ends has nothing to do about memory that will not go.
        let _ = status;
        if matches!(self.class, Class::Pageable | Class::Registered) {
            unmap(self.pointer(), self.bytes);
        }
    }
}

/// Maps pages of ordinary memory.
fn pages(bytes: usize) -> Result<*mut c_void, String> {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping touches nothing that exists.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, rights, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(format!(
            "mmap of {bytes} bytes: {}",
            std::io::Error::last_os_error()
        ));
    }
    Ok(start)
}

fn unmap(start: *mut c_void, bytes: usize) {
    // SAFETY: the mapping came from `pages` with this size and nobody uses it any more.
    unsafe { libc::munmap(start, bytes) };
}

/// Turns a status into a sentence.
fn done(call: &str, status: CUresult) -> Result<(), String> {
    match status {
        CUresult::CUDA_SUCCESS => Ok(()),
        other => Err(format!(
            "{call} answers {} ({})",
            other.0,
            other.name().unwrap_or("unknown")
        )),
    }
}
