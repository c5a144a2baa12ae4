//! Virtual memory management: addresses and memory apart, joined by the program.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arena::BLOCK;
use super::code::{Code, Outcome};
use super::mapping::{Mapping, Use};
use super::meter::Charge;
use super::object::Ordinal;
use super::space::{Found, Space};

/// Sizes and addresses are multiples of this.
pub(crate) const GRANULARITY: usize = BLOCK;

/// What a device may do with mapped memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protection {
    None,
    Read,
    ReadWrite,
}

impl Protection {
    /// From and to CUDA's flags.
    pub(crate) fn from_flags(flags: u32) -> Outcome<Self> {
        match flags {
            0 => Ok(Self::None),
            1 => Ok(Self::Read),
            3 => Ok(Self::ReadWrite),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    pub(crate) const fn flags(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Read => 1,
            Self::ReadWrite => 3,
        }
    }
}

/// What was asked of `cuMemCreate`, kept to be answered back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) device: Ordinal,
    pub(crate) handle_types: u32,
    /// Compression, RDMA and usage flags as given.
    pub(crate) flags: [u8; 4],
    /// Memory of the host (its location type), not of a device.
    pub(crate) host: Option<(u32, i32)>,
}

/// Memory without an address.
#[derive(Debug)]
pub(crate) struct Physical {
    pub(crate) handle: usize,
    pub(crate) size: usize,
    pub(crate) properties: Properties,
    pub(crate) id: u64,
    bytes: Arc<Mapping>,
    _charge: Option<Charge>,
}

/// A handle and how often the program holds it.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Arc<Physical>,
    count: usize,
}

/// A mapped part of a reservation.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) base: usize,
    pub(crate) size: usize,
    offset: usize,
    pub(crate) memory: Arc<Physical>,
    /// Every mapping is a buffer of its own, also of the same memory.
    pub(crate) id: u64,
    access: Vec<(Ordinal, Protection)>,
}

impl Map {
    pub(crate) fn access(&self, device: Ordinal) -> Protection {
        self.access
            .iter()
            .find(|(who, _)| *who == device)
            .map_or(Protection::None, |(_, what)| *what)
    }

    /// Where the bytes of `address` are, and how many follow.
    pub(crate) fn place(&self, address: usize) -> (Arc<Mapping>, usize, usize) {
        let inside = address - self.base;
        (
            Arc::clone(&self.memory.bytes),
            self.offset + inside,
            self.size - inside,
        )
    }
}

/// A range of addresses that the program may map memory into.
#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) base: usize,
    pub(crate) size: usize,
    maps: BTreeMap<usize, Map>,
}

/// What a look-up inside a reservation found.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) base: usize,
    pub(crate) size: usize,
    /// The mapped part that holds the address.
    pub(crate) map: Option<Map>,
}

impl Reservation {
    pub(crate) fn hit(&self, address: usize) -> Hit {
        let map = self.map_at(address).cloned();
        Hit {
            base: self.base,
            size: self.size,
            map,
        }
    }

    fn map_at(&self, address: usize) -> Option<&Map> {
        let (_, map) = self.maps.range(..=address).next_back()?;
        (address - map.base < map.size).then_some(map)
    }
}

impl Space {
    pub(crate) fn reserve(&mut self, size: usize, alignment: usize, wish: usize) -> Outcome<usize> {
        if size == 0
            || !size.is_multiple_of(GRANULARITY)
            || (alignment != 0 && !alignment.is_power_of_two())
        {
            return Err(Code::INVALID_VALUE);
        }
        let base = if wish != 0 && self.reserved.take_at(wish, size) {
            wish
        } else {
            self.reserved.take(size, alignment.max(GRANULARITY))?
        };
        self.reservations.insert(
            base,
            Reservation {
                base,
                size,
                maps: BTreeMap::new(),
            },
        );
        Ok(base)
    }

    pub(crate) fn unreserve(&mut self, base: usize, size: usize) -> Outcome {
        let fits = self
            .reservations
            .get(&base)
            .is_some_and(|found| found.size == size && found.maps.is_empty());
        if !fits {
            return Err(Code::INVALID_VALUE);
        }
        self.reservations.remove(&base);
        self.reserved.give(base, size);
        Ok(())
    }

    pub(crate) fn create(&mut self, handle: usize, size: usize, properties: Properties) -> Outcome {
        if size == 0 || !size.is_multiple_of(GRANULARITY) {
            return Err(Code::INVALID_VALUE);
        }
        let charge = match properties.host {
            None => Some(self.meter(properties.device)?.charge(size)?),
            Some(_) => None,
        };
        let bytes = Arc::new(Mapping::new(Use::Shadow, size, super::mapping::PAGE)?);
        let id = self.fresh_id();
        let memory = Arc::new(Physical {
            handle,
            size,
            properties,
            id,
            bytes,
            _charge: charge,
        });
        self.physical.insert(handle, Held { memory, count: 1 });
        Ok(())
    }

    pub(crate) fn physical(&self, handle: usize) -> Outcome<&Arc<Physical>> {
        self.physical
            .get(&handle)
            .map(|held| &held.memory)
            .ok_or(Code::INVALID_VALUE)
    }

    /// Gives a handle up; the memory stays while it is mapped.
    pub(crate) fn release(&mut self, handle: usize) -> Outcome {
        let held = self.physical.get_mut(&handle).ok_or(Code::INVALID_VALUE)?;
        held.count -= 1;
        if held.count == 0 {
            self.physical.remove(&handle);
        }
        Ok(())
    }

