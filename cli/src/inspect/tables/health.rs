//! What is wrong, or could become so.

use cuwhy_device_state::Report;

use super::words::{Values, headline, of, remarks, title, yes};
use crate::inspect::health::state;
use crate::table::{Align, Table};

/// What is wrong, or could become so.
pub fn health(report: &Report) -> String {
    let mut text = headline(report);
    for device in &report.devices {
        let fields = &device.nvml;
        let (state, tone) = state(device);
        text.push_str(&format!("\n{}  {}\n", title(device), tone.paint(&state)));
        let mut values = Values {
            absent: &device.absent,
            table: Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]),
        };
        values.show(
            "clocks event reasons",
            "clocks_event_reasons",
            fields.clocks_event_reasons.as_ref().map(|reasons| {
                if reasons.is_empty() {
                    "none".into()
                } else {
                    reasons.join(", ")
                }
            }),
        );
        let degrees = |value: Option<u32>| value.map(|value| format!("{value} C"));
        values.show(
            "temperature",
            "temperature_celsius",
            degrees(fields.temperature_celsius),
        );
        values.show(
            "slowdown at",
            "temperature_slowdown_celsius",
            degrees(fields.temperature_slowdown_celsius),
        );
        values.show(
            "shutdown at",
            "temperature_shutdown_celsius",
            degrees(fields.temperature_shutdown_celsius),
        );
        values.show("ECC", "ecc_enabled", yes(fields.ecc_enabled));
        for (label, key, value) in [
            (
                "ECC errors corrected, since driver start",
                "ecc_corrected_volatile",
                fields.ecc_corrected_volatile,
            ),
            (
                "ECC errors uncorrected, since driver start",
                "ecc_uncorrected_volatile",
                fields.ecc_uncorrected_volatile,
            ),
            (
                "ECC errors corrected, ever",
                "ecc_corrected_aggregate",
                fields.ecc_corrected_aggregate,
            ),
            (
                "ECC errors uncorrected, ever",
                "ecc_uncorrected_aggregate",
                fields.ecc_uncorrected_aggregate,
            ),
        ] {
            values.show(label, key, value.map(|value| value.to_string()));
        }
        values.show(
            "rows remapped, corrected and uncorrected",
            "remapped_rows_corrected",
            fields
                .remapped_rows_corrected
                .zip(fields.remapped_rows_uncorrected)
                .map(|(corrected, uncorrected)| format!("{corrected} and {uncorrected}")),
        );
        values.show(
            "row remapping pending",
            "remapped_rows_pending",
            yes(fields.remapped_rows_pending),
        );
        values.show(
            "row remapping failed",
            "remapped_rows_failed",
            yes(fields.remapped_rows_failed),
        );
        values.show(
            "page retirement pending",
            "retired_pages_pending",
            yes(fields.retired_pages_pending),
        );
        values.show(
            "recovery wanted",
            "recovery_action",
            fields.recovery_action.clone(),
        );
        values.show(
            "PCIe replays",
            "pcie_replays",
            fields.pcie_replays.map(|value| value.to_string()),
        );
        values.show(
            "PCIe lanes",
            "pcie_width",
            of(fields.pcie_width, fields.pcie_width_maximum),
        );
        text.push_str(&values.table.render());
    }
    text.push_str(&remarks(report));
    text
}
