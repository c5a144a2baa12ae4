//! What a device's numbers say about its state.

use cuwhy_device_state::Device;

use crate::table::Tone;

/// The state of a device in a few words, the worst first.
pub fn state(device: &Device) -> (String, Tone) {
    let fields = &device.nvml;
    let mut words: Vec<(Tone, String)> = Vec::new();
    match fields.recovery_action.as_deref() {
        None | Some("none") => {}
        Some(action) => words.push((Tone::Bad, format!("needs {action}"))),
    }
    if fields.remapped_rows_failed == Some(true) {
        words.push((Tone::Bad, "row remapping failed".into()));
    }
    if fields.ecc_uncorrected_volatile.unwrap_or(0) > 0 {
        words.push((Tone::Bad, "uncorrected ECC errors".into()));
    }
    if fields.remapped_rows_pending == Some(true) {
        words.push((Tone::Doubtful, "row remapping pending".into()));
    }
    if fields.retired_pages_pending == Some(true) {
        words.push((Tone::Doubtful, "page retirement pending".into()));
    }
    if fields.compute_mode.as_deref() == Some("prohibited") {
        words.push((Tone::Bad, "compute prohibited".into()));
    }
    for reason in fields.clocks_event_reasons.iter().flatten() {
        let (tone, word) = match reason.as_str() {
            "gpu_idle" | "applications_clocks_setting" | "display_clock_setting" | "sync_boost" => {
                continue;
            }
            "sw_power_cap" => (Tone::Plain, "power cap"),
            "sw_thermal_slowdown" => (Tone::Doubtful, "thermal slowdown (software)"),
            "hw_thermal_slowdown" => (Tone::Bad, "thermal slowdown (hardware)"),
            "hw_power_brake_slowdown" => (Tone::Bad, "power brake"),
            "hw_slowdown" => (Tone::Doubtful, "hardware slowdown"),
            other => (Tone::Doubtful, other),
        };
        words.push((tone, word.to_owned()));
    }
    if fields.mig_enabled == Some(true) {
        words.push((Tone::Plain, "split (MIG)".into()));
    }
    if words.is_empty() {
        // Without any of these numbers nobody can say.
        let known = fields.clocks_event_reasons.is_some()
            || fields.recovery_action.is_some()
            || fields.ecc_uncorrected_volatile.is_some();
        return if known {
            ("ok".into(), Tone::Good)
        } else {
            ("-".into(), Tone::Faint)
        };
    }
    words.sort_by_key(|(tone, _)| match tone {
        Tone::Bad => 0,
        Tone::Doubtful => 1,
        _ => 2,
    });
    let tone = words[0].0;
    let words: Vec<String> = words.into_iter().map(|(_, word)| word).collect();
    (words.join(", "), tone)
}
