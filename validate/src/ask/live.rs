//! Answers from the driver and the kernel.

use super::attributes::{Level, query};
use super::hostmap::HostMap;
use super::{Ask, Host, Pointer};
use crate::facts::{Access, ArrayFacts, Capture, Current, Environment};
use crate::{Call, Span, Stream};
use core::ffi::c_int;
use core::ptr;
use cuda_sys::driver::{
    CUDA_ARRAY3D_DESCRIPTOR, CUarray_format, CUdevice_attribute, CUmemAccess_flags, CUmemLocation,
    CUmemLocation_st__bindgen_ty_1, CUmemLocationType, CUresult, CUstream, CUstreamCaptureMode,
    CUstreamCaptureStatus, Table,
};
use std::sync::{Mutex, OnceLock};

/// Asks the driver behind a table, and the kernel about host memory.
///
/// Every question is one that creates no context, changes no last error and is allowed while a
/// stream captures. The plural query is the only one put for an address that CUDA may not know:
/// the singular one fails there and writes into the driver's own error log.
///
/// Addresses are looked up; handles are followed. A question about an array, a stream or a pool that is
/// none can end the process, as any call with it would, so a check asks about streams and arrays that the
/// registry knows or a layer answers for, and about pools that the driver named. What an array is that
/// nobody answers for cannot be told, unless [`following_arrays`](Self::following_arrays) promises it.
#[derive(Debug)]
pub struct Live<'a> {
    table: &'a Table,
    host: HostMap,
    level: Level,
    devices: Mutex<Vec<DeviceFacts>>,
    count: OnceLock<i32>,
    follows_arrays: bool,
    runtime_major: Option<u32>,
}

/// What never changes about a device.
#[derive(Debug, Clone, Default)]
struct DeviceFacts {
    ordinal: i32,
    pageable_access: Option<bool>,
    max_pitch: Option<u64>,
    name: Option<String>,
}

impl<'a> Live<'a> {
    /// Asks through this table; for a loaded driver, `&**driver`.
    #[must_use]
    pub fn new(table: &'a Table) -> Self {
        Self {
            table,
            host: HostMap::open(),
            level: Level::newest(),
            devices: Mutex::new(Vec::new()),
            count: OnceLock::new(),
            follows_arrays: false,
            runtime_major: None,
        }
    }

    /// The same for a program whose calls of the runtime are those of this major version.
    #[must_use]
    pub const fn with_runtime(mut self, major: u32) -> Self {
        self.runtime_major = Some(major);
        self
    }

    /// The same, asking the driver about every array of a call, whether the registry knows it or not.
    ///
    /// # Safety
    ///
    /// Every array handle in a call that is judged with these answers is that of an array that is alive.
    #[must_use]
    pub const unsafe fn following_arrays(mut self) -> Self {
        self.follows_arrays = true;
        self
    }

    fn current(&self) -> Current {
        let mut context = ptr::null_mut();
        // SAFETY: `context` is a live handle and the driver writes nothing past it.
        let status = unsafe { self.table.cuCtxGetCurrent(&raw mut context) };
        if status != CUresult::CUDA_SUCCESS {
            return Current::Unknown;
        }
        if context.is_null() {
            return Current::None;
        }
        let mut device = 0;
        // SAFETY: `device` is a live `CUdevice` and the driver writes nothing past it.
        let status = unsafe { self.table.cuCtxGetDevice(&raw mut device) };
        if status == CUresult::CUDA_SUCCESS {
            Current::Device(device)
        } else {
            Current::Unknown
        }
    }

    fn attribute(&self, attribute: CUdevice_attribute, device: i32) -> Option<i32> {
        let mut value: c_int = 0;
        // SAFETY: `value` is a live `c_int` and the driver writes nothing past it.
        let status = unsafe {
            self.table
                .cuDeviceGetAttribute(&raw mut value, attribute, device)
        };
        (status == CUresult::CUDA_SUCCESS).then_some(value)
    }

    /// What never changes about a device, asked once.
    fn device(&self, ordinal: i32) -> DeviceFacts {
        let Ok(mut known) = self.devices.lock() else {
            return DeviceFacts::default();
        };
        if let Some(facts) = known.iter().find(|facts| facts.ordinal == ordinal) {
            return facts.clone();
        }
        let pageable = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS;
        let pitch = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_PITCH;
        let facts = DeviceFacts {
            ordinal,
            pageable_access: self.attribute(pageable, ordinal).map(|value| value != 0),
            max_pitch: self
                .attribute(pitch, ordinal)
                .and_then(|value| u64::try_from(value).ok()),
            name: self.name(ordinal),
        };
        known.push(facts.clone());
        facts
    }

