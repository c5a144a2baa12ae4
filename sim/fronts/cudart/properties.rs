//! `cudaGetDeviceProperties`, in the layout of each major, from the driver's attributes.

use core::ffi::{c_char, c_int};
use core::ptr;
#[cfg(major = "13")]
use std::sync::OnceLock;

use cuda_sys::driver::{CUdevice_attribute, CUuuid};
use cuda_sys::runtime::cudaError_t;

#[cfg(major = "12")]
use super::entry::put;
use super::entry::{Answer, Call, driver};
use super::own;

/// Asks a device for its attributes; one that the driver does not know of is 0, as in a zeroed struct.
struct Device<'call> {
    call: &'call Call,
    ordinal: c_int,
}

impl Device<'_> {
    fn number(&self, attribute: CUdevice_attribute) -> c_int {
        let (call, mut value) = (self.call, 0);
        match driver!(call.cuDeviceGetAttribute(&raw mut value, attribute, self.ordinal)) {
            Ok(()) => value,
            Err(_) => 0,
        }
    }

    fn size(&self, attribute: CUdevice_attribute) -> usize {
        usize::try_from(self.number(attribute)).unwrap_or_default()
    }
}

/// Fills the fields that every major has.
macro_rules! common {
    ($found:ident, $device:ident) => {{
        let call = $device.call;
        let mut name: [c_char; 256] = [0; 256];
        driver!(call.cuDeviceGetName(name.as_mut_ptr(), 256, $device.ordinal))?;
        $found.name = name;
        let mut uuid = CUuuid::default();
        driver!(call.cuDeviceGetUuid_v2(&raw mut uuid, $device.ordinal))?;
        $found.uuid = uuid;
        let mut total = 0;
        driver!(call.cuDeviceTotalMem_v2(&raw mut total, $device.ordinal))?;
        $found.totalGlobalMem = total;
        fields!($found, $device, size:
            sharedMemPerBlock = CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, memPitch = CU_DEVICE_ATTRIBUTE_MAX_PITCH, totalConstMem = CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY,
            textureAlignment = CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, texturePitchAlignment = CU_DEVICE_ATTRIBUTE_TEXTURE_PITCH_ALIGNMENT,
            surfaceAlignment = CU_DEVICE_ATTRIBUTE_SURFACE_ALIGNMENT, sharedMemPerMultiprocessor = CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
            sharedMemPerBlockOptin = CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            reservedSharedMemPerBlock = CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK);
        fields!($found, $device, number:
            regsPerBlock = CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, warpSize = CU_DEVICE_ATTRIBUTE_WARP_SIZE, maxThreadsPerBlock = CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK,
            major = CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, minor = CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            multiProcessorCount = CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, integrated = CU_DEVICE_ATTRIBUTE_INTEGRATED,
            canMapHostMemory = CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, maxTexture1D = CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_WIDTH,
            maxTexture1DMipmap = CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_MIPMAPPED_WIDTH, maxTextureCubemap = CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURECUBEMAP_WIDTH,
            maxSurface1D = CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE1D_WIDTH, maxSurfaceCubemap = CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACECUBEMAP_WIDTH,
            concurrentKernels = CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, ECCEnabled = CU_DEVICE_ATTRIBUTE_ECC_ENABLED, pciBusID = CU_DEVICE_ATTRIBUTE_PCI_BUS_ID,
            pciDeviceID = CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, pciDomainID = CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, tccDriver = CU_DEVICE_ATTRIBUTE_TCC_DRIVER,
            asyncEngineCount = CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, unifiedAddressing = CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING,
            memoryBusWidth = CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, l2CacheSize = CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE,
            persistingL2CacheMaxSize = CU_DEVICE_ATTRIBUTE_MAX_PERSISTING_L2_CACHE_SIZE,
            maxThreadsPerMultiProcessor = CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
            streamPrioritiesSupported = CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, globalL1CacheSupported = CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED,
            localL1CacheSupported = CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED, regsPerMultiprocessor = CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR,
            managedMemory = CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, isMultiGpuBoard = CU_DEVICE_ATTRIBUTE_MULTI_GPU_BOARD,
            multiGpuBoardGroupID = CU_DEVICE_ATTRIBUTE_MULTI_GPU_BOARD_GROUP_ID, hostNativeAtomicSupported = CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED,
            pageableMemoryAccess = CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, concurrentManagedAccess = CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS,
            computePreemptionSupported = CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED,
            canUseHostPointerForRegisteredMem = CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM,
            cooperativeLaunch = CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH,
            pageableMemoryAccessUsesHostPageTables = CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES,
            directManagedMemAccessFromHost = CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST,
            maxBlocksPerMultiProcessor = CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR,
            accessPolicyMaxWindowSize = CU_DEVICE_ATTRIBUTE_MAX_ACCESS_POLICY_WINDOW_SIZE);
        fields!($found, $device, numbers:
            maxThreadsDim = [CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z],
            maxGridSize = [CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z],
            maxTexture2D = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_HEIGHT],
            maxTexture2DMipmap = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_MIPMAPPED_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_MIPMAPPED_HEIGHT],
            maxTexture2DLinear = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_HEIGHT, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_PITCH],
            maxTexture2DGather = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_GATHER_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_GATHER_HEIGHT],
            maxTexture3D = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_HEIGHT, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_DEPTH],
            maxTexture3DAlt = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_WIDTH_ALTERNATE, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_HEIGHT_ALTERNATE, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_DEPTH_ALTERNATE],
            maxTexture1DLayered = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LAYERED_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LAYERED_LAYERS],
            maxTexture2DLayered = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_HEIGHT, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_LAYERS],
            maxTextureCubemapLayered = [CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURECUBEMAP_LAYERED_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURECUBEMAP_LAYERED_LAYERS],
            maxSurface2D = [CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE2D_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE2D_HEIGHT],
            maxSurface3D = [CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE3D_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE3D_HEIGHT, CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE3D_DEPTH],
            maxSurface1DLayered = [CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE1D_LAYERED_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE1D_LAYERED_LAYERS],
            maxSurface2DLayered = [CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE2D_LAYERED_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE2D_LAYERED_HEIGHT, CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE2D_LAYERED_LAYERS],
            maxSurfaceCubemapLayered = [CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACECUBEMAP_LAYERED_WIDTH, CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACECUBEMAP_LAYERED_LAYERS]);
    }};
}

