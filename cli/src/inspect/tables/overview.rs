//! One line per device.

use cuwhy_device_state::{Kind, Report};

use super::words::{headline, index, percent, remarks};
use crate::inspect::health::state;
use crate::quantity::{bytes, share, watts};
use crate::table::{Align, Cell, Table};

/// One line about the driver, one per device, and what should not be overlooked.
pub fn overview(report: &Report) -> String {
    let mut text = headline(report);
    if !report.devices.is_empty() {
        let mut table = Table::new(&[
            ("nvml", Align::Right),
            ("cuda", Align::Right),
            ("name", Align::Left),
            ("pci", Align::Left),
            ("memory", Align::Right),
            ("util", Align::Right),
            ("temp", Align::Right),
            ("power", Align::Right),
            ("state", Align::Left),
        ]);
        for device in &report.devices {
            let fields = &device.nvml;
            let memory = match (fields.memory_used_bytes, fields.memory_total_bytes) {
                (Some(used), Some(total)) => share(used, total),
                (None, Some(total)) => bytes(total),
                _ => match (device.cuda.integrated, device.cuda.cuda_memory_total_bytes) {
                    (Some(true), Some(total)) => format!("{} shared", bytes(total)),
                    (_, Some(total)) => bytes(total),
                    _ => "-".into(),
                },
            };
            let power = match (fields.power_draw_milliwatts, fields.power_limit_milliwatts) {
                (Some(draw), Some(limit)) => {
                    format!("{} / {} W", draw.div_ceil(1000), limit / 1000)
                }
                (Some(draw), None) => watts(draw),
                _ => "-".into(),
            };
            let (state, tone) = state(device);
            let name = match device.kind {
                Kind::Gpu => device.name.clone(),
                Kind::Mig => device.name.as_ref().map(|name| format!("  {name}")),
            };
            table.row(vec![
                index(device.nvml_index),
                index(device.cuda_index),
                name.unwrap_or_else(|| "-".into()).into(),
                device.pci.clone().unwrap_or_else(|| "-".into()).into(),
                memory.into(),
                percent(fields.utilisation_percent).into(),
                fields
                    .temperature_celsius
                    .map_or("-".into(), |degrees| format!("{degrees} C"))
                    .into(),
                power.into(),
                Cell::toned(state, tone),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text.push_str(&remarks(report));
    text
}
