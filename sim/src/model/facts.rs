//! What CUDA says of an address.

use super::object::{Home, Kind, Object, Ordinal, Place};
use super::space::{Found, Space};
use super::vmm::{Hit, Protection};

pub(crate) const HOST: u32 = 1;
pub(crate) const DEVICE: u32 = 2;
/// The ordinal of memory that is on no device.
pub(crate) const NO_DEVICE: i32 = -2;

/// The pointer attributes, zero where there is nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) context: usize,
    /// 0 for memory that CUDA does not know.
    pub(crate) memory_type: u32,
    pub(crate) device_pointer: usize,
    pub(crate) host_pointer: usize,
    pub(crate) sync_memops: bool,
    pub(crate) buffer_id: u64,
    pub(crate) managed: bool,
    pub(crate) ordinal: i32,
    pub(crate) legacy_ipc: bool,
    pub(crate) range_start: usize,
    pub(crate) range_size: usize,
    pub(crate) mapped: bool,
    pub(crate) handle_types: u32,
    pub(crate) access: u32,
    pub(crate) pool: usize,
    pub(crate) mapping_base: usize,
    pub(crate) mapping_size: usize,
    pub(crate) block_id: u64,
    /// Plain device memory can be reached by other hardware, and unpacked into.
    pub(crate) plain: bool,
}

impl Facts {
    /// Memory that CUDA does not know: it is taken for host memory.
    const fn unknown(address: usize) -> Self {
        Self {
            context: 0,
            memory_type: 0,
            device_pointer: 0,
            host_pointer: address,
            sync_memops: false,
            buffer_id: 0,
            managed: false,
            ordinal: NO_DEVICE,
            legacy_ipc: false,
            range_start: 0,
            range_size: 0,
            mapped: false,
            handle_types: 0,
            access: 0,
            pool: 0,
            mapping_base: 0,
            mapping_size: 0,
            block_id: 0,
            plain: false,
        }
    }
}

const FULL_ACCESS: u32 = 3;
const READ_ONLY_ACCESS: u32 = 1;

fn ordinal(device: Ordinal) -> i32 {
    i32::try_from(device).unwrap_or(NO_DEVICE)
}

/// Who looks: a device, and those whose memory it has enabled access to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Viewer {
    pub(crate) device: Ordinal,
    pub(crate) peers: Vec<Ordinal>,
}

impl Space {
    /// Collects what is known, as `viewer` sees it.
    pub(crate) fn facts(&self, address: usize, viewer: &Viewer) -> Facts {
        let unknown = Facts::unknown(address);
        match self.find(address) {
            Found::Nothing => unknown,
            Found::Virtual(Hit {
                base,
                size,
                map: None,
            }) => Facts {
                range_start: base,
                range_size: size,
                ..unknown
            },
            Found::Virtual(Hit {
                base,
                size,
                map: Some(map),
            }) => {
                let access = map.access(viewer.device).flags();
                Facts {
                    memory_type: if map.memory.properties.host.is_some() {
                        HOST
                    } else {
                        DEVICE
                    },
                    device_pointer: if access == 0 { 0 } else { address },
                    host_pointer: 0,
                    buffer_id: map.id,
                    ordinal: ordinal(map.memory.properties.device),
                    range_start: base,
                    range_size: size,
                    mapped: true,
                    handle_types: map.memory.properties.handle_types,
                    access,
                    mapping_base: map.base,
                    mapping_size: map.size,
                    block_id: map.memory.id,
                    ..unknown
                }
            }
            Found::Object(object) => self.object_facts(&object, address, viewer),
        }
    }

    fn object_facts(&self, object: &Object, address: usize, viewer: &Viewer) -> Facts {
        let pool = if let Kind::Pool(pool, _) = object.kind {
            pool
        } else {
            0
        };
        let on_host = object.is_host() || object.is_managed();
        let in_program = match object.place {
            Place::Elsewhere { at } => at.wrapping_add(address.wrapping_sub(object.base)),
            _ => address,
        };
        Facts {
            context: if pool == 0 { object.context } else { 0 },
            memory_type: if object.is_host() { HOST } else { DEVICE },
            device_pointer: if self.reaches(object, viewer) {
                self.on_devices(object, address)
            } else {
                0
            },
            host_pointer: if on_host { in_program } else { 0 },
            sync_memops: object.sync_memops(),
            buffer_id: object.id,
            managed: object.is_managed(),
            ordinal: ordinal(object.device),
            legacy_ipc: object.kind == Kind::Device,
            // A pool on the host says how much it gave, not where.
            range_start: if matches!(object.kind, Kind::Pool(_, Home::Host)) {
                0
            } else {
                object.base
            },
            range_size: object.size,
            mapped: true,
            handle_types: self.pool(pool).map_or(0, |pool| pool.handle_types),
            // Said even of memory that the viewer cannot reach.
            access: if object.is_read_only() {
                READ_ONLY_ACCESS
            } else {
                FULL_ACCESS
            },
            pool,
            mapping_base: object.block.base,
            mapping_size: object.block.size,
            block_id: object.block.id,
            plain: object.kind == Kind::Device,
        }
    }

    /// Whether the viewer's device may use an object directly.
    fn reaches(&self, object: &Object, viewer: &Viewer) -> bool {
        let own = object.device == viewer.device;
        match object.kind {
            Kind::Pinned(_)
            | Kind::Registered(_)
            | Kind::Managed
            | Kind::Pool(_, Home::Managed) => true,
            Kind::Device | Kind::Imported => own || viewer.peers.contains(&object.device),
            Kind::Global | Kind::Graph => own,
            Kind::Pool(pool, _) => self
                .pool(pool)
                .map_or(own, |pool| pool.access(viewer.device) != Protection::None),
        }
    }
}
