//! The operands of the measured tables, as a recording.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "each test file uses its own part of this module"
)]

use cuwhy_validate::Span;
use cuwhy_validate::ask::{Attributes, Mapped, Recorded};
use cuwhy_validate::facts::{Access, Current, Environment, Permissions};
use std::collections::HashMap;

pub(crate) const COPIES: &str = include_str!("../data/cudaMemcpy-h200-driver580-cuda13.0.tsv");
pub(crate) const ATTRIBUTES: &str =
    include_str!("../data/pointer-attributes-h200-driver580-cuda13.0.tsv");

/// Where the recording puts each operand; gaps between them belong to nothing.
pub(crate) fn address(name: &str, index: u64) -> u64 {
    match name {
        "null" => 0,
        "unmapped_low_0x1000" => 0x1000,
        "noncanonical" => 0xdead_0000_0000_0000,
        _ => 0x7f00_0000_0000 + index * 0x1000_0000,
    }
}

/// One line of the attribute table, by column name.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    columns: HashMap<&'static str, &'static str>,
}

impl Line {
    pub(crate) fn text(&self, column: &str) -> &'static str {
        self.columns[column]
    }

    pub(crate) fn number(&self, column: &str) -> u64 {
        self.text(column).parse().unwrap_or(0)
    }
}

pub(crate) fn lines() -> impl Iterator<Item = Line> {
    let mut lines = ATTRIBUTES.lines();
    let header: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines.map(move |line| Line {
        columns: header.iter().copied().zip(line.split('\t')).collect(),
    })
}

/// Everything that the attribute table says, and where the operands lie.
pub(crate) fn world() -> (Recorded, HashMap<&'static str, u64>) {
    let mut world = Recorded::default().with_environment(Environment {
        current: Current::Device(0),
        pageable_access: Some(false),
        devices: Some(1),
        names: vec![(0, "NVIDIA H200".into())],
        ..Environment::default()
    });
    let mut operands = HashMap::new();
    for (index, line) in (0_u64..).zip(lines()) {
        let name = line.text("pointer");
        let pointer = address(name, index);
        operands.insert(name, pointer);
        let attributes = attributes(&line, pointer);
        if let Some(range) = attributes.range {
            // The range of virtual memory is the reservation; this says how much of it is mapped.
            let mapped = if line.text("cuMemGetAddressRange_rc") == "0" {
                let start = pointer - line.number("offset_in_address_range");
                let mapped = Span::sized(start, line.number("address_range_size"));
                world = world.with_mapped_range(mapped);
                mapped
            } else {
                Span::new(pointer, range.end)
            };
            let seen = attributes.device_pointer.unwrap_or(0) != 0;
            let attributes = Attributes {
                device_pointer: Some(if seen { mapped.start } else { 0 }),
                ..attributes
            };
            world = world.with(mapped, attributes);
            if mapped.end < range.end {
                let reserved = Attributes {
                    memory_type: 0,
                    range: Some(range),
                    mapped: Some(false),
                    ordinal: -2,
                    ..Attributes::default()
                };
                world = world.with(range, reserved);
            }
        }
        if let Some(mapping) = mapping(name, pointer) {
            world = world.with_host(mapping);
        }
    }
    (world, operands)
}

/// What host code finds at the operands that CUDA does not know: what the README says they are.
fn mapping(name: &str, start: u64) -> Option<Mapped> {
    let permissions = match name {
        "pageable_heap" | "pageable_guarded_1page" | "host_shadow_of_symbol" => {
            Permissions::READ_WRITE
        }
        "pageable_readonly" => Permissions::READ,
        _ => return None,
    };
    Some(Mapped {
        span: Span::sized(start, 4096),
        permissions,
        name: None,
    })
}

pub(crate) fn attributes(line: &Line, pointer: u64) -> Attributes {
    let handle = |column: &str| match line.text(column) {
        "null" => 0,
        "self" => pointer,
        _ => 0xabcd_0000,
    };
    let base = pointer - line.number("offset_in_RANGE");
    let size = line.number("RANGE_SIZE");
    Attributes {
        memory_type: u32::try_from(line.number("MEMORY_TYPE")).unwrap(),
        managed: Some(line.number("IS_MANAGED") == 1),
        ordinal: line.text("DEVICE_ORDINAL").parse().unwrap(),
        device_pointer: Some(handle("DEVICE_POINTER")),
        range: (size > 0).then(|| Span::sized(base, size)),
        mapping: None,
        mapped: Some(line.number("MAPPED") == 1),
        context: Some(handle("CONTEXT")),
        pool: Some(handle("MEMPOOL_HANDLE")),
        buffer_id: (line.text("BUFFER_ID") == "set").then_some(pointer),
        access: Access::from_flags(line.number("ACCESS_FLAGS")),
        exportable: Some(line.number("IS_LEGACY_IPC") == 1),
    }
}
