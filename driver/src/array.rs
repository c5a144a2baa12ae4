//! Arrays.

/// A raw array handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawArray(pub cuda_sys::driver::CUarray);