    fn name(&self, ordinal: i32) -> Option<String> {
        let mut text = [0_u8; 256];
        let room = c_int::try_from(text.len()).ok()?;
        // SAFETY: the driver writes at most `room` bytes, and `text` has that many.
        let status = unsafe {
            self.table
                .cuDeviceGetName(text.as_mut_ptr().cast(), room, ordinal)
        };
        let end = text.iter().position(|&byte| byte == 0)?;
        (status == CUresult::CUDA_SUCCESS)
            .then(|| String::from_utf8_lossy(&text[..end]).into_owned())
    }

    /// How many devices there are, which never changes once the driver has begun.
    fn device_count(&self) -> Option<i32> {
        if let Some(&count) = self.count.get() {
            return Some(count);
        }
        let mut count: c_int = 0;
        // SAFETY: `count` is a live `c_int` and the driver writes nothing past it.
        let status = unsafe { self.table.cuDeviceGetCount(&raw mut count) };
        (status == CUresult::CUDA_SUCCESS).then(|| *self.count.get_or_init(|| count))
    }
}

/// A stream as C names it.
fn raw(stream: Stream) -> CUstream {
    let raw = match stream {
        Stream::Legacy => 1,
        Stream::PerThread => 2,
        Stream::Handle(handle) => handle,
    };
    ptr::with_exposed_provenance_mut(usize::try_from(raw).unwrap_or(0))
}

/// A location that is a device.
fn at_device(device: i32) -> CUmemLocation {
    CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        __bindgen_anon_1: CUmemLocation_st__bindgen_ty_1 { id: device },
    }
}

