//! Graphs: work that is put together once and given to streams many times.
//!
//! Nodes remember addresses, and no lifetime can follow them: putting a graph together is safe - CUDA
//! looks the addresses up and follows none (measured: H200, driver 580) -, and
//! [launching](GraphExec::launch) it is not. An array is no address but a handle, which CUDA follows, so
//! that [adding a copy of one](Graph::add_copy_3d) is not safe either.

mod exec;

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use cuda_sys::runtime::{cudaGraph_t, cudaGraphNode_t, cudaGraphNodeType, cudaMemsetParams};

use crate::copy::{Copy3d, Direction, Pattern, Side};
use crate::device::Device;
use crate::error::{Misuse, Result, check, misuse, report_drop};
use crate::memory::{Bytes, Pitch};
use crate::pointer::Address;

pub use exec::GraphExec;

/// Work in an order, not yet ready to run.
///
/// # Examples
///
/// ```
/// # if cuwhy_runtime::device::Device::count().is_err() { return Ok(()); } // No driver here.
/// use cuwhy_runtime::copy::Pattern;
/// use cuwhy_runtime::graph::Graph;
/// use cuwhy_runtime::memory::{DeviceBuffer, DeviceMemory, Pitch};
/// use cuwhy_runtime::stream::{Stream, StreamOptions};
///
/// let device = cuwhy_runtime::device::Device::new(0)?;
/// let buffer = DeviceBuffer::<u32>::zeroed(&device, 4)?;
/// let mut graph = Graph::new(&device)?;
/// graph.add_fill(&[], buffer.address(), Pitch(16), Pattern::Bits32(8), 4, 1)?;
/// let mut ready = graph.instantiate()?;
/// let stream = Stream::new(&device, StreamOptions::NON_BLOCKING)?;
/// // SAFETY: the buffer is alive until the stream is idle.
/// unsafe { ready.launch(&stream) }?;
/// stream.synchronize()?;
/// assert_eq!(buffer.to_vec()?, [8; 4]);
/// # Ok::<(), cuwhy_runtime::error::Error>(())
/// ```
pub struct Graph {
    device: Device,
    raw: cudaGraph_t,
    id: u64,
}

// SAFETY: a graph may be used from every thread, one at a time.
unsafe impl Send for Graph {}

/// A node of a graph. It is a name: another graph than its own does not take it, and when that is gone
/// none does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    raw: cudaGraphNode_t,
    graph: u64,
}

// SAFETY: a node is a name; using it goes through its graph.
unsafe impl Send for Node {}
// SAFETY: as above.
unsafe impl Sync for Node {}

impl Node {
    /// The raw handle.
    #[must_use]
    pub fn as_raw(self) -> cudaGraphNode_t {
        self.raw
    }
}

/// A number that no other graph of this process ever has.
fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeKind {
    /// Runs code on the device.
    Kernel,
    /// Copies.
    Copy,
    /// Fills.
    Fill,
    /// Calls a function of the host.
    Host,
    /// Does nothing but order.
    Empty,
    /// Something else, by its number in C.
    Other(u32),
}

impl Graph {
    /// Creates a graph without nodes.
    ///
    /// Runtime API: `cudaGraphCreate`, and `cudaGraphDestroy` on drop.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGraphCreate")]
    pub fn new(device: &Device) -> Result<Self> {
        let api = device.api();
        let mut raw = ptr::null_mut();
        let entered = device.enter()?;
        // SAFETY: `raw` is a live out parameter; the flags must be zero.
        let status = unsafe { api.cudaGraphCreate(&raw mut raw, 0) };
        drop(entered);
        check!(api, cudaGraphCreate, status)?;
        Ok(Self {
            device: *device,
            raw,
            id: next_id(),
        })
    }

    /// Owns a graph that something else made.
    ///
    /// # Safety
    ///
    /// `raw` is a live graph, its nodes belong to `device`, and nobody else destroys it.
    #[must_use]
    pub unsafe fn from_raw(device: &Device, raw: cudaGraph_t) -> Self {
        Self {
            device: *device,
            raw,
            id: next_id(),
        }
    }

    /// Gives the graph away: the caller destroys it.
    #[must_use = "nobody else destroys the graph"]
    pub fn into_raw(self) -> cudaGraph_t {
        let this = ManuallyDrop::new(self);
        this.raw
    }

    /// The raw handle.
    #[must_use]
    pub fn as_raw(&self) -> cudaGraph_t {
        self.raw
    }

