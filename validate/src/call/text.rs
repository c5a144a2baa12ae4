//! A call in words.

use super::action::{
    Action, Batch, Fill, Linear, Peer, PeerVolume, Place, Plane, SymbolCopy, Volume,
};
use super::{Api, Batch3D, Call, Order, Stream};

/// `name = value` pairs become a call.
fn write(function: &str, arguments: &[(&str, String)]) -> String {
    let mut text = format!("{function}(");
    for (index, (name, value)) in arguments.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        if !name.is_empty() {
            text.push_str(name);
            text.push_str(" = ");
        }
        text.push_str(value);
    }
    text.push(')');
    text
}

/// An address as C code shows it.
pub(crate) fn address(value: u64) -> String {
    if value == 0 {
        "NULL".into()
    } else {
        format!("{value:#x}")
    }
}

/// A number of bytes: decimal, and hexadecimal where it is absurd.
pub(crate) fn count(value: u64) -> String {
    if value >= 1 << 47 {
        format!("{value:#x}")
    } else {
        value.to_string()
    }
}

fn stream(value: Stream) -> String {
    match value {
        Stream::Legacy => "0".into(),
        Stream::PerThread => "cudaStreamPerThread".into(),
        Stream::Handle(handle) => format!("{handle:#x}"),
    }
}

pub(super) fn call(call: &Call) -> String {
    let mut arguments = match &call.action {
        Action::Copy(copy) => linear(call, copy),
        Action::Copy2D(copy) => plane(copy),
        Action::Copy3D(copy) => volume(call, copy),
        Action::Peer(copy) => peer(copy),
        Action::Peer3D(copy) => peer_volume(call, copy),
        Action::Symbol(copy) => symbol(copy),
        Action::Batch(batch) => batched(batch),
        Action::Batch3D(batch) => boxes(batch),
        Action::Fill(fill) => filled(call, fill),
        Action::Register(register) => vec![
            ("ptr", address(register.address)),
            ("size", count(register.bytes)),
            ("flags", register.flags.to_string()),
        ],
        Action::Unregister { address: at } => vec![("ptr", address(*at))],
        Action::Export(export) => vec![("devPtr", address(export.address))],
    };
    if let Order::Async(on) = call.order {
        arguments.push(("stream", stream(on)));
    }
    write(call.function, &arguments)
}

fn linear(call: &Call, copy: &Linear) -> Vec<(&'static str, String)> {
    match call.api {
        Api::Runtime => vec![
            ("dst", address(copy.dst)),
            ("src", address(copy.src)),
            ("count", count(copy.bytes)),
            ("", copy.kind.name()),
        ],
        Api::Driver => vec![
            ("dst", address(copy.dst)),
            ("src", address(copy.src)),
            ("ByteCount", count(copy.bytes)),
        ],
    }
}

fn plane(copy: &Plane) -> Vec<(&'static str, String)> {
    vec![
        ("dst", address(copy.dst)),
        ("dpitch", count(copy.dst_pitch)),
        ("src", address(copy.src)),
        ("spitch", count(copy.src_pitch)),
        ("width", count(copy.width)),
        ("height", count(copy.height)),
        ("", copy.kind.name()),
    ]
}

fn boxes(batch: &Batch3D) -> Vec<(&'static str, String)> {
    let mut arguments = vec![("numOps", batch.entries.len().to_string())];
    if batch.flags != 0 {
        arguments.push(("flags", format!("{:#x}", batch.flags)));
    }
    arguments
}

/// A copy of a 3D batch, as part of a text about the batch.
pub(crate) fn boxed(copy: &Volume) -> String {
    let (dst, src) = (place(&copy.dst), place(&copy.src));
    let [width, height, depth] = [copy.width, copy.height, copy.depth].map(count);
    format!("{{dst = {dst}, src = {src}, extent = {width} bytes x {height} x {depth}}}")
}

fn place(place: &Place) -> String {
    match *place {
        Place::Memory {
            address: at,
            pitch,
            x,
            y,
            z,
            ..
        } => {
            let mut text = format!("{} pitch {}", address(at), count(pitch));
            if (x, y, z) != (0, 0, 0) {
                text.push_str(&format!(" at ({x}, {y}, {z})"));
            }
            text
        }
        Place::Array { handle, x, y, z } => format!("array {handle:#x} at ({x}, {y}, {z})"),
        Place::Both {
            handle,
            address: at,
        } => {
            format!("array {handle:#x} and pointer {}", address(at))
        }
        Place::Neither => "neither array nor pointer".into(),
    }
}

fn volume(call: &Call, copy: &Volume) -> Vec<(&'static str, String)> {
    let mut arguments = vec![
        ("dst", place(&copy.dst)),
        ("src", place(&copy.src)),
        ("width", format!("{} bytes", count(copy.width))),
        ("height", count(copy.height)),
    ];
    if copy.depth != 1 {
        arguments.push(("depth", count(copy.depth)));
    }
    if call.api == Api::Runtime {
        arguments.push(("", copy.kind.name()));
    }
    arguments
}

fn peer_volume(call: &Call, peer: &PeerVolume) -> Vec<(&'static str, String)> {
    let mut arguments = volume(call, &peer.copy);
    // It has no kind.
    arguments.retain(|(name, _)| !name.is_empty());
    arguments.push(("dstDevice", peer.dst_device.to_string()));
    arguments.push(("srcDevice", peer.src_device.to_string()));
    arguments
}

fn peer(copy: &Peer) -> Vec<(&'static str, String)> {
    vec![
        ("dst", address(copy.dst)),
        ("dstDevice", copy.dst_device.to_string()),
        ("src", address(copy.src)),
        ("srcDevice", copy.src_device.to_string()),
        ("count", count(copy.bytes)),
    ]
}

fn symbol(copy: &SymbolCopy) -> Vec<(&'static str, String)> {
    let variable = ("symbol", address(copy.name));
    let rest = [
        ("count", count(copy.bytes)),
        ("offset", count(copy.offset)),
        ("", copy.kind.name()),
    ];
    let mut arguments = if copy.to_symbol {
        vec![variable, ("src", address(copy.other))]
    } else {
        vec![("dst", address(copy.other)), variable]
    };
    arguments.extend(rest);
    arguments
}

fn batched(batch: &Batch) -> Vec<(&'static str, String)> {
    vec![
        ("count", batch.entries.len().to_string()),
        ("numAttrs", batch.attributes.len().to_string()),
    ]
}

fn filled(call: &Call, fill: &Fill) -> Vec<(&'static str, String)> {
    let mut arguments = vec![("dst", address(fill.dst))];
    if fill.height != 1 {
        arguments.push(("pitch", count(fill.pitch)));
    }
    arguments.push(("value", fill.value.to_string()));
    let width = if call.api == Api::Driver {
        "N"
    } else if fill.height != 1 {
        "width"
    } else {
        "count"
    };
    arguments.push((width, count(fill.width)));
    if fill.height != 1 {
        arguments.push(("height", count(fill.height)));
    }
    arguments
}
