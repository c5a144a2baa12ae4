use crate::memory::Bytes;

/// Free and total memory of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryInfo {
    /// What an allocation could have.
    pub free: Bytes,
    /// What the device has.
    pub total: Bytes,
}

/// The range of [`Device::stream_priorities`](super::Device::stream_priorities).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPriorities {
    /// The number of the least urgent.
    pub least: i32,
    /// The number of the most urgent, which is the smallest.
    pub greatest: i32,
}