    /// The handles of nodes of this graph; refuses those of another one, which may be gone.
    fn handles(&self, call: &'static str, nodes: &[Node]) -> Result<Vec<cudaGraphNode_t>> {
        if nodes.iter().any(|node| node.graph != self.id) {
            return Err(misuse(call, Misuse::DifferentPlaces));
        }
        Ok(nodes.iter().map(|node| node.raw).collect())
    }

    fn node(&self, raw: cudaGraphNode_t) -> Node {
        Node {
            raw,
            graph: self.id,
        }
    }

    /// Adds a copy of planes, or of rows, behind other nodes of this graph.
    ///
    /// Runtime API: `cudaGraphAddMemcpyNode`.
    ///
    /// # Errors
    ///
    /// [`Misuse::DifferentPlaces`] for nodes of another graph, and what CUDA answers.
    ///
    /// # Safety
    ///
    /// Arrays that the copy names are alive: CUDA follows their handles. Addresses may be any.
    #[doc(alias = "cudaGraphAddMemcpyNode")]
    pub unsafe fn add_copy_3d(&mut self, after: &[Node], copy: &Copy3d) -> Result<Node> {
        let after = self.handles("cudaGraphAddMemcpyNode", after)?;
        let api = self.device.api();
        let raw = copy.raw();
        let mut node = ptr::null_mut();
        let (first, count) = (after.as_ptr(), after.len());
        let entered = self.device.enter()?;
        // SAFETY: `after` is a list of `count` nodes of this graph; nothing is copied before a launch, and
        // the caller answers for arrays.
        let status = unsafe {
            api.cudaGraphAddMemcpyNode(&raw mut node, self.raw, first, count, &raw const raw)
        };
        drop(entered);
        check!(
            api,
            cudaGraphAddMemcpyNode,
            status,
            width = copy.width,
            height = copy.height,
            depth = copy.depth
        )?;
        Ok(self.node(node))
    }

    /// Adds a copy of a range of bytes.
    ///
    /// Runtime API: `cudaGraphAddMemcpyNode`.
    ///
    /// # Errors
    ///
    /// [`Misuse::DifferentPlaces`] for nodes of another graph, and what CUDA answers.
    #[doc(alias = "cudaGraphAddMemcpyNode")]
    pub fn add_copy(
        &mut self,
        after: &[Node],
        destination: Address,
        source: Address,
        size: Bytes,
        direction: Direction,
    ) -> Result<Node> {
        let row = Pitch(size.0);
        let (to, from) = match direction {
            Direction::HostToHost => (Side::host(destination, row), Side::host(source, row)),
            Direction::HostToDevice => (Side::device(destination, row), Side::host(source, row)),
            Direction::DeviceToHost => (Side::host(destination, row), Side::device(source, row)),
            Direction::DeviceToDevice => {
                (Side::device(destination, row), Side::device(source, row))
            }
            Direction::Automatic => (Side::any(destination, row), Side::any(source, row)),
        };
        let (destination, source) = (to.planes_of(1), from.planes_of(1));
        let copy = Copy3d {
            destination,
            source,
            width: size,
            height: 1,
            depth: 1,
        };
        // SAFETY: the copy names no array.
        unsafe { self.add_copy_3d(after, &copy) }
    }

    /// Adds a fill of `height` rows of `width` elements.
    ///
    /// Runtime API: `cudaGraphAddMemsetNode`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGraphAddMemsetNode")]
    pub fn add_fill(
        &mut self,
        after: &[Node],
        destination: Address,
        pitch: Pitch,
        pattern: Pattern,
        width: usize,
        height: usize,
    ) -> Result<Node> {
        let after = self.handles("cudaGraphAddMemsetNode", after)?;
        let api = self.device.api();
        let raw = cudaMemsetParams {
            dst: destination.as_mut_ptr(),
            pitch: pitch.0,
            value: pattern.bits(),
            elementSize: pattern.element(),
            width,
            height,
        };
        let mut node = ptr::null_mut();
        let (first, count) = (after.as_ptr(), after.len());
        let entered = self.device.enter()?;
        // SAFETY: as for a copy; nothing is filled before a launch.
        let status = unsafe {
            api.cudaGraphAddMemsetNode(&raw mut node, self.raw, first, count, &raw const raw)
        };
        drop(entered);
        check!(
            api,
            cudaGraphAddMemsetNode,
            status,
            destination,
            pitch,
            width,
            height
        )?;
        Ok(self.node(node))
    }

