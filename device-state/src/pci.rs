//! PCI addresses, which everybody writes in another way.

/// Writes a PCI address as the kernel does: `0000:19:00.0`.
///
/// NVML writes eight digits of domain and capitals, CUDA four digits, people none.
pub fn normal(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    let (rest, function) = text.rsplit_once('.').unwrap_or((&text, "0"));
    let parts: Vec<&str> = rest.split(':').collect();
    let (domain, bus, device) = match parts[..] {
        [domain, bus, device] => (domain, bus, device),
        [bus, device] => ("0", bus, device),
        _ => return text,
    };
    let number = |digits: &str| u32::from_str_radix(digits, 16);
    match (
        number(domain),
        number(bus),
        number(device),
        number(function),
    ) {
        (Ok(domain), Ok(bus), Ok(device), Ok(function)) => {
            format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn every_spelling_means_the_same() {
        for spelling in ["00000000:3B:00.0", "0000:3b:00.0", "3b:00.0", "3B:00"] {
            assert_eq!(normal(spelling), "0000:3b:00.0");
        }
        assert_eq!(normal("FFFFFFFF:FFFF:FF.0"), "ffffffff:ffff:ff.0");
        assert_eq!(normal("garbage"), "garbage");
    }
}
