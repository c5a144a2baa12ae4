//! Status codes by number, and their names in both interfaces.

use crate::Api;

/// The codes that predictions use; both interfaces share the numbers but for those marked.
pub mod codes {
    /// Success.
    pub const SUCCESS: u32 = 0;
    /// An argument is out of range.
    pub const INVALID_VALUE: u32 = 1;
    /// CUDA does not work in this process.
    pub const NOT_INITIALIZED: u32 = 3;
    /// The runtime's answer to a pitch below the width.
    pub const INVALID_PITCH: u32 = 12;
    /// The runtime's answer to a name that is that of no variable.
    pub const INVALID_SYMBOL: u32 = 13;
    /// The runtime's answer to a kind that is none, or none for an array.
    pub const INVALID_DIRECTION: u32 = 21;
    /// No such device.
    pub const INVALID_DEVICE: u32 = 101;
    /// No context, or a dead one.
    pub const INVALID_CONTEXT: u32 = 201;
    /// A handle is none.
    pub const INVALID_HANDLE: u32 = 400;
    /// A kernel or a copy engine touched an address that it must not.
    pub const ILLEGAL_ADDRESS: u32 = 700;
    /// A copy engine touched an address that it must not.
    pub const LAUNCH_FAILED: u32 = 719;
    /// The range is registered already.
    pub const ALREADY_REGISTERED: u32 = 712;
    /// The range is not registered.
    pub const NOT_REGISTERED: u32 = 713;
    /// CUDA cannot do this.
    pub const NOT_SUPPORTED: u32 = 801;
    /// Something is not in a state in which this can be done.
    pub const ILLEGAL_STATE: u32 = 401;
    /// The operation is not permitted while the stream captures.
    pub const CAPTURE_UNSUPPORTED: u32 = 900;
    /// The call would make a capture depend on the legacy stream.
    pub const CAPTURE_IMPLICIT: u32 = 906;
}

/// The name of a status code, where we know it.
#[must_use]
pub const fn name(api: Api, code: u32) -> Option<&'static str> {
    let (runtime, driver) = match code {
        0 => ("cudaSuccess", "CUDA_SUCCESS"),
        1 => ("cudaErrorInvalidValue", "CUDA_ERROR_INVALID_VALUE"),
        2 => ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY"),
        3 => ("cudaErrorInitializationError", "CUDA_ERROR_NOT_INITIALIZED"),
        4 => ("cudaErrorCudartUnloading", "CUDA_ERROR_DEINITIALIZED"),
        12 => return only_runtime(api, "cudaErrorInvalidPitchValue"),
        13 => return only_runtime(api, "cudaErrorInvalidSymbol"),
        21 => return only_runtime(api, "cudaErrorInvalidMemcpyDirection"),
        35 => return only_runtime(api, "cudaErrorInsufficientDriver"),
        100 => ("cudaErrorNoDevice", "CUDA_ERROR_NO_DEVICE"),
        101 => ("cudaErrorInvalidDevice", "CUDA_ERROR_INVALID_DEVICE"),
        201 => ("cudaErrorDeviceUninitialized", "CUDA_ERROR_INVALID_CONTEXT"),
        400 => (
            "cudaErrorInvalidResourceHandle",
            "CUDA_ERROR_INVALID_HANDLE",
        ),
        401 => ("cudaErrorIllegalState", "CUDA_ERROR_ILLEGAL_STATE"),
        700 => ("cudaErrorIllegalAddress", "CUDA_ERROR_ILLEGAL_ADDRESS"),
        709 => (
            "cudaErrorContextIsDestroyed",
            "CUDA_ERROR_CONTEXT_IS_DESTROYED",
        ),
        712 => (
            "cudaErrorHostMemoryAlreadyRegistered",
            "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
        ),
        713 => (
            "cudaErrorHostMemoryNotRegistered",
            "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
        ),
        716 => (
            "cudaErrorMisalignedAddress",
            "CUDA_ERROR_MISALIGNED_ADDRESS",
        ),
        719 => ("cudaErrorLaunchFailure", "CUDA_ERROR_LAUNCH_FAILED"),
        801 => ("cudaErrorNotSupported", "CUDA_ERROR_NOT_SUPPORTED"),
        900 => (
            "cudaErrorStreamCaptureUnsupported",
            "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
        ),
        901 => (
            "cudaErrorStreamCaptureInvalidated",
            "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
        ),
        906 => (
            "cudaErrorStreamCaptureImplicit",
            "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT",
        ),
        _ => return None,
    };
    Some(match api {
        Api::Runtime => runtime,
        Api::Driver => driver,
    })
}

const fn only_runtime(api: Api, name: &'static str) -> Option<&'static str> {
    match api {
        Api::Runtime => Some(name),
        Api::Driver => None,
    }
}
