//! Every row of the measured table of pointer attributes, asked again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use cuda_sys::driver::*;
use support::{cu, operands};

const TABLE: &str =
    include_str!("../../tests/data/ground-truth/pointer-attributes-h200-driver580-cuda13.0.tsv");

type Which = CUpointer_attribute_enum;
/// The attributes of the table, by column.
const ASKED: [(&str, Which); 15] = [
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
    ("RANGE_START", Which::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR),
    ("RANGE_SIZE", Which::CU_POINTER_ATTRIBUTE_RANGE_SIZE),
    ("MAPPED", Which::CU_POINTER_ATTRIBUTE_MAPPED),
    ("MEMPOOL_HANDLE", Which::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE),
    ("CONTEXT", Which::CU_POINTER_ATTRIBUTE_CONTEXT),
    ("ACCESS_FLAGS", Which::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS),
    ("SYNC_MEMOPS", Which::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS),
    ("P2P", Which::CU_POINTER_ATTRIBUTE_MAPPED),
];

/// A pointer as the table writes it.
fn relative(value: u64, own: u64) -> String {
    match value {
        0 => "null".into(),
        same if same == own => "self".into(),
        other => format!("{other:#x}"),
    }
}

/// The plural query: its status and its values as numbers.
fn plural(driver: &Driver, pointer: u64) -> (u32, BTreeMap<&'static str, u64>) {
    let mut values = [0u64; ASKED.len()];
    let mut which = ASKED.map(|(_, which)| which);
    let mut places: Vec<_> = values
        .iter_mut()
        .map(|value| core::ptr::from_mut(value).cast())
        .collect();
    let count = u32::try_from(ASKED.len()).unwrap();
    let status =
        cu!(driver.cuPointerGetAttributes(count, which.as_mut_ptr(), places.as_mut_ptr(), pointer));
    (
        status,
        ASKED.iter().map(|(name, _)| *name).zip(values).collect(),
    )
}

/// All columns of one row, in our answers.
fn row(driver: &Driver, pointer: u64) -> BTreeMap<&'static str, String> {
    let (status, values) = plural(driver, pointer);
    let mut kind = 0u32;
    let place = (&raw mut kind).cast();
    let single =
        cu!(driver.cuPointerGetAttribute(place, Which::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pointer));
    let set = |name: &str, yes: &'static str, no: &'static str| {
        if values[name] == 0 { no } else { yes }.to_owned()
    };
    let plain = |name: &str| values[name].to_string();
    let ordinal = u32::try_from(values["DEVICE_ORDINAL"])
        .unwrap()
        .cast_signed();
    let mut said = BTreeMap::from([
        ("plural_rc", status.to_string()),
        ("singular_MEMORY_TYPE_rc", single.to_string()),
        (
            "DEVICE_POINTER",
            relative(values["DEVICE_POINTER"], pointer),
        ),
        ("HOST_POINTER", relative(values["HOST_POINTER"], pointer)),
        ("BUFFER_ID", set("BUFFER_ID", "set", "0")),
        ("DEVICE_ORDINAL", ordinal.to_string()),
        ("MEMPOOL_HANDLE", set("MEMPOOL_HANDLE", "set", "null")),
        ("CONTEXT", set("CONTEXT", "set", "null")),
    ]);
    for name in [
        "MEMORY_TYPE",
        "IS_MANAGED",
        "IS_LEGACY_IPC",
        "RANGE_SIZE",
        "MAPPED",
        "ACCESS_FLAGS",
        "SYNC_MEMOPS",
    ] {
        said.insert(name, plain(name));
    }
    let start = values["RANGE_START"];
    said.insert(
        "offset_in_RANGE",
        if start == 0 {
            "-".into()
        } else {
            (pointer - start).to_string()
        },
    );

    let (mut base, mut size) = (0, 0);
    let status = cu!(driver.cuMemGetAddressRange_v2(&raw mut base, &raw mut size, pointer));
    said.insert("cuMemGetAddressRange_rc", status.to_string());
    said.insert(
        "offset_in_address_range",
        if status == 0 {
            (pointer - base).to_string()
        } else {
            "-".into()
        },
    );
    said.insert("address_range_size", size.to_string());

    // What the runtime makes of the same attributes.
    let kind = match (values["MEMORY_TYPE"], values["IS_MANAGED"]) {
        (2, 1) => 3,
        (kind, _) => kind,
    };
    said.insert("cudaPointerGetAttributes_rc", "0".into());
    said.insert("type", kind.to_string());
    said.insert("device", ordinal.to_string());
    said.insert("devicePointer", relative(values["DEVICE_POINTER"], pointer));
    said.insert("hostPointer", relative(values["HOST_POINTER"], pointer));
    said
}

#[test]
fn every_attribute_is_as_measured() {
    let (driver, _) = support::ready();
    let operands = operands::make(driver);
    let mut lines = TABLE.lines();
    let columns: Vec<_> = lines.next().unwrap().split('\t').collect();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in lines {
        let cells: Vec<_> = line.split('\t').collect();
        let said = row(driver, operands[cells[0]]);
        rows += 1;
        for (column, measured) in columns.iter().zip(&cells).skip(1) {
            if said[column] != **measured {
                wrong.push(format!(
                    "{}: {column} is {measured}, answered {}",
                    cells[0], said[column]
                ));
            }
        }
    }
    println!("attributes: {rows} rows, {} cells differ", wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
