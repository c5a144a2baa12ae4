use crate::memory::Bytes;

/// How a created context waits and schedules: the `CU_CTX_*` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContextFlags(pub u32);

impl ContextFlags {
    /// The driver chooses how a thread waits.
    pub const AUTOMATIC: Self = Self(0);
    /// A thread that waits spins.
    pub const SPIN: Self = Self(1);
    /// A thread that waits gives its turn away.
    pub const YIELD: Self = Self(2);
    /// A thread that waits sleeps.
    pub const BLOCKING: Self = Self(4);
}

/// Free and total memory of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryInfo {
    /// What an allocation could have.
    pub free: Bytes,
    /// What the device has.
    pub total: Bytes,
}

/// The range of [`Context::stream_priorities`](super::Context::stream_priorities).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPriorities {
    /// The number of the least urgent.
    pub least: i32,
    /// The number of the most urgent, which is the smallest.
    pub greatest: i32,
}
