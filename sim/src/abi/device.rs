//! Devices and what they say of themselves.

use core::ffi::{c_char, c_int, c_uint};

use cuda_sys::driver::*;

use super::gate::export;
use crate::model::code::{Code, Outcome};
use crate::model::machine::{Device, Machine, machine};
use crate::model::object::Ordinal;
use crate::profile::number;

/// The device of a C number.
pub(super) fn ordinal(device: CUdevice) -> Outcome<Ordinal> {
    usize::try_from(device).map_err(|_negative| Code::INVALID_DEVICE)
}

pub(super) fn device(number: CUdevice) -> Outcome<&'static Device> {
    machine()?.device(ordinal(number)?)
}

/// An attribute: of this device in this machine first, then as recorded.
fn attribute(machine: &Machine, device: &Device, wanted: u32) -> Option<i32> {
    let own = match wanted {
        number::PCI_BUS => i32::try_from(device.pci[1]).ok(),
        number::PCI_DEVICE => i32::try_from(device.pci[2]).ok(),
        number::PCI_DOMAIN => i32::try_from(device.pci[0]).ok(),
        number::PAGEABLE_ACCESS if machine.config.hmm => Some(1),
        number::HOST_POINTER_OF_REGISTERED if machine.config.registered_elsewhere => Some(0),
        _ => None,
    };
    own.or_else(|| device.profile.attribute(wanted))
}

/// The last attribute of CUDA 13.0.
const LAST: u32 = 147;

fn bus_id(device: &Device) -> String {
    format!(
        "{:04X}:{:02X}:{:02X}.0",
        device.pci[0], device.pci[1], device.pci[2]
    )
}

fn uuid(device: &Device) -> CUuuid {
    CUuuid {
        bytes: device.uuid.map(u8::cast_signed),
    }
}

export! {
    ready fn cuDeviceGetCount(count: *mut c_int) |_| {
        count.put(c_int::try_from(machine()?.devices.len()).unwrap_or(c_int::MAX))
    }

    ready fn cuDeviceGet(out: *mut CUdevice, number: c_int) |_| {
        out.wanted()?;
        device(number)?;
        out.put(number)
    }

    ready fn cuDeviceGetName(name: *mut c_char, room: c_int, dev: CUdevice) |_| {
        name.wanted()?.put_text(device(dev)?.profile.name, room)
    }

    ready fn cuDeviceGetUuid(out: *mut CUuuid, dev: CUdevice) |_| {
        out.put(uuid(device(dev)?))
    }

    ready fn cuDeviceGetUuid_v2(out: *mut CUuuid, dev: CUdevice) |_| {
        out.put(uuid(device(dev)?))
    }

    ready fn cuDeviceTotalMem_v2(bytes: *mut usize, dev: CUdevice) |_| {
        bytes.put(device(dev)?.meter.total())
    }

    ready fn cuDeviceGetAttribute(value: *mut c_int, attrib: CUdevice_attribute, dev: CUdevice) |call| {
        let device = device(dev)?;
        value.wanted()?;
        match attribute(machine()?, device, attrib.0) {
            Some(number) => value.put(number),
            // A driver for CUDA 13.0 knows no number above this.
            None if attrib.name().is_none() || attrib.0 > LAST => Err(Code::INVALID_VALUE),
            None => Err(call.unsupported()),
        }
    }

    ready fn cuDeviceComputeCapability(major: *mut c_int, minor: *mut c_int, dev: CUdevice) |_| {
        let profile = device(dev)?.profile;
        major.put(profile.attribute(number::MAJOR).ok_or(Code::NOT_SUPPORTED)?)?;
        minor.put(profile.attribute(number::MINOR).ok_or(Code::NOT_SUPPORTED)?)
    }

    ready fn cuDeviceGetPCIBusId(text: *mut c_char, room: c_int, dev: CUdevice) |_| {
        // The whole of it, or nothing.
        const WHOLE: c_int = 13;
        let device = device(dev)?;
        if room < WHOLE {
            return Err(Code::INVALID_VALUE);
        }
        text.wanted()?.put_text(&bus_id(device), room)
    }

    ready fn cuDeviceGetByPCIBusId(out: *mut CUdevice, text: *const c_char) |_| {
        let text = text.text()?.to_ascii_uppercase();
        if !text.contains(':') || !text.chars().all(|letter| letter.is_ascii_hexdigit() || ":.".contains(letter)) {
            return Err(Code::INVALID_VALUE);
        }
        let text = text.trim_end_matches(".0");
        let named = |device: &Device| bus_id(device).trim_end_matches(".0").ends_with(text);
        let found = machine()?.devices.iter().position(named);
        out.put(found.and_then(|index| c_int::try_from(index).ok()).ok_or(Code::INVALID_DEVICE)?)
    }

    ready fn cuDeviceCanAccessPeer(can: *mut c_int, dev: CUdevice, peer: CUdevice) |_| {
        device(dev)?;
        device(peer)?;
        can.put(c_int::from(machine()?.may_reach(ordinal(dev)?, ordinal(peer)?)))
    }

    ready fn cuDeviceGetP2PAttribute(value: *mut c_int, which: CUdevice_P2PAttribute, from: CUdevice, to: CUdevice) |_| {
        device(from)?;
        device(to)?;
        let (from, to) = (ordinal(from)?, ordinal(to)?);
        if from == to {
            return Err(Code::INVALID_DEVICE);
        }
        // As between two H200: rank 0, everything reachable, and the newest attribute 0.
        let reachable = matches!(which.0, 2..=4) && machine()?.may_reach(from, to);
        match which.0 {
            1..=5 => value.put(c_int::from(reachable)),
            _ => Err(Code::INVALID_VALUE),
        }
    }

    ready fn cuDeviceGetLuid(luid: *mut c_char, mask: *mut c_uint, dev: CUdevice) |_| {
        // Documented: only on Windows.
        let _nothing_to_write = (luid, mask);
        device(dev)?;
        Err(Code::NOT_SUPPORTED)
    }

    ready fn cuDeviceGetExecAffinitySupport(value: *mut c_int, which: CUexecAffinityType, dev: CUdevice) |_| {
        let _one_kind = which;
        device(dev)?;
        value.put(0)
    }
}
