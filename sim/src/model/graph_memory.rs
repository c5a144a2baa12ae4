//! Memory that graphs allocate and free while they run: the same addresses in every run.

use std::sync::Arc;

use super::arena::BLOCK;
use super::code::{Code, Outcome};
use super::mapping::round_up;
use super::meter::Charge;
use super::object::{BlockFacts, Kind, Object, Ordinal, Owner, Place};
use super::space::Space;

/// An allocation of a graph: known to CUDA while it is allocated, kept as long as the graph.
#[derive(Debug)]
pub(crate) struct GraphMemory {
    pub(crate) object: Arc<Object>,
    _charge: Charge,
}

impl Space {
    /// Makes memory for an allocation node. It can be named from now on, before the graph has run.
    pub(crate) fn graph_allocate(
        &mut self,
        size: usize,
        device: Ordinal,
    ) -> Outcome<Arc<GraphMemory>> {
        if size == 0 {
            return Err(Code::INVALID_VALUE);
        }
        let length = round_up(size, BLOCK).ok_or(Code::OUT_OF_MEMORY)?;
        let charge = self.meter(device)?.charge(length)?;
        let (base, bytes) = self.device_block(length, super::arena::BLOCK)?;
        let block = BlockFacts {
            base,
            size: length,
            id: self.fresh_id(),
        };
        let place = Place::Behind { bytes, offset: 0 };
        let object = self.insert(
            base,
            size,
            Kind::Graph,
            Owner { device, context: 0 },
            place,
            block,
        );
        Ok(Arc::new(GraphMemory {
            object,
            _charge: charge,
        }))
    }

    /// The memory of a graph that begins here.
    pub(crate) fn graph_memory(&self, base: usize) -> Outcome<Arc<Object>> {
        self.exactly(base)
            .filter(|object| object.kind == Kind::Graph)
            .cloned()
            .ok_or(Code::INVALID_VALUE)
    }
}
