//! The table: a row for every public function that can fail, with one right call of it, and the bad ones.
//!
//! A right call makes what it needs, says `now`, and calls the function; whoever runs the row may have had
//! the place destroyed at that moment. This file is read twice, once for each house.

use std::sync::Arc;

use super::house::array::{Array, Format, Shape};
use super::house::copy::{Copy2d, Copy3d, Side};
use super::house::device::Device;
use super::house::error::Result;
use super::house::event::{Event, EventOptions};
use super::house::memory::{
    Bytes, DeviceBuffer, DeviceMemory as _, HostFlags, ManagedBuffer, ManagedVisibility,
    PinnedBuffer, Pitch,
};
use super::house::module::Module;
use super::house::pointer::{Access, Address};
use super::house::pool::{Pool, PoolOptions};
use super::house::stream::{Stream, StreamOptions};
use super::house::virtual_memory::{self, Export, Mapping, Physical, Reservation};
pub(crate) use super::{Place, more};
use crate::{Case, Wants};

#[path = "rows_raw.rs"]
mod raw;
#[path = "rows_safe.rs"]
mod safe;

/// A bad call: what is bad, what is wanted of it, and the call.
pub(crate) type Bad = (Case, Wants, fn(&Place) -> Result<()>);

/// A row.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) right: fn(&Place, &dyn Fn()) -> Result<()>,
    pub(crate) bad: Vec<Bad>,
}

pub(crate) fn row(name: &'static str, right: fn(&Place, &dyn Fn()) -> Result<()>) -> Entry {
    Entry {
        name,
        right,
        bad: Vec::new(),
    }
}

impl Entry {
    fn with(mut self, case: Case, wants: Wants, call: fn(&Place) -> Result<()>) -> Self {
        self.bad.push((case, wants, call));
        self
    }
    /// A null range, or nothing at all, is refused.
    pub(crate) fn null(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Null, Wants::Refused, call)
    }
    /// Null is refused by some and means nothing to others.
    pub(crate) fn null_is_nothing(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Null, Wants::Either, call)
    }
    /// A range that is nobody's is refused.
    pub(crate) fn dangling(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Dangling, Wants::Refused, call)
    }
    /// Nothing is legal.
    pub(crate) fn zero(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Zero, Wants::Done, call)
    }
    /// Nothing is refused.
    pub(crate) fn no_zero(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Zero, Wants::Refused, call)
    }
    /// Nothing is refused by some libraries and not by others.
    pub(crate) fn either(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Zero, Wants::Either, call)
    }
    /// CUDA itself takes a range that is nobody's for the host's, and dies: it is not called.
    pub(crate) fn dangling_crashes(self) -> Self {
        self.with(Case::Dangling, Wants::Crash, |_| Ok(()))
    }
    /// A range that is nobody's is no error of this call.
    pub(crate) fn dangling_is_nothing(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Dangling, Wants::Done, call)
    }
    /// More than there is means nothing special here.
    pub(crate) fn beyond_is_nothing(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Beyond, Wants::Done, call)
    }
    /// More than there is is refused.
    pub(crate) fn beyond(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Beyond, Wants::Refused, call)
    }
    /// More than there is is refused by some libraries and not by others.
    pub(crate) fn beyond_or_not(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Beyond, Wants::Either, call)
    }
    /// More than there is is refused by the simulator; hardware promises it, and pays when it is used.
    pub(crate) fn beyond_on_the_simulator(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Beyond, Wants::RefusedOnSim, call)
    }
    /// A device that there is not is refused.
    pub(crate) fn ordinal(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Ordinal, Wants::Refused, call)
    }
    /// Something else that is bad is refused here, or later: the runtime's library API looks at code when
    /// something is looked up in it.
    pub(crate) fn other_or_not(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Other, Wants::Either, call)
    }
    /// Something else that is bad is refused.
    pub(crate) fn other(self, call: fn(&Place) -> Result<()>) -> Self {
        self.with(Case::Other, Wants::Refused, call)
    }
}

