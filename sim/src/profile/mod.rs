//! What a simulated device says of itself.
//!
//! Attribute values are recorded from hardware or from the maker's published tables; a value that nobody recorded is
//! not invented: asking for it is answered with "not supported".

mod gtx980;
mod h200;

pub(crate) use gtx980::GTX980;
pub(crate) use h200::H200;

/// A kind of device.
#[derive(Debug)]
pub(crate) struct Profile {
    /// The word that chooses it.
    pub(crate) key: &'static str,
    /// Its number, for the NVML front.
    pub(crate) index: u32,
    /// What `cuDeviceGetName` answers.
    pub(crate) name: &'static str,
    /// Bytes of device memory that CUDA reports.
    pub(crate) memory: usize,
    /// Attribute numbers and values, in rising order.
    pub(crate) attributes: &'static [(u32, i32)],
}

/// Attribute numbers that the model itself asks for.
pub(crate) mod number {
    pub(crate) const PCI_BUS: u32 = 33;
    pub(crate) const PCI_DEVICE: u32 = 34;
    pub(crate) const PCI_DOMAIN: u32 = 50;
    pub(crate) const MAJOR: u32 = 75;
    pub(crate) const MINOR: u32 = 76;
    pub(crate) const PAGEABLE_ACCESS: u32 = 88;
    pub(crate) const HOST_POINTER_OF_REGISTERED: u32 = 91;
    pub(crate) const CONCURRENT_MANAGED: u32 = 89;
    pub(crate) const READ_ONLY_REGISTRATION: u32 = 113;
    pub(crate) const VIRTUAL_MEMORY: u32 = 102;
    pub(crate) const POOLS: u32 = 115;
}

impl Profile {
    /// An attribute, where it was recorded.
    pub(crate) fn attribute(&self, number: u32) -> Option<i32> {
        let index = self
            .attributes
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()?;
        self.attributes.get(index).map(|(_, value)| *value)
    }

    /// Whether a capability was recorded as present.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.attribute(number).is_some_and(|value| value != 0)
    }
}

/// The profile of this name.
pub(crate) fn by_name(key: &str) -> Option<&'static Profile> {
    [&H200, &GTX980]
        .into_iter()
        .find(|profile| profile.key == key)
}

/// The UUID of the n-th device: the same in every process, and recognisable.
pub(crate) fn uuid(number: usize) -> [u8; 16] {
    let mut uuid = *b"cuwhy sim dev 00";
    let number = u8::try_from(number).unwrap_or(u8::MAX);
    uuid[14] = b'0' + number / 10;
    uuid[15] = b'0' + number % 10;
    uuid
}

/// A UUID as it is written, without `GPU-`.
pub(crate) fn uuid_text(uuid: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        for profile in [&H200, &GTX980] {
            assert!(
                profile.attributes.is_sorted_by(|a, b| a.0 < b.0),
                "{}",
                profile.key
            );
            assert!(profile.name.contains("simulated"));
        }
    }

    #[test]
    fn a_uuid_is_written_in_five_groups() {
        assert_eq!(uuid_text(&uuid(3)), "63757768-7920-7369-6d20-646576203033");
    }
}
