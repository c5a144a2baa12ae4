//! From NVML's errors to reasons.

use nvml_wrapper::error::NvmlError;

use crate::absent::Reason;

/// The C names of NVML's statuses. A newer NVML may return others.
const NAMES: [(u32, &str); 32] = [
    (0, "NVML_SUCCESS"),
    (1, "NVML_ERROR_UNINITIALIZED"),
    (2, "NVML_ERROR_INVALID_ARGUMENT"),
    (3, "NVML_ERROR_NOT_SUPPORTED"),
    (4, "NVML_ERROR_NO_PERMISSION"),
    (5, "NVML_ERROR_ALREADY_INITIALIZED"),
    (6, "NVML_ERROR_NOT_FOUND"),
    (7, "NVML_ERROR_INSUFFICIENT_SIZE"),
    (8, "NVML_ERROR_INSUFFICIENT_POWER"),
    (9, "NVML_ERROR_DRIVER_NOT_LOADED"),
    (10, "NVML_ERROR_TIMEOUT"),
    (11, "NVML_ERROR_IRQ_ISSUE"),
    (12, "NVML_ERROR_LIBRARY_NOT_FOUND"),
    (13, "NVML_ERROR_FUNCTION_NOT_FOUND"),
    (14, "NVML_ERROR_CORRUPTED_INFOROM"),
    (15, "NVML_ERROR_GPU_IS_LOST"),
    (16, "NVML_ERROR_RESET_REQUIRED"),
    (17, "NVML_ERROR_OPERATING_SYSTEM"),
    (18, "NVML_ERROR_LIB_RM_VERSION_MISMATCH"),
    (19, "NVML_ERROR_IN_USE"),
    (20, "NVML_ERROR_MEMORY"),
    (21, "NVML_ERROR_NO_DATA"),
    (22, "NVML_ERROR_VGPU_ECC_NOT_SUPPORTED"),
    (23, "NVML_ERROR_INSUFFICIENT_RESOURCES"),
    (24, "NVML_ERROR_FREQ_NOT_SUPPORTED"),
    (25, "NVML_ERROR_ARGUMENT_VERSION_MISMATCH"),
    (26, "NVML_ERROR_DEPRECATED"),
    (27, "NVML_ERROR_NOT_READY"),
    (28, "NVML_ERROR_GPU_NOT_FOUND"),
    (29, "NVML_ERROR_INVALID_STATE"),
    (30, "NVML_ERROR_RESET_TYPE_NOT_SUPPORTED"),
    (999, "NVML_ERROR_UNKNOWN"),
];

/// Names a status as C does.
pub(super) fn status_name(code: u32) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == code);
    known.map_or_else(|| format!("NVML_{code}"), |(_, name)| (*name).to_owned())
}

/// Turns a status into a reason.
pub(super) fn from_status(code: u32) -> Result<(), Reason> {
    match code {
        0 => Ok(()),
        3 => Err(Reason::Unsupported),
        4 => Err(Reason::Denied),
        10 => Err(Reason::TimedOut),
        13 | 25 => Err(Reason::SymbolMissing),
        other => Err(Reason::Failed(status_name(other))),
    }
}

/// Turns the wrapper's error into a reason; which one it is decides, never its words.
pub(super) fn from_error(error: NvmlError) -> Reason {
    match error {
        NvmlError::FailedToLoadSymbol(_) => Reason::SymbolMissing,
        NvmlError::UnexpectedVariant(value) => match from_status(value) {
            // The wrapper uses this for unknown statuses and for unknown values alike.
            Err(Reason::Failed(_)) | Ok(()) => Reason::Failed(format!("unknown value {value}")),
            Err(reason) => reason,
        },
        NvmlError::Utf8Error(_) => Reason::Failed("text is not UTF-8".into()),
        other => from_status(other.into())
            .err()
            .unwrap_or_else(|| Reason::Failed("NVML_ERROR_UNKNOWN".into())),
    }
}
