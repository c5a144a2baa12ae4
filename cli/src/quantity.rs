//! Numbers as people read them.

/// Writes bytes in the largest unit of 1024 that leaves a number above 1: `140.4 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match UNITS.iter().find(|(unit, _)| count >= *unit) {
        Some((unit, name)) => format!("{} {name}", tenths(count, *unit)),
        None => format!("{count} B"),
    }
}

/// Writes used and total bytes in the unit of the total: `1.2 / 140.4 GiB`.
pub fn share(used: u64, total: u64) -> String {
    let unit = if total >= 1 << 30 { 1 << 30 } else { 1 << 20 };
    let name = if total >= 1 << 30 { "GiB" } else { "MiB" };
    format!("{} / {} {name}", tenths(used, unit), tenths(total, unit))
}

fn tenths(count: u64, unit: u64) -> String {
    let tenths = (u128::from(count) * 10 + u128::from(unit) / 2) / u128::from(unit);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Writes milliwatts as watts: `77.2 W`.
pub fn watts(milliwatts: u32) -> String {
    format!("{} W", tenths(u64::from(milliwatts), 1000))
}

/// Writes hertz as megahertz: `1980 MHz`.
pub fn megahertz(hertz: u64) -> String {
    format!("{} MHz", hertz / 1_000_000)
}

/// Writes a number and a noun, in the plural where it belongs: `1 device`, `2 devices`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_one_digit() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(150_754_820_096), "140.4 GiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
        assert_eq!(share(1_288_490_189, 150_754_820_096), "1.2 / 140.4 GiB");
    }

    #[test]
    fn other_units() {
        assert_eq!(watts(77_160), "77.2 W");
        assert_eq!(megahertz(1_980_000_000), "1980 MHz");
        assert_eq!(count(1, "device"), "1 device");
        assert_eq!(count(0, "device"), "0 devices");
    }
}
