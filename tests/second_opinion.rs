//! Another second opinion on layouts: the types that `cuda-driver-sys` has too, made by other people
//! from the headers of CUDA 10.2.
//!
//! That crate asks the linker for libcuda even for its types alone; `build.rs` gives it an empty one,
//! and because no function is used this program does not load it.

use core::mem::offset_of;

use cuda_driver_sys as theirs;
use cuda_sys::driver as ours;

macro_rules! same {
    ($($kind:ident { $($field:ident)* })*) => {
        $(
            assert_eq!(
                (size_of::<ours::$kind>(), align_of::<ours::$kind>()),
                (size_of::<theirs::$kind>(), align_of::<theirs::$kind>()),
                stringify!($kind),
            );
            $(assert_eq!(
                offset_of!(ours::$kind, $field),
                offset_of!(theirs::$kind, $field),
                stringify!($kind.$field),
            );)*
        )*
    };
}

#[test]
fn the_structs_of_copies_are_laid_out_the_same() {
    same! {
        CUDA_MEMCPY2D_st {
            srcXInBytes srcY srcMemoryType srcHost srcDevice srcArray srcPitch
            dstXInBytes dstY dstMemoryType dstHost dstDevice dstArray dstPitch
            WidthInBytes Height
        }
        CUDA_MEMCPY3D_st {
            srcXInBytes srcY srcZ srcLOD srcMemoryType srcHost srcDevice srcArray reserved0
            srcPitch srcHeight
            dstXInBytes dstY dstZ dstLOD dstMemoryType dstHost dstDevice dstArray reserved1
            dstPitch dstHeight
            WidthInBytes Height Depth
        }
        CUDA_MEMCPY3D_PEER_st {
            srcXInBytes srcY srcZ srcLOD srcMemoryType srcHost srcDevice srcArray srcContext
            srcPitch srcHeight
            dstXInBytes dstY dstZ dstLOD dstMemoryType dstHost dstDevice dstArray dstContext
            dstPitch dstHeight
            WidthInBytes Height Depth
        }
        CUDA_MEMSET_NODE_PARAMS_st { dst pitch value elementSize width height }
    }
}

#[test]
fn the_types_of_memory_are_laid_out_the_same() {
    same! {
        CUDA_ARRAY_DESCRIPTOR_st { Width Height Format NumChannels }
        CUDA_ARRAY3D_DESCRIPTOR_st { Width Height Depth Format NumChannels Flags }
        CUDA_RESOURCE_DESC_st { resType res flags }
        CUDA_POINTER_ATTRIBUTE_P2P_TOKENS_st { p2pToken vaSpaceToken }
        CUmemLocation_st { type_ }
        CUmemAccessDesc_st { location flags }
        CUmemAllocationProp_st { type_ requestedHandleTypes location win32HandleMetaData }
        CUipcMemHandle_st { reserved }
        CUDA_EXTERNAL_MEMORY_HANDLE_DESC_st { type_ handle size flags reserved }
        CUDA_EXTERNAL_MEMORY_BUFFER_DESC_st { offset size flags reserved }
        CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC_st { offset arrayDesc numLevels reserved }
    }
    assert_eq!(
        offset_of!(ours::CUmemLocation_st, __bindgen_anon_1.id),
        offset_of!(theirs::CUmemLocation_st, id),
    );
}

#[test]
fn the_other_types_of_both_are_laid_out_the_same() {
    same! {
        CUuuid_st { bytes }
        CUdevprop_st {
            maxThreadsPerBlock maxThreadsDim maxGridSize sharedMemPerBlock totalConstantMemory
            SIMDWidth memPitch regsPerBlock clockRate textureAlign
        }
        CUDA_TEXTURE_DESC_st {
            addressMode filterMode flags maxAnisotropy mipmapFilterMode mipmapLevelBias
            minMipmapLevelClamp maxMipmapLevelClamp borderColor reserved
        }
        CUDA_RESOURCE_VIEW_DESC_st {
            format width height depth firstMipmapLevel lastMipmapLevel firstLayer lastLayer reserved
        }
        CUDA_KERNEL_NODE_PARAMS_st {
            func gridDimX gridDimY gridDimZ blockDimX blockDimY blockDimZ sharedMemBytes
            kernelParams extra
        }
        CUDA_HOST_NODE_PARAMS_st { fn_ userData }
        CUDA_LAUNCH_PARAMS_st {
            function gridDimX gridDimY gridDimZ blockDimX blockDimY blockDimZ sharedMemBytes
            hStream kernelParams
        }
        CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC_st { type_ handle flags reserved }
        CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS_st { params flags reserved }
        CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS_st { params flags reserved }
        CUstreamBatchMemOpParams_union { operation waitValue writeValue flushRemoteWrites pad }
    }
}

#[test]
fn status_codes_have_the_same_numbers() {
    let same = [
        (
            ours::CUresult::CUDA_ERROR_INVALID_VALUE,
            theirs::cudaError_enum::CUDA_ERROR_INVALID_VALUE,
        ),
        (
            ours::CUresult::CUDA_ERROR_INVALID_CONTEXT,
            theirs::cudaError_enum::CUDA_ERROR_INVALID_CONTEXT,
        ),
        (
            ours::CUresult::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND,
            theirs::cudaError_enum::CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND,
        ),
        (
            ours::CUresult::CUDA_ERROR_ILLEGAL_ADDRESS,
            theirs::cudaError_enum::CUDA_ERROR_ILLEGAL_ADDRESS,
        ),
    ];
    for (ours, theirs) in same {
        assert_eq!(i64::from(ours.0), theirs as i64);
    }
}

#[test]
fn this_program_does_not_load_libcuda() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    assert!(!maps.contains("libcuda.so"), "{maps}");
}