    /// Adds a node that does nothing but order.
    ///
    /// Runtime API: `cudaGraphAddEmptyNode`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGraphAddEmptyNode")]
    pub fn add_empty(&mut self, after: &[Node]) -> Result<Node> {
        let after = self.handles("cudaGraphAddEmptyNode", after)?;
        let api = self.device.api();
        let mut node = ptr::null_mut();
        let (first, count) = (after.as_ptr(), after.len());
        let entered = self.device.enter()?;
        // SAFETY: `after` is a list of `count` nodes of this graph.
        let status = unsafe { api.cudaGraphAddEmptyNode(&raw mut node, self.raw, first, count) };
        drop(entered);
        check!(api, cudaGraphAddEmptyNode, status)?;
        Ok(self.node(node))
    }

    /// All nodes, in no order.
    ///
    /// Runtime API: `cudaGraphGetNodes`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGraphGetNodes")]
    pub fn nodes(&self) -> Result<Vec<Node>> {
        let api = self.device.api();
        let mut count = 0;
        // SAFETY: with a null list the driver only writes the number.
        let status = unsafe { api.cudaGraphGetNodes(self.raw, ptr::null_mut(), &raw mut count) };
        check!(api, cudaGraphGetNodes, status)?;
        let mut nodes = vec![ptr::null_mut(); count];
        if count > 0 {
            // SAFETY: the list has room for `count` handles.
            let status =
                unsafe { api.cudaGraphGetNodes(self.raw, nodes.as_mut_ptr(), &raw mut count) };
            check!(api, cudaGraphGetNodes, status)?;
            nodes.truncate(count);
        }
        Ok(nodes.into_iter().map(|raw| self.node(raw)).collect())
    }

    /// What a node of this graph does.
    ///
    /// Runtime API: `cudaGraphNodeGetType`.
    ///
    /// # Errors
    ///
    /// [`Misuse::DifferentPlaces`] for a node of another graph, and what CUDA answers.
    #[doc(alias = "cudaGraphNodeGetType")]
    pub fn kind(&self, node: Node) -> Result<NodeKind> {
        if node.graph != self.id {
            return Err(misuse("cudaGraphNodeGetType", Misuse::DifferentPlaces));
        }
        let api = self.device.api();
        let mut kind = cudaGraphNodeType::cudaGraphNodeTypeEmpty;
        // SAFETY: `kind` is a live out parameter; the node is one of this graph.
        let status = unsafe { api.cudaGraphNodeGetType(node.raw, &raw mut kind) };
        check!(api, cudaGraphNodeGetType, status, node = node.raw)?;
        Ok(match kind {
            cudaGraphNodeType::cudaGraphNodeTypeKernel => NodeKind::Kernel,
            cudaGraphNodeType::cudaGraphNodeTypeMemcpy => NodeKind::Copy,
            cudaGraphNodeType::cudaGraphNodeTypeMemset => NodeKind::Fill,
            cudaGraphNodeType::cudaGraphNodeTypeHost => NodeKind::Host,
            cudaGraphNodeType::cudaGraphNodeTypeEmpty => NodeKind::Empty,
            other => NodeKind::Other(other.0),
        })
    }

    /// Makes the graph ready to run.
    ///
    /// Runtime API: `cudaGraphInstantiateWithFlags`.
    ///
    /// # Errors
    ///
    /// What CUDA answers.
    #[doc(alias = "cudaGraphInstantiate")]
    #[doc(alias = "cudaGraphInstantiateWithFlags")]
    pub fn instantiate(&self) -> Result<GraphExec> {
        let api = self.device.api();
        let mut raw = ptr::null_mut();
        let entered = self.device.enter()?;
        // SAFETY: `raw` is a live out parameter and the graph is alive.
        let status = unsafe { api.cudaGraphInstantiateWithFlags(&raw mut raw, self.raw, 0) };
        drop(entered);
        check!(api, cudaGraphInstantiateWithFlags, status, graph = self.raw)?;
        Ok(GraphExec {
            device: self.device,
            raw,
        })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        let api = self.device.api();
        // SAFETY: made once, destroyed once.
        let status = unsafe { api.cudaGraphDestroy(self.raw) };
        report_drop(check!(api, cudaGraphDestroy, status, graph = self.raw));
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("raw", &self.raw).finish()
    }
}
