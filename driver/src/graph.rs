//! Graphs.
use crate::context::Context;
/// Graph.
#[derive(Debug)]
pub struct Graph {
    context: Context,
    raw: cuda_sys::driver::CUgraph,
}
impl Graph {
    /// # Safety
    /// x
    pub unsafe fn from_raw(context: &Context, raw: cuda_sys::driver::CUgraph) -> Self {
        Self {
            context: context.clone(),
            raw,
        }
    }
}
