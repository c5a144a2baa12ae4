//! What bears on copies.

use std::collections::BTreeMap;

use cuwhy_device_state::{CAPABILITIES, Capability, Report};

use super::words::{headline, missing, remarks, title};
use crate::table::{Align, Cell, Table, Tone};

/// What was seen where trying contradicted the claim, and why other things were not tried.
fn evidence(capabilities: &BTreeMap<String, Capability>) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut any = false;
    for meaning in &CAPABILITIES {
        let Some(capability) = capabilities.get(meaning.key) else {
            continue;
        };
        let Some(evidence) = &capability.evidence else {
            continue;
        };
        if capability.probed.is_none() || capability.probed != capability.claimed {
            table.row(vec![meaning.label.into(), evidence.clone().into()]);
            any = true;
        }
    }
    if any {
        format!("\n{}", table.render())
    } else {
        String::new()
    }
}

/// What each device claims about memory, what came of trying it, and what it means for a copy.
pub fn memory(report: &Report) -> String {
    let mut text = String::new();
    for device in &report.devices {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&title(device));
        text.push_str("\n\n");
        let Some(capabilities) = &device.cuda.capabilities else {
            let why = missing(&device.absent, "capabilities");
            let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
            table.row(vec!["capabilities".into(), why]);
            text.push_str(&table.render());
            continue;
        };
        let mut table = Table::new(&[
            ("", Align::Left),
            ("claimed", Align::Left),
            ("probed", Align::Left),
            ("what it means for a copy", Align::Left),
        ]);
        for meaning in &CAPABILITIES {
            let Some(capability) = capabilities.get(meaning.key) else {
                continue;
            };
            let word = |value: Option<bool>, key: &str| match value {
                Some(true) => "yes".into(),
                Some(false) => "no".into(),
                None if key == "probed" => Cell::toned("-", Tone::Faint),
                None => missing(&capability.absent, key),
            };
            let disagree = capability
                .claimed
                .zip(capability.probed)
                .is_some_and(|(claimed, probed)| claimed != probed);
            let means = match capability.probed.or(capability.claimed) {
                Some(true) => meaning.yes,
                Some(false) => meaning.no,
                None => "",
            };
            let mut cells = vec![
                meaning.label.into(),
                word(capability.claimed, "claimed"),
                word(capability.probed, "probed"),
                means.into(),
            ];
            if disagree {
                cells[2] = Cell::toned(
                    if capability.probed == Some(true) {
                        "YES"
                    } else {
                        "NO"
                    },
                    Tone::Bad,
                );
            }
            table.row(cells);
        }
        let words = |list: &Option<Vec<String>>, key: &str| match list {
            Some(list) if list.is_empty() => "none".into(),
            Some(list) => list.join(", ").into(),
            None => missing(&device.absent, key),
        };
        text.push_str(&table.render());
        text.push_str(&evidence(capabilities));
        text.push('\n');
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        table.row(vec![
            "virtual memory can be shared by".into(),
            words(
                &device.cuda.virtual_memory_handles,
                "virtual_memory_handles",
            ),
        ]);
        table.row(vec![
            "pools can be shared by".into(),
            words(&device.cuda.pool_handles, "pool_handles"),
        ]);
        let engines = device.cuda.copy_engines;
        table.row(vec![
            "copy engines".into(),
            engines.map_or_else(
                || missing(&device.absent, "copy_engines"),
                |engines| engines.to_string().into(),
            ),
        ]);
        table.row(vec![
            "compute mode".into(),
            device
                .nvml
                .compute_mode
                .clone()
                .map_or_else(|| missing(&device.absent, "compute_mode"), Cell::from),
        ]);
        text.push_str(&table.render());
    }
    let probed = report.devices.iter().any(|device| {
        device
            .cuda
            .capabilities
            .iter()
            .flatten()
            .any(|(_, capability)| capability.probed.is_some())
    });
    if !report.devices.is_empty() && !probed {
        text.push_str("\nrun `cuwhy doctor --probe` to compare claims with behaviour\n");
    }
    if report.devices.is_empty() {
        text.push_str(&headline(report));
    }
    text.push_str(&remarks(report));
    text
}
