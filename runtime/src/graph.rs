//! Graphs.
use crate::device::Device;
/// Graph.
#[derive(Debug)]
pub struct Graph {
    device: Device,
    raw: cuda_sys::runtime::cudaGraph_t,
}
impl Graph {
    /// # Safety
    /// x
    pub unsafe fn from_raw(device: &Device, raw: cuda_sys::runtime::cudaGraph_t) -> Self {
        Self {
            device: *device,
            raw,
        }
    }
}
