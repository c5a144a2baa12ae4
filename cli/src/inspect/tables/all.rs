//! Every section, and chosen values.

use cuwhy_device_state::Report;

use super::{devices, health, libraries, memory, overview, processes, topology};
use crate::table::{Align, Cell, Table, Tone};

/// Every section under its name.
pub fn all(report: &Report) -> String {
    // What went wrong stands once, in the overview.
    let mut quiet = report.clone();
    quiet.problems.clear();
    quiet.notes.clear();
    let heading = |name: &str| Tone::Strong.paint(&format!("== {name} =="));
    let mut text = overview(report);
    for (name, section) in [
        ("devices", devices as fn(&Report) -> String),
        ("memory", memory),
        ("libraries", libraries),
        ("topology", topology),
        ("processes", processes),
        ("health", health),
    ] {
        text.push_str(&format!("\n{}\n\n{}", heading(name), section(&quiet)));
    }
    text
}

/// Chosen values, one row per device.
pub fn chosen(report: &Report, names: &[String]) -> String {
    let columns: Vec<(&str, Align)> = names
        .iter()
        .map(|name| (name.as_str(), Align::Left))
        .collect();
    let mut table = Table::new(&columns);
    for device in &report.devices {
        let row = crate::inspect::flat::device(device);
        table.row(
            names
                .iter()
                .map(|name| {
                    let value = row.iter().find(|(known, _)| known == name);
                    match value.map(|(_, value)| value) {
                        None | Some(serde_json::Value::Null) => {
                            let why = crate::inspect::flat::why(device, name);
                            Cell::toned(format!("- ({why})"), Tone::Faint)
                        }
                        Some(serde_json::Value::String(text)) => text.clone().into(),
                        Some(value) => value.to_string().into(),
                    }
                })
                .collect(),
        );
    }
    table.render()
}