impl Ask for Live<'_> {
    fn pointer(&self, address: u64) -> Pointer {
        query(self.table, &self.level, address)
    }

    fn mapped_range(&self, address: u64) -> Option<Span> {
        let (mut base, mut bytes) = (0, 0_usize);
        // SAFETY: both are live numbers of the C types' sizes; the address is looked up, not followed.
        let status = unsafe {
            self.table
                .cuMemGetAddressRange_v2(&raw mut base, &raw mut bytes, address)
        };
        (status == CUresult::CUDA_SUCCESS).then(|| Span::sized(base, bytes as u64))
    }

    fn access(&self, address: u64, device: i32) -> Access {
        let mut flags = 0;
        let location = at_device(device);
        // SAFETY: `flags` and `location` are alive; the address is looked up, not followed.
        let status = unsafe {
            self.table
                .cuMemGetAccess(&raw mut flags, &raw const location, address)
        };
        match status {
            CUresult::CUDA_SUCCESS => Access::from_flags(flags),
            _ => Access::Unknown,
        }
    }

    unsafe fn pool_access(&self, pool: u64, device: i32) -> Access {
        // Measured: the question would end a capture of this thread's, unless it says that it knows what it does.
        let mut mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED;
        // SAFETY: `mode` is a live value, which the driver exchanges with the thread's.
        let relaxed = unsafe { self.table.cuThreadExchangeStreamCaptureMode(&raw mut mode) };
        if relaxed != CUresult::CUDA_SUCCESS {
            return Access::Unknown;
        }
        let mut flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE;
        let mut location = at_device(device);
        let handle = ptr::with_exposed_provenance_mut(usize::try_from(pool).unwrap_or(0));
        // SAFETY: the caller answers for the pool; the other two are live values.
        let status = unsafe {
            self.table
                .cuMemPoolGetAccess(&raw mut flags, handle, &raw mut location)
        };
        // SAFETY: as above; this puts the thread's own mode back.
        let _ = unsafe { self.table.cuThreadExchangeStreamCaptureMode(&raw mut mode) };
        match status {
            CUresult::CUDA_SUCCESS => Access::from_flags(flags.0.into()),
            _ => Access::Unknown,
        }
    }

    fn vouches_for_array(&self, _handle: u64) -> bool {
        self.follows_arrays
    }

    unsafe fn array(&self, handle: u64) -> Option<ArrayFacts> {
        let mut found = CUDA_ARRAY3D_DESCRIPTOR::default();
        let array = ptr::with_exposed_provenance_mut(usize::try_from(handle).ok()?);
        // SAFETY: the caller answers for the array; `found` is a live descriptor.
        let status = unsafe { self.table.cuArray3DGetDescriptor_v2(&raw mut found, array) };
        if status != CUresult::CUDA_SUCCESS {
            return None;
        }
        Some(ArrayFacts {
            handle,
            width: found.Width as u64,
            height: found.Height as u64,
            depth: found.Depth as u64,
            element: component(found.Format)? * u64::from(found.NumChannels),
        })
    }

    fn host(&self, address: u64) -> Host {
        self.host.at(address)
    }

    fn peek(&self, address: u64) -> Option<u64> {
        super::peek::word(address)
    }

    fn device_name(&self, device: i32) -> Option<String> {
        self.device(device).name
    }

    unsafe fn stream_device(&self, stream: Stream) -> Option<i32> {
        let mut device = 0;
        let handle = raw(stream);
        // SAFETY: the caller answers for the stream; `device` is a live number.
        let result = unsafe { self.table.cuStreamGetDevice(handle, &raw mut device) };
        (result == CUresult::CUDA_SUCCESS).then_some(device)
    }

    unsafe fn capture(&self, stream: Stream) -> Capture {
        let mut status = CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE;
        let handle = raw(stream);
        // SAFETY: the caller answers for the stream; `status` is a live number.
        let result = unsafe { self.table.cuStreamIsCapturing(handle, &raw mut status) };
        match result {
            CUresult::CUDA_SUCCESS if status.0 == 0 => Capture::None,
            CUresult::CUDA_SUCCESS => Capture::ThisStream,
            CUresult::CUDA_ERROR_STREAM_CAPTURE_IMPLICIT => Capture::BlocksLegacy,
            _ => Capture::Unknown,
        }
    }

    unsafe fn within(&self, stream: Stream, act: &mut dyn FnMut()) -> bool {
        let Stream::Handle(handle) = stream else {
            return false;
        };
        let handle = ptr::with_exposed_provenance_mut(usize::try_from(handle).unwrap_or(0));
        let mut context = ptr::null_mut();
        // SAFETY: the caller answers for the stream; `context` is a live handle.
        let status = unsafe { self.table.cuStreamGetCtx(handle, &raw mut context) };
        if status != CUresult::CUDA_SUCCESS {
            return false;
        }
        // SAFETY: a stream that is alive has a context that is.
        if unsafe { self.table.cuCtxPushCurrent_v2(context) } != CUresult::CUDA_SUCCESS {
            return false;
        }
        let pushed = Pushed(self.table);
        act();
        drop(pushed);
        true
    }

    fn environment(&self, call: &Call) -> Environment {
        let mut environment = Environment {
            current: self.current(),
            runtime_major: self.runtime_major,
            ..Environment::default()
        };
        if let Current::Device(device) = environment.current {
            let facts = self.device(device);
            environment.pageable_access = facts.pageable_access;
            environment.max_pitch = facts.max_pitch;
        }
        if call.action.named_devices().is_some() || call.goes_by_its_stream() {
            environment.devices = self.device_count();
        }
        environment
    }
}

/// A context that was pushed, and goes when this does: also where what is done meanwhile panics.
struct Pushed<'a>(&'a Table);

impl Drop for Pushed<'_> {
    fn drop(&mut self) {
        let mut context = ptr::null_mut();
        // SAFETY: it takes back what was pushed; `context` is a live handle.
        let _ = unsafe { self.0.cuCtxPopCurrent_v2(&raw mut context) };
    }
}

/// Bytes of one component of an array's element.
const fn component(format: CUarray_format) -> Option<u64> {
    match format {
        CUarray_format::CU_AD_FORMAT_UNSIGNED_INT8 | CUarray_format::CU_AD_FORMAT_SIGNED_INT8 => {
            Some(1)
        }
        CUarray_format::CU_AD_FORMAT_UNSIGNED_INT16
        | CUarray_format::CU_AD_FORMAT_SIGNED_INT16
        | CUarray_format::CU_AD_FORMAT_HALF => Some(2),
        CUarray_format::CU_AD_FORMAT_UNSIGNED_INT32
        | CUarray_format::CU_AD_FORMAT_SIGNED_INT32
        | CUarray_format::CU_AD_FORMAT_FLOAT => Some(4),
        _ => None,
    }
}
