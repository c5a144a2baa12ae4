//! What an H200 said under driver 580.159.04, with no load of note.

use crate::driver::SimDevice;

/// Constants of one kind of device. A field is `None` where nobody has recorded it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded {
    /// Compute capability.
    pub(crate) compute: Option<(i32, i32)>,
    /// `nvmlBrandType_t`.
    pub(crate) brand: Option<u32>,
    /// `nvmlDeviceArchitecture_t`.
    pub(crate) architecture: Option<u32>,
    pub(crate) part_number: Option<&'static str>,
    pub(crate) vbios: Option<&'static str>,
    pub(crate) inforom_image: Option<&'static str>,
    /// By `nvmlInforomObject_t`.
    pub(crate) inforom: &'static [&'static str],
    pub(crate) gsp_firmware: Option<&'static str>,
    pub(crate) pci_device: Option<(u32, u32)>,
    /// What the driver keeps for itself.
    pub(crate) reserved: u64,
    /// Total and free.
    pub(crate) bar1: Option<(u64, u64)>,
    pub(crate) cores: Option<u32>,
    pub(crate) memory_bus: Option<u32>,
    /// Current, most and default-applied, by `nvmlClockType_t`: graphics, SM, memory, video.
    pub(crate) clocks: &'static [u32],
    /// Clocks that applications may set: graphics, SM and memory.
    pub(crate) application_clocks: usize,
    /// The most that a customer may set: graphics and SM.
    pub(crate) boost_clocks: usize,
    pub(crate) memory_clocks: &'static [u32],
    pub(crate) clock_reasons: Option<u64>,
    /// Milliwatts now, least, most, default.
    pub(crate) power: Option<(u32, u32, u32, u32)>,
    /// Millijoules.
    pub(crate) energy: Option<u64>,
    pub(crate) temperature: Option<u32>,
    /// By `nvmlTemperatureThresholds_t`.
    pub(crate) thresholds: &'static [u32],
    /// Generation, width.
    pub(crate) pcie: Option<(u32, u32)>,
    pub(crate) pcie_speed: Option<u32>,
    pub(crate) links: usize,
    pub(crate) link_version: u32,
    pub(crate) ecc: bool,
    /// Whether the kind of device can be parted.
    pub(crate) mig: bool,
    pub(crate) encoder_capacity: Option<u32>,
    pub(crate) irq: Option<u32>,
}

const H200: Recorded = Recorded {
    compute: Some((9, 0)),
    brand: Some(14),
    architecture: Some(9),
    part_number: Some("692-2G520-0282-000"),
    vbios: Some("96.00.A5.00.1A"),
    inforom_image: Some("G520.0282.02.02"),
    inforom: &["2.1", "7.16"],
    gsp_firmware: Some("580.159.04"),
    pci_device: Some((0x2335_10de, 0x18bf_10de)),
    reserved: 644_939_776,
    bar1: Some((274_877_906_944, 264_420_851_712)),
    cores: Some(16_896),
    memory_bus: Some(6016),
    clocks: &[1980, 1980, 3201, 1545],
    application_clocks: 3,
    boost_clocks: 2,
    memory_clocks: &[3201, 2201],
    clock_reasons: Some(511),
    power: Some((126_727, 200_000, 700_000, 700_000)),
    energy: Some(16_167_501),
    temperature: Some(40),
    thresholds: &[95, 89, 95, 87],
    pcie: Some((5, 16)),
    pcie_speed: Some(32_000),
    links: 18,
    link_version: 6,
    ecc: true,
    mig: true,
    encoder_capacity: Some(100),
    irq: Some(41),
};

/// A device that nobody has asked.
const UNKNOWN: Recorded = Recorded {
    compute: None,
    brand: None,
    architecture: None,
    part_number: None,
    vbios: None,
    inforom_image: None,
    inforom: &[],
    gsp_firmware: None,
    pci_device: None,
    reserved: 0,
    bar1: None,
    cores: None,
    memory_bus: None,
    clocks: &[],
    application_clocks: 0,
    boost_clocks: 0,
    memory_clocks: &[],
    clock_reasons: None,
    power: None,
    energy: None,
    temperature: None,
    thresholds: &[],
    pcie: None,
    pcie_speed: None,
    links: 0,
    link_version: 0,
    ecc: false,
    mig: false,
    encoder_capacity: None,
    irq: None,
};

/// A GeForce GTX 980: the driver's profile of it knows what it can compute, and nobody has asked its NVML.
const GTX980: Recorded = Recorded {
    compute: Some((5, 2)),
    ..UNKNOWN
};

/// What is recorded of this kind of device.
pub(crate) fn of(device: &SimDevice) -> &'static Recorded {
    match device.profile {
        0 => &H200,
        1 => &GTX980,
        _ => &UNKNOWN,
    }
}