/// All rows of this house.
pub(crate) fn all() -> Vec<Entry> {
    let mut all = safe::rows();
    all.extend(raw::rows());
    all.extend(more());
    all
}

/// For a function of which there can be no right call here: being refused is right.
pub(crate) fn refused_at_all<T>(result: Result<T>) -> Result<()> {
    match result {
        Err(error) if error.status().is_some() => Ok(()),
        Err(error) => Err(error),
        Ok(_) => panic!("accepted"),
    }
}

/// An address that is nobody's.
const HERE: Address = Address(0x1000);
/// More bytes than any device has.
const MUCH: usize = 1 << 46;
const PTX: &str = ".version 6.0\n.target sm_50\n.address_size 64\n\
    .visible .global .align 4 .b8 numbers[64];\n\
    .visible .entry nothing() { ret; }\n";

pub(crate) fn module(p: &Place) -> Result<Module> {
    Module::from_ptx(p, PTX)
}
fn dev(p: &Place) -> Result<DeviceBuffer<u8>> {
    DeviceBuffer::from_slice(p, &[1_u8; 64])
}
fn pin(p: &Place) -> Result<PinnedBuffer<u8>> {
    PinnedBuffer::zeroed(p, 64, HostFlags::PLAIN)
}
fn managed(p: &Place) -> Result<ManagedBuffer<u8>> {
    ManagedBuffer::zeroed(p, 64, ManagedVisibility::Global)
}
fn nb(p: &Place) -> Result<Stream> {
    Stream::new(p, StreamOptions::NON_BLOCKING)
}
fn shared(p: &Place) -> Result<Arc<Stream>> {
    nb(p).map(Arc::new)
}
fn mark(p: &Place) -> Result<Event> {
    Event::new(p, EventOptions::WITHOUT_TIMING)
}
fn grid(p: &Place) -> Result<Array> {
    Array::new(p, Shape::plane(8, 8, Format::U8, 1))
}
fn page(p: &Place) -> Result<Bytes> {
    Ok(virtual_memory::granularity(p)?.minimum)
}
fn physical(p: &Place, export: Export) -> Result<Physical> {
    Physical::new(p, page(p)?, export)
}
fn mapping(p: &Place) -> Result<Mapping> {
    let physical = physical(p, Export::None)?;
    let mut mapping = Reservation::new(p, page(p)?)?.map(Bytes(0), &physical)?;
    mapping.set_access(p, Access::ReadWrite)?;
    Ok(mapping)
}
fn exportable(p: &Place) -> Result<Pool> {
    Pool::new(p, PoolOptions::default().export(Export::FileDescriptor))
}
/// Another device's, where there are two.
fn other(p: &Place) -> Result<Option<Place>> {
    let _the_type = p;
    if Device::count()? < 2 {
        return Ok(None);
    }
    super::on(1).map(Some)
}
fn flat(to: Address, from: Address, width: usize) -> Copy2d {
    Copy2d {
        destination: Side::device(to, Pitch(8)),
        source: Side::host(from, Pitch(8)),
        width: Bytes(width),
        height: 8,
    }
}
fn deep(to: Address, from: Address, width: usize) -> Copy3d {
    Copy3d {
        destination: Side::device(to, Pitch(8)).planes_of(4),
        source: Side::host(from, Pitch(8)).planes_of(4),
        width: Bytes(width),
        height: 4,
        depth: 2,
    }
}
fn between(to: Address, from: Address, width: usize) -> Copy3d {
    Copy3d {
        source: Side::device(from, Pitch(8)).planes_of(4),
        ..deep(to, from, width)
    }
}

/// A call with a device range, a host range and a size; of the device and of pinned memory, 64 bytes each.
fn with_ranges(
    p: &Place,
    now: &dyn Fn(),
    call: impl FnOnce(Address, Address) -> Result<()>,
) -> Result<()> {
    let (device, host) = (dev(p)?, pin(p)?);
    let _entered = p.enter()?;
    now();
    let result = call(device.address(), host.address());
    p.synchronize().and(result)
}