/// Fills the fields that CUDA 13 dropped.
#[cfg(not(major = "13"))]
macro_rules! until_12 {
    ($found:ident, $device:ident) => {
        fields!($found, $device, number:
            clockRate = CU_DEVICE_ATTRIBUTE_CLOCK_RATE, deviceOverlap = CU_DEVICE_ATTRIBUTE_GPU_OVERLAP, kernelExecTimeoutEnabled = CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT,
            computeMode = CU_DEVICE_ATTRIBUTE_COMPUTE_MODE, maxTexture1DLinear = CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LINEAR_WIDTH,
            memoryClockRate = CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,
            singleToDoublePrecisionPerfRatio = CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO,
            cooperativeMultiDeviceLaunch = CU_DEVICE_ATTRIBUTE_COOPERATIVE_MULTI_DEVICE_LAUNCH);
    };
}

/// Fills the fields that CUDA 12 brought.
#[cfg(not(major = "11"))]
macro_rules! since_12 {
    ($found:ident, $device:ident) => {
        fields!($found, $device, number:
            hostRegisterSupported = CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, sparseCudaArraySupported = CU_DEVICE_ATTRIBUTE_SPARSE_CUDA_ARRAY_SUPPORTED,
            hostRegisterReadOnlySupported = CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED,
            timelineSemaphoreInteropSupported = CU_DEVICE_ATTRIBUTE_TIMELINE_SEMAPHORE_INTEROP_SUPPORTED,
            memoryPoolsSupported = CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, gpuDirectRDMASupported = CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED,
            gpuDirectRDMAWritesOrdering = CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WRITES_ORDERING,
            deferredMappingCudaArraySupported = CU_DEVICE_ATTRIBUTE_DEFERRED_MAPPING_CUDA_ARRAY_SUPPORTED,
            ipcEventSupported = CU_DEVICE_ATTRIBUTE_IPC_EVENT_SUPPORTED, clusterLaunch = CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH,
            unifiedFunctionPointers = CU_DEVICE_ATTRIBUTE_UNIFIED_FUNCTION_POINTERS);
        fields!($found, $device, bits:
            gpuDirectRDMAFlushWritesOptions = CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_FLUSH_WRITES_OPTIONS,
            memoryPoolSupportedHandleTypes = CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES);
    };
}

/// Fills the fields that CUDA 13 brought.
#[cfg(major = "13")]
macro_rules! since_13 {
    ($found:ident, $device:ident) => {
        fields!($found, $device, number:
            deviceNumaConfig = CU_DEVICE_ATTRIBUTE_NUMA_CONFIG, deviceNumaId = CU_DEVICE_ATTRIBUTE_NUMA_ID,
            mpsEnabled = CU_DEVICE_ATTRIBUTE_MPS_ENABLED, hostNumaId = CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID,
            hostNumaMultinodeIpcSupported = CU_DEVICE_ATTRIBUTE_HOST_NUMA_MULTINODE_IPC_SUPPORTED);
        fields!($found, $device, bits:
            gpuPciDeviceID = CU_DEVICE_ATTRIBUTE_GPU_PCI_DEVICE_ID,
            gpuPciSubsystemID = CU_DEVICE_ATTRIBUTE_GPU_PCI_SUBSYSTEM_ID);
    };
}

