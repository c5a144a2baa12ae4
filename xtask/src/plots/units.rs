//! Numbers with three digits and a unit.

pub(super) fn bytes(value: f64) -> String {
    let scaled = [
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
    ];
    match scaled.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => format!("{} {name}", short(value / unit)),
        None => format!("{} B", short(value)),
    }
}

pub(super) fn time(nanoseconds: f64) -> String {
    let scaled = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    match scaled.into_iter().find(|(unit, _)| nanoseconds >= *unit) {
        Some((unit, name)) => format!("{} {name}", short(nanoseconds / unit)),
        None => format!("{} ns", short(nanoseconds)),
    }
}

pub(super) fn rate(value: f64) -> String {
    let scaled = [(1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")];
    match scaled.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => format!("{} {name}", short(value / unit)),
        None => format!("{} B/s", short(value)),
    }
}

/// Three digits.
pub(super) fn short(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    if digits == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(time(35.9), "35.9 ns");
        assert_eq!(time(15_686.0), "15.7 µs");
        assert_eq!(bytes(4096.0), "4 KiB");
        assert_eq!(bytes(1_073_741_824.0), "1 GiB");
        assert_eq!(rate(55.3e9), "55.3 GB/s");
        assert_eq!(rate(1e9), "1 GB/s");
        assert_eq!(rate(100e9), "100 GB/s");
    }
}
