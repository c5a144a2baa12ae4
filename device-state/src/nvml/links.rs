//! What NVML knows of the links between devices.

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{P2pCapabilitiesIndex, P2pStatus, TopologyLevel};

use super::reason::from_error;
use crate::absent::Reason;
use crate::device::NvLink;
use crate::report::Link;

/// One end of a link.
pub(super) struct End<'nvml, 'device> {
    pub(super) index: u32,
    pub(super) uuid: String,
    pub(super) pci: Option<String>,
    pub(super) nvlinks: Option<Vec<NvLink>>,
    pub(super) device: &'device Device<'nvml>,
}

/// Describes every ordered pair of devices.
pub(super) fn between(ends: &[End<'_, '_>]) -> Vec<Link> {
    let mut links = Vec::new();
    for from in ends {
        for to in ends {
            if from.uuid != to.uuid {
                links.push(link(from, to));
            }
        }
    }
    links
}

fn link(from: &End<'_, '_>, to: &End<'_, '_>) -> Link {
    let mut link = Link::new(&from.uuid, &to.uuid);
    let absent = &mut link.absent;
    // The wrapper takes the other device by value and has no copy of a handle to give: ask for a
    // fresh one.
    let ancestor = from
        .device
        .nvml()
        .device_by_index(to.index)
        .and_then(|other| from.device.topology_common_ancestor(other));
    link.ancestor = absent.keep(
        "ancestor",
        ancestor.map_err(from_error).map(|level| {
            match level {
                TopologyLevel::Internal => "internal",
                TopologyLevel::Single => "single",
                TopologyLevel::Multiple => "multiple",
                TopologyLevel::HostBridge => "host_bridge",
                TopologyLevel::Node => "node",
                TopologyLevel::System => "system",
            }
            .to_owned()
        }),
    );
    link.nvlinks = absent.keep("nvlinks", count(from, to));
    let status = |index| {
        from.device
            .p2p_status(to.device, index)
            .map_err(from_error)
            .map(|status| {
                match status {
                    P2pStatus::Ok => "ok",
                    P2pStatus::ChipsetNotSupported => "chipset_not_supported",
                    P2pStatus::GpuNotSupported => "gpu_not_supported",
                    P2pStatus::IohTopologyNotSupported => "topology_not_supported",
                    P2pStatus::DisabledByRegkey => "disabled_by_registry",
                    P2pStatus::NotSupported => "not_supported",
                    P2pStatus::Unknown => "unknown",
                }
                .to_owned()
            })
    };
    link.nvml_read = absent.keep("nvml_read", status(P2pCapabilitiesIndex::Read));
    link.nvml_write = absent.keep("nvml_write", status(P2pCapabilitiesIndex::Write));
    link.nvml_nvlink = absent.keep("nvml_nvlink", status(P2pCapabilitiesIndex::NvLink));
    link.nvml_atomics = absent.keep("nvml_atomics", status(P2pCapabilitiesIndex::Atomics));
    link
}

/// Counts the connections between two devices: those that end at the other one, or, where a switch
/// is between, as many as both have to switches.
fn count(from: &End<'_, '_>, to: &End<'_, '_>) -> Result<u32, Reason> {
    let mine = from.nvlinks.as_ref().ok_or(Reason::Unsupported)?;
    let direct = mine
        .iter()
        .filter(|link| link.active && link.remote_pci.is_some() && link.remote_pci == to.pci)
        .count();
    let to_switches = |links: &[NvLink]| {
        links
            .iter()
            .filter(|link| link.active && link.remote_kind.as_deref() == Some("switch"))
            .count()
    };
    let switched = to_switches(mine).min(to.nvlinks.as_deref().map_or(0, to_switches));
    u32::try_from(direct.max(switched)).map_err(|_| Reason::Unsupported)
}