/// `field = ATTRIBUTE`, read as a size, a number, a set of bits or several numbers.
macro_rules! fields {
    ($found:ident, $device:ident, numbers: $($field:ident = [$($attribute:ident),*]),* $(,)?) => {
        $($found.$field = [$($device.number(CUdevice_attribute::$attribute)),*];)*
    };
    ($found:ident, $device:ident, bits: $($field:ident = $attribute:ident),* $(,)?) => {
        $($found.$field = $device.number(CUdevice_attribute::$attribute).cast_unsigned();)*
    };
    ($found:ident, $device:ident, $read:ident: $($field:ident = $attribute:ident),* $(,)?) => {
        $($found.$field = $device.$read(CUdevice_attribute::$attribute);)*
    };
}

/// Writes the properties of a device in the layout of this major.
#[cfg(not(major = "12"))]
pub(crate) unsafe fn cudaGetDeviceProperties(
    call: &Call,
    place: *mut own::cudaDeviceProp,
    ordinal: c_int,
) -> Answer {
    // SAFETY: the caller's place.
    unsafe { current(call, place, ordinal) }
}

/// Writes the properties of a device in the layout of CUDA 12.
#[cfg(major = "12")]
pub(crate) unsafe fn cudaGetDeviceProperties_v2(
    call: &Call,
    place: *mut own::cudaDeviceProp,
    ordinal: c_int,
) -> Answer {
    // SAFETY: the caller's place.
    unsafe { current(call, place, ordinal) }
}

/// Writes the properties of a device in the layout of CUDA 11, for programs that were built against that.
#[cfg(major = "12")]
pub(crate) unsafe fn cudaGetDeviceProperties(
    call: &Call,
    place: *mut cuda_sys::runtime::v11::cudaDeviceProp,
    ordinal: c_int,
) -> Answer {
    call.valid(ordinal)?;
    let device = Device { call, ordinal };
    let mut found = cuda_sys::runtime::v11::cudaDeviceProp::default();
    common!(found, device);
    until_12!(found, device);
    // SAFETY: the caller's place.
    unsafe { put(place, found) }
}

unsafe fn current(call: &Call, place: *mut own::cudaDeviceProp, ordinal: c_int) -> Answer {
    let index = call.valid(ordinal)?;
    let found = match known(index) {
        Some(found) => found,
        None => collect(call, ordinal)?,
    };
    if place.is_null() {
        return Err(cudaError_t::cudaErrorInvalidValue);
    }
    // SAFETY: the caller's place; what is reserved behind the last field stays as it was.
    unsafe {
        ptr::copy_nonoverlapping((&raw const found).cast::<u8>(), place.cast::<u8>(), WRITTEN);
    }
    Ok(())
}

/// Asks the driver for everything.
fn collect(call: &Call, ordinal: c_int) -> Result<own::cudaDeviceProp, cudaError_t> {
    let device = Device { call, ordinal };
    let mut found = own::cudaDeviceProp::default();
    common!(found, device);
    #[cfg(not(major = "13"))]
    until_12!(found, device);
    #[cfg(not(major = "11"))]
    since_12!(found, device);
    #[cfg(major = "13")]
    since_13!(found, device);
    Ok(found)
}

/// What was learned when the driver was initialised: since CUDA 13 nobody is asked again.
#[cfg(major = "13")]
static LEARNED: OnceLock<Vec<own::cudaDeviceProp>> = OnceLock::new();

/// Learns the properties of all devices.
#[cfg(major = "13")]
pub(crate) fn learn(call: &Call, count: c_int) {
    let all: Result<Vec<_>, _> = (0..count).map(|ordinal| collect(call, ordinal)).collect();
    if let Ok(all) = all {
        LEARNED.get_or_init(|| all);
    }
}

#[cfg(major = "13")]
fn known(index: usize) -> Option<own::cudaDeviceProp> {
    LEARNED.get()?.get(index).copied()
}

#[cfg(not(major = "13"))]
fn known(_index: usize) -> Option<own::cudaDeviceProp> {
    None
}

/// How much of the struct is written.
#[cfg(major = "11")]
const WRITTEN: usize = size_of::<own::cudaDeviceProp>();
#[cfg(not(major = "11"))]
const WRITTEN: usize = core::mem::offset_of!(own::cudaDeviceProp, reserved);
