//! A report in Prometheus' text exposition format, for node_exporter's textfile collector.
//!
//! Names and units follow Prometheus' conventions: base units, `_total` for counters, what does not
//! change in an `_info` metric. A missing value is a missing line, as Prometheus wants it.

use cuwhy_device_state::{Device, Report};

struct Metric {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    value: fn(&Device) -> Option<f64>,
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    value: fn(&Device) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        help,
        kind: "gauge",
        value,
    }
}

const fn counter(
    name: &'static str,
    help: &'static str,
    value: fn(&Device) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        help,
        kind: "counter",
        value,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus' values are 64-bit floats; beyond 2^53 the last digits do not matter"
)]
fn wide(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn narrow(value: Option<u32>) -> Option<f64> {
    value.map(f64::from)
}

fn ratio(value: Option<u32>) -> Option<f64> {
    value.map(|value| f64::from(value) / 100.0)
}

fn thousandth(value: Option<u32>) -> Option<f64> {
    value.map(|value| f64::from(value) / 1000.0)
}

fn truth(value: Option<bool>) -> Option<f64> {
    value.map(|value| if value { 1.0 } else { 0.0 })
}

const METRICS: &[Metric] = &[
    gauge("memory_total_bytes", "Memory that is installed.", |d| {
        wide(d.nvml.memory_total_bytes)
    }),
    gauge("memory_used_bytes", "Memory that programs hold.", |d| {
        wide(d.nvml.memory_used_bytes)
    }),
    gauge("memory_free_bytes", "Memory that can still be had.", |d| {
        wide(d.nvml.memory_free_bytes)
    }),
    gauge(
        "memory_reserved_bytes",
        "Memory that driver and firmware hold.",
        |d| wide(d.nvml.memory_reserved_bytes),
    ),
    gauge("bar1_used_bytes", "Used part of the BAR1 window.", |d| {
        wide(d.nvml.bar1_used_bytes)
    }),
    gauge("bar1_total_bytes", "Size of the BAR1 window.", |d| {
        wide(d.nvml.bar1_total_bytes)
    }),
    gauge(
        "utilisation_ratio",
        "Part of the last sample period during which at least one kernel ran.",
        |d| ratio(d.nvml.utilisation_percent),
    ),
    gauge(
        "memory_utilisation_ratio",
        "Part of the last sample period during which memory was read or written.",
        |d| ratio(d.nvml.memory_utilisation_percent),
    ),
    gauge("temperature_celsius", "Temperature of the GPU.", |d| {
        narrow(d.nvml.temperature_celsius)
    }),
    gauge(
        "temperature_memory_celsius",
        "Temperature of the memory.",
        |d| narrow(d.nvml.temperature_memory_celsius),
    ),
    gauge(
        "fan_ratio",
        "Speed of the first fan, of its maximum.",
        |d| ratio(d.nvml.fan_percent),
    ),
    gauge("power_draw_watts", "Power drawn by the board.", |d| {
        thousandth(d.nvml.power_draw_milliwatts)
    }),
    gauge("power_limit_watts", "Power limit in force.", |d| {
        thousandth(d.nvml.power_limit_milliwatts)
    }),
    counter(
        "energy_consumed_joules_total",
        "Energy drawn since the driver was loaded.",
        |d| wide(d.nvml.energy_consumed_millijoules).map(|value| value / 1000.0),
    ),
    gauge(
        "performance_state",
        "Performance state: 0 is the fastest, 15 the slowest.",
        |d| narrow(d.nvml.performance_state),
    ),
    gauge(
        "graphics_clock_hertz",
        "Clock of the graphics engine.",
        |d| wide(d.nvml.graphics_clock_hertz),
    ),
    gauge("sm_clock_hertz", "Clock of the multiprocessors.", |d| {
        wide(d.nvml.sm_clock_hertz)
    }),
    gauge("memory_clock_hertz", "Clock of the memory.", |d| {
        wide(d.nvml.memory_clock_hertz)
    }),
    counter(
        "ecc_errors_corrected_total",
        "Memory errors corrected in the device's life.",
        |d| wide(d.nvml.ecc_corrected_aggregate),
    ),
    counter(
        "ecc_errors_uncorrected_total",
        "Memory errors not corrected in the device's life.",
        |d| wide(d.nvml.ecc_uncorrected_aggregate),
    ),
    gauge(
        "remapped_rows_corrected",
        "Memory rows replaced because of corrected errors.",
        |d| narrow(d.nvml.remapped_rows_corrected),
    ),
    gauge(
        "remapped_rows_uncorrected",
        "Memory rows replaced because of uncorrected errors.",
        |d| narrow(d.nvml.remapped_rows_uncorrected),
    ),
    gauge(
        "remapped_rows_pending",
        "1 if a memory row waits to be replaced at the next reset.",
        |d| truth(d.nvml.remapped_rows_pending),
    ),
    gauge(
        "remapped_rows_failed",
        "1 if replacing a memory row failed.",
        |d| truth(d.nvml.remapped_rows_failed),
    ),
    gauge(
        "recovery_wanted",
        "1 if the driver wants a reset, a reboot or a drain.",
        |d| {
            truth(
                d.nvml
                    .recovery_action
                    .as_ref()
                    .map(|action| action != "none"),
            )
        },
    ),
    gauge(
        "pcie_generation",
        "PCIe generation now; it drops when the device is idle.",
        |d| narrow(d.nvml.pcie_generation),
    ),
    gauge("pcie_width_lanes", "PCIe lanes now.", |d| {
        narrow(d.nvml.pcie_width)
    }),
    gauge(
        "pcie_width_maximum_lanes",
        "PCIe lanes that would be possible.",
        |d| narrow(d.nvml.pcie_width_maximum),
    ),
    counter(
        "pcie_replays_total",
        "PCIe packets that were sent again.",
        |d| narrow(d.nvml.pcie_replays),
    ),
    gauge("nvlinks_active", "NVLink connections that are up.", |d| {
        d.nvml.nvlinks.as_ref().and_then(|links| {
            u32::try_from(links.iter().filter(|link| link.active).count())
                .ok()
                .map(f64::from)
        })
    }),
    gauge("processes", "Programs that use the device.", |d| {
        d.nvml
            .processes
            .as_ref()
            .and_then(|list| u32::try_from(list.len()).ok().map(f64::from))
    }),
    gauge("copy_engines", "Copy engines.", |d| {
        narrow(d.cuda.copy_engines)
    }),
];

/// Writes the whole report.
pub fn write(report: &Report) -> String {
    let mut text = String::new();
    single(
        &mut text,
        "cuwhy_collected_timestamp_seconds",
        "When this was collected.",
        report.collected_unix_seconds.to_string(),
    );
    single(
        &mut text,
        "cuwhy_devices",
        "Devices found.",
        report.devices.len().to_string(),
    );
    single(
        &mut text,
        "cuwhy_problems",
        "Problems met while collecting.",
        report.problems.len().to_string(),
    );
    for (name, help, status) in [
        (
            "cuwhy_nvml_up",
            "1 if NVML answered.",
            &report.driver.nvml_status,
        ),
        (
            "cuwhy_cuda_up",
            "1 if CUDA answered.",
            &report.driver.cuda_status,
        ),
    ] {
        single(
            &mut text,
            name,
            help,
            u8::from(status.answered()).to_string(),
        );
    }
    head(
        &mut text,
        "cuwhy_driver_info",
        "Versions of the driver.",
        "gauge",
    );
    let word = |value: &Option<String>| value.clone().unwrap_or_default();
    line(
        &mut text,
        "cuwhy_driver_info",
        &[
            ("version", &word(&report.driver.version)),
            ("cuda", &word(&report.driver.cuda)),
            ("runtime", &word(&report.driver.runtime)),
            ("simulated", if report.simulated { "true" } else { "false" }),
        ],
        "1",
    );
    if report.devices.is_empty() {
        return text;
    }
    head(
        &mut text,
        "cuwhy_device_info",
        "What does not change about a device.",
        "gauge",
    );
    for device in &report.devices {
        let index = |index: Option<u32>| index.map_or(String::new(), |index| index.to_string());
        line(
            &mut text,
            "cuwhy_device_info",
            &[
                ("uuid", &device.uuid),
                ("pci", &word(&device.pci)),
                ("name", &word(&device.name)),
                ("nvml_index", &index(device.nvml_index)),
                ("cuda_index", &index(device.cuda_index)),
                ("compute_capability", &word(&device.cuda.compute_capability)),
                ("parent_uuid", &word(&device.parent_uuid)),
            ],
            "1",
        );
    }
    for metric in METRICS {
        let name = format!("cuwhy_device_{}", metric.name);
        let lines: Vec<(&Device, f64)> = report
            .devices
            .iter()
            .filter_map(|device| Some((device, (metric.value)(device)?)))
            .collect();
        if lines.is_empty() {
            continue;
        }
        head(&mut text, &name, metric.help, metric.kind);
        for (device, value) in lines {
            line(
                &mut text,
                &name,
                &[("uuid", &device.uuid)],
                &value.to_string(),
            );
        }
    }
    clocks_event_reasons(report, &mut text);
    capabilities(report, &mut text);
    text
}

/// Reasons that are told even while they do not hold, so that a rule can watch them.
const REASONS: &[&str] = &[
    "gpu_idle",
    "applications_clocks_setting",
    "sw_power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
    "display_clock_setting",
];

fn clocks_event_reasons(report: &Report, text: &mut String) {
    let name = "cuwhy_device_clocks_event_reason";
    let mut headed = false;
    for device in &report.devices {
        let Some(reasons) = &device.nvml.clocks_event_reasons else {
            continue;
        };
        if !headed {
            head(text, name, "1 if this holds the clocks down now.", "gauge");
            headed = true;
        }
        for reason in REASONS {
            let holds = reasons.iter().any(|known| known == reason);
            line(
                text,
                name,
                &[("uuid", &device.uuid), ("reason", reason)],
                if holds { "1" } else { "0" },
            );
        }
    }
}

fn capabilities(report: &Report, text: &mut String) {
    let name = "cuwhy_device_capability";
    let mut headed = false;
    for device in &report.devices {
        for (key, capability) in device.cuda.capabilities.iter().flatten() {
            let Some(claimed) = capability.claimed else {
                continue;
            };
            if !headed {
                head(text, name, "1 if CUDA claims this capability.", "gauge");
                headed = true;
            }
            line(
                text,
                name,
                &[("uuid", &device.uuid), ("capability", key)],
                if claimed { "1" } else { "0" },
            );
        }
    }
}

fn single(text: &mut String, name: &str, help: &str, value: String) {
    head(text, name, help, "gauge");
    line(text, name, &[], &value);
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    push(
        text,
        format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"),
    );
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: &str) {
    text.push_str(name);
    if !labels.is_empty() {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        push(text, format_args!("{{{}}}", labels.join(",")));
    }
    push(text, format_args!(" {value}\n"));
}

fn push(text: &mut String, words: core::fmt::Arguments<'_>) {
    text.push_str(&words.to_string());
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = String::new();
        line(&mut text, "m", &[("a", "q\"b\\c\nd")], "1");
        assert_eq!(text, "m{a=\"q\\\"b\\\\c\\nd\"} 1\n");
    }

    #[test]
    fn names_keep_to_the_conventions() {
        for metric in METRICS {
            assert_eq!(
                metric.kind == "counter",
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(metric.help.ends_with('.'));
        }
    }
}
