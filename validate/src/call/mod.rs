//! A call as plain data: what was asked of CUDA, before CUDA sees it.

mod action;
mod boxes;
mod kind;
mod operand;
mod shape;
mod site;
pub(crate) mod text;

pub use action::{
    Action, Batch, BatchAttribute, BatchEntry, Export, Fill, Linear, Peer, PeerVolume, Place,
    Plane, Register, Side, SymbolCopy, Volume,
};
pub use boxes::{Batch3D, Batch3DEntry};
pub use kind::{Demand, Kind};
pub use operand::{Operand, Role};
pub use shape::Shape;
pub use site::Site;

use smallvec::SmallVec;

/// Which of the two programming interfaces a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// `libcuda`: functions that begin with `cu`.
    Driver,
    /// `libcudart`: functions that begin with `cuda`.
    Runtime,
}

/// A stream as the caller named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The legacy default stream: 0 (or 1).
    Legacy,
    /// The calling thread's default stream: 2, or 0 of the per-thread functions.
    PerThread,
    /// A handle that was created.
    Handle(u64),
}

impl Stream {
    /// The stream behind C's handle; `zero` says what 0 means in the function that was called.
    #[must_use]
    pub const fn from_raw(raw: u64, zero: Self) -> Self {
        match raw {
            0 => zero,
            1 => Self::Legacy,
            2 => Self::PerThread,
            handle => Self::Handle(handle),
        }
    }
}

/// Whether a call returns when the work is done, or when it is in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// It returns when the work is done, and takes its turn in this default stream.
    Synchronous(Stream),
    /// It is put into this stream.
    Async(Stream),
}

/// One call of one function.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function's name, as its header gives it (without `_v2` and `_ptsz`).
    pub function: &'static str,
    /// The interface that it belongs to.
    pub api: Api,
    /// What was asked.
    pub action: Action,
    /// When it is done.
    pub order: Order,
    /// Where in the program it stands.
    pub site: Site,
}

impl Call {
    /// A call of the runtime's `cudaMemcpy`.
    #[must_use]
    #[track_caller]
    pub fn memcpy(dst: u64, src: u64, bytes: u64, kind: Kind) -> Self {
        Self {
            function: "cudaMemcpy",
            api: Api::Runtime,
            action: Action::Copy(Linear {
                dst,
                src,
                bytes,
                kind,
            }),
            order: Order::Synchronous(Stream::Legacy),
            site: Site::here(),
        }
    }

    /// A call of a linear copy function of the driver; `kind` is what its name says.
    #[must_use]
    #[track_caller]
    pub fn driver_copy(function: &'static str, dst: u64, src: u64, bytes: u64, kind: Kind) -> Self {
        Self {
            function,
            api: Api::Driver,
            action: Action::Copy(Linear {
                dst,
                src,
                bytes,
                kind,
            }),
            order: Order::Synchronous(Stream::Legacy),
            site: Site::here(),
        }
    }

    /// The same call put into a stream by a function of this name.
    #[must_use]
    pub fn on_stream(mut self, function: &'static str, stream: Stream) -> Self {
        self.function = function;
        self.order = Order::Async(stream);
        self
    }

    /// One entry of a batch as a copy of its own; its sides are told apart by address.
    #[must_use]
    pub fn entry(&self, entry: &BatchEntry) -> Self {
        let &BatchEntry { dst, src, bytes } = entry;
        let kind = Kind::Default;
        Self {
            action: Action::Copy(Linear {
                dst,
                src,
                bytes,
                kind,
            }),
            ..self.clone()
        }
    }

    /// The copies of a batch of either form, each as a call of its own.
    #[must_use]
    pub fn entries(&self) -> Vec<Self> {
        match &self.action {
            Action::Batch(batch) => batch.entries.iter().map(|one| self.entry(one)).collect(),
            Action::Batch3D(batch) => {
                let entries = batch.entries.iter();
                entries.map(|one| self.entry_3d(one)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The operands that lie in memory, destination first. A batch has none of its own: its entries have.
    #[must_use]
    pub fn operands(&self) -> SmallVec<[Operand; 2]> {
        operand::operands(&self.action)
    }

    /// Whether the call moves or fills no byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.action.is_empty()
    }

    /// The call as a C programmer would write it, with argument names.
    #[must_use]
    pub fn text(&self) -> String {
        text::call(self)
    }

    /// Whether the device of the call's stream does the work, whatever context is current.
    ///
    /// Measured on two H100: so it is with fills and batches in a created stream. A copy goes by the current context.
    #[must_use]
    pub fn goes_by_its_stream(&self) -> bool {
        let by_stream = matches!(
            self.action,
            Action::Fill(_) | Action::Batch(_) | Action::Batch3D(_)
        );
        by_stream && matches!(self.stream(), Stream::Handle(_))
    }

    /// The stream that the call works in, whether or not it returns at once.
    #[must_use]
    pub const fn stream(&self) -> Stream {
        match self.order {
            Order::Synchronous(stream) | Order::Async(stream) => stream,
        }
    }
}