    /// The handle of the memory mapped at an address, held once more.
    pub(crate) fn retain(&mut self, address: usize) -> Outcome<usize> {
        let Found::Virtual(Hit { map: Some(map), .. }) = self.find(address) else {
            return Err(Code::INVALID_VALUE);
        };
        let held = self.physical.entry(map.memory.handle).or_insert(Held {
            memory: Arc::clone(&map.memory),
            count: 0,
        });
        held.count += 1;
        Ok(map.memory.handle)
    }

    fn reservation_of(&mut self, base: usize, size: usize) -> Outcome<&mut Reservation> {
        let (_, found) = self
            .reservations
            .range_mut(..=base)
            .next_back()
            .ok_or(Code::INVALID_VALUE)?;
        let inside = (base - found.base)
            .checked_add(size)
            .is_some_and(|end| end <= found.size);
        if inside && size > 0 {
            Ok(found)
        } else {
            Err(Code::INVALID_VALUE)
        }
    }

    pub(crate) fn map(
        &mut self,
        base: usize,
        size: usize,
        offset: usize,
        handle: usize,
    ) -> Outcome {
        let memory = Arc::clone(self.physical(handle)?);
        if !base.is_multiple_of(GRANULARITY) || size == 0 {
            return Err(Code::INVALID_VALUE);
        }
        // Only whole handles can be mapped.
        if offset != 0 || size != memory.size {
            return Err(Code::NOT_SUPPORTED);
        }
        let id = self.fresh_id();
        let reservation = self.reservation_of(base, size)?;
        let taken = reservation
            .maps
            .range(..base + size)
            .next_back()
            .is_some_and(|(_, map)| map.base + map.size > base);
        if taken {
            return Err(Code::INVALID_VALUE);
        }
        reservation.maps.insert(
            base,
            Map {
                base,
                size,
                offset,
                memory,
                id,
                access: Vec::new(),
            },
        );
        Ok(())
    }

    /// Unmaps whole mappings and holes: a part of a mapping is refused.
    pub(crate) fn unmap(&mut self, base: usize, size: usize) -> Outcome {
        if !base.is_multiple_of(GRANULARITY) || !size.is_multiple_of(GRANULARITY) {
            return Err(Code::INVALID_VALUE);
        }
        let reservation = self.reservation_of(base, size)?;
        let end = base + size;
        let touched = reservation
            .maps
            .values()
            .filter(|map| map.base < end && map.base + map.size > base);
        let (inside, cut): (Vec<_>, Vec<_>) = touched
            .map(|map| (map.base, map.base + map.size))
            .partition(|&(from, to)| from >= base && to <= end);
        if !cut.is_empty() {
            return Err(Code::INVALID_VALUE);
        }
        for (start, _) in inside {
            reservation.maps.remove(&start);
        }
        Ok(())
    }

    pub(crate) fn set_access(
        &mut self,
        base: usize,
        size: usize,
        who: Ordinal,
        what: Protection,
    ) -> Outcome {
        let reservation = self.reservation_of(base, size)?;
        let starts = covering(reservation, base, size)?;
        let end = starts
            .last()
            .and_then(|last| reservation.maps.get(last))
            .map_or(0, |map| map.base + map.size);
        if starts.first() != Some(&base) || end != base + size {
            return Err(Code::INVALID_VALUE);
        }
        for start in starts {
            if let Some(map) = reservation.maps.get_mut(&start) {
                map.access.retain(|(device, _)| *device != who);
                map.access.push((who, what));
            }
        }
        Ok(())
    }

    /// The mapped parts from `address` on, without a hole, until `length` bytes are covered.
    pub(crate) fn mapped_run(&self, address: usize, length: usize) -> Outcome<Vec<Map>> {
        let mut maps = Vec::new();
        let mut reached = address;
        let end = address.checked_add(length).ok_or(Code::INVALID_VALUE)?;
        while reached < end {
            let Found::Virtual(Hit { map: Some(map), .. }) = self.find(reached) else {
                return Err(Code::INVALID_VALUE);
            };
            reached = map.base + map.size;
            maps.push(map);
        }
        Ok(maps)
    }

    /// Everything that is mapped without a hole around an address, in order.
    pub(crate) fn mapped_around(&self, address: usize) -> Vec<Map> {
        let at = |address: usize| match self.find(address) {
            Found::Virtual(Hit { map, .. }) => map,
            _ => None,
        };
        let Some(here) = at(address) else {
            return Vec::new();
        };
        let mut maps = std::collections::VecDeque::new();
        let (mut first, mut end) = (here.base, here.base + here.size);
        maps.push_back(here);
        while let Some(before) = first.checked_sub(1).and_then(at) {
            first = before.base;
            maps.push_front(before);
        }
        while let Some(next) = at(end) {
            end = next.base + next.size;
            maps.push_back(next);
        }
        maps.into()
    }
}

/// The starts of the mappings that cover a range without a hole.
fn covering(reservation: &Reservation, base: usize, size: usize) -> Outcome<Vec<usize>> {
    let mut found = Vec::new();
    let mut reached = base;
    while reached < base + size {
        let map = reservation.map_at(reached).ok_or(Code::INVALID_VALUE)?;
        found.push(map.base);
        reached = map.base + map.size;
    }
    Ok(found)
}
