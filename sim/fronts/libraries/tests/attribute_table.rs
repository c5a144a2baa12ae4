//! What `cudaPointerGetAttributes` says of every operand of the measured table, through each front.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a test that cannot unwrap has failed"
)]

mod support;

use core::ffi::c_void;

use cuda_sys::runtime::Major;
use support::operands::operands;
use support::{End, MAJORS, in_child};

const TABLE: &str = include_str!(
    "../../../../tests/data/ground-truth/pointer-attributes-h200-driver580-cuda13.0.tsv"
);
/// The columns that are the runtime's: its code, type, device and the two addresses.
const OURS: [&str; 5] = [
    "cudaPointerGetAttributes_rc",
    "type",
    "device",
    "devicePointer",
    "hostPointer",
];

fn place(found: *mut c_void, asked: *mut c_void) -> &'static str {
    if found.is_null() {
        "null"
    } else if found == asked {
        "self"
    } else {
        "elsewhere"
    }
}

/// How many rows are answered otherwise than measured.
fn wrong(major: Major) -> i32 {
    let (runtime, operands) = operands(major);
    let mut lines = TABLE.lines();
    let columns: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let mut wrong = 0;
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        let measured =
            OURS.map(|name| cells[columns.iter().position(|column| *column == name).unwrap()]);
        let asked = operands[cells[0]];
        let (status, found) = runtime.pointer_attributes(asked);
        let answered = [
            status.0.to_string(),
            found.memory_type.0.to_string(),
            found.device.to_string(),
            place(found.device_pointer, asked).to_owned(),
            place(found.host_pointer, asked).to_owned(),
        ];
        if answered != measured {
            println!(
                "CUDA {major}, {}: {answered:?}, measured {measured:?}",
                cells[0]
            );
            wrong += 1;
        }
    }
    wrong
}

#[test]
fn every_pointer_is_told_as_measured() {
    for major in MAJORS {
        assert_eq!(in_child(|| wrong(major)), End::Exit(0), "CUDA {major}");
    }
}
