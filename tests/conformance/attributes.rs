//! The table of attributes: what both interfaces say of each operand.

use core::ffi::c_void;
use std::collections::BTreeMap;
use std::fs;

use cuda_sys::driver::{CUpointer_attribute, CUpointer_attribute_enum as Which, Driver};
use cuda_sys::runtime::Runtime;
use cuwhy_tests::{fixture, here};

use super::{Whose, c, libraries, operands};

const TABLE: &str = "ground-truth/pointer-attributes-h200-driver580-cuda13.0.tsv";

/// The columns that the plural query fills, by the table's names or, where the table says it relatively, our own.
const ASKED: [(&str, CUpointer_attribute); 14] = [
    ("MEMORY_TYPE", Which::CU_POINTER_ATTRIBUTE_MEMORY_TYPE),
    ("DEVICE_POINTER", Which::CU_POINTER_ATTRIBUTE_DEVICE_POINTER),
    ("HOST_POINTER", Which::CU_POINTER_ATTRIBUTE_HOST_POINTER),
    ("BUFFER_ID", Which::CU_POINTER_ATTRIBUTE_BUFFER_ID),
    ("IS_MANAGED", Which::CU_POINTER_ATTRIBUTE_IS_MANAGED),
    ("DEVICE_ORDINAL", Which::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL),
    (
        "IS_LEGACY_IPC",
        Which::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
    ),
    ("start", Which::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR),
    ("RANGE_SIZE", Which::CU_POINTER_ATTRIBUTE_RANGE_SIZE),
    ("MAPPED", Which::CU_POINTER_ATTRIBUTE_MAPPED),
    ("MEMPOOL_HANDLE", Which::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE),
    ("CONTEXT", Which::CU_POINTER_ATTRIBUTE_CONTEXT),
    ("ACCESS_FLAGS", Which::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS),
    ("SYNC_MEMOPS", Which::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS),
];

type Cells = BTreeMap<&'static str, String>;

/// A pointer as the table writes it.
fn relative(value: u64, own: u64) -> String {
    match value {
        0 => "null".to_owned(),
        same if same == own => "self".to_owned(),
        other => format!("{other:#x}"),
    }
}

/// How far a pointer lies behind the start of something, if there is something.
fn offset(there: bool, start: u64, pointer: u64) -> String {
    if there {
        (pointer - start).to_string()
    } else {
        "-".to_owned()
    }
}

/// The driver's columns.
fn by_driver(driver: &Driver, pointer: u64, said: &mut Cells) {
    let mut values = [0_u64; ASKED.len()];
    let mut which = ASKED.map(|(_, which)| which);
    let mut places = values
        .each_mut()
        .map(|value| (&raw mut *value).cast::<c_void>());
    let count = u32::try_from(ASKED.len()).expect("few");
    let status =
        c!(driver.cuPointerGetAttributes(count, which.as_mut_ptr(), places.as_mut_ptr(), pointer));
    said.insert("plural_rc", status.to_string());
    for ((name, _), value) in ASKED.into_iter().zip(values) {
        let set = |yes: &str, no: &str| if value == 0 { no } else { yes }.to_owned();
        let text = match name {
            "DEVICE_POINTER" | "HOST_POINTER" => relative(value, pointer),
            "BUFFER_ID" => set("set", "0"),
            "MEMPOOL_HANDLE" | "CONTEXT" => set("set", "null"),
            "DEVICE_ORDINAL" => u32::try_from(value)
                .expect("four bytes were written")
                .cast_signed()
                .to_string(),
            "start" => offset(value != 0, value, pointer),
            _ => value.to_string(),
        };
        let name = if name == "start" {
            "offset_in_RANGE"
        } else {
            name
        };
        said.insert(name, text);
    }

    let mut kind = 0_u32;
    let place = (&raw mut kind).cast();
    let wanted = Which::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    let status = c!(driver.cuPointerGetAttribute(place, wanted, pointer));
    said.insert("singular_MEMORY_TYPE_rc", status.to_string());

    let (mut base, mut size) = (0, 0);
    let status = c!(driver.cuMemGetAddressRange_v2(&raw mut base, &raw mut size, pointer));
    said.insert("cuMemGetAddressRange_rc", status.to_string());
    said.insert(
        "offset_in_address_range",
        offset(status == 0, base, pointer),
    );
    said.insert("address_range_size", size.to_string());
}

/// The runtime's columns.
fn by_runtime(runtime: &Runtime, pointer: *mut c_void, said: &mut Cells) {
    let (status, found) = runtime.pointer_attributes(pointer);
    let address = |pointer: *mut c_void| pointer.addr() as u64;
    let place = |found: *mut c_void| relative(address(found), address(pointer));
    said.insert("cudaPointerGetAttributes_rc", status.0.to_string());
    said.insert("type", found.memory_type.0.to_string());
    said.insert("device", found.device.to_string());
    said.insert("devicePointer", place(found.device_pointer));
    said.insert("hostPointer", place(found.host_pointer));
}

/// Asks for every row of the table.
#[expect(clippy::print_stdout, reason = "the figures are for who runs the test")]
fn compare(whose: Whose) {
    let (driver, runtime) = libraries();
    let operands = operands::make(driver, runtime);
    let table = fs::read_to_string(fixture(TABLE)).expect("the table is there");
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().expect("names").split('\t').collect();
    let (mut rows, mut wrong) = (0, Vec::new());
    for line in lines {
        let cells: Vec<&str> = line.split('\t').collect();
        let pointer = operands[cells[0]];
        let mut said = Cells::new();
        by_driver(driver, pointer.expose_provenance() as u64, &mut said);
        by_runtime(runtime, pointer, &mut said);
        assert_eq!(said.len(), names.len() - 1, "every column is asked for");
        rows += 1;
        for (name, measured) in names.iter().zip(&cells).skip(1) {
            if said[name] != *measured {
                let said = &said[name];
                wrong.push(format!(
                    "{}: {name} is {measured}, answered {said}",
                    cells[0]
                ));
            }
        }
    }
    println!(
        "{whose:?}: {rows} rows of attributes, {} cells differ",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_attribute_is_as_measured() {
    for whose in Whose::all() {
        let child = whose.child(here!(), &format!("{whose:?}"));
        let outcome = child.run(|| compare(whose));
        outcome.must_succeed();
        print!("{}", outcome.output);
    }
}
