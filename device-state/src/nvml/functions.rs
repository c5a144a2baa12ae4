//! The functions of NVML that are called here.

use cuda_sys::Version;

use super::generated::DECLARED;

/// The version of CUDA whose NVML header is the first to have this function, as far as it is known.
///
/// A function that is older than CUDA 11.7 stands as 11.7, the oldest header that was compared.
pub(crate) fn since(name: &str) -> Option<Version> {
    let place = DECLARED
        .binary_search_by_key(&name, |(name, _)| name)
        .ok()?;
    DECLARED.get(place).map(|(_, version)| Version(*version))
}

/// By export name.
pub const FUNCTIONS: [&str; 63] = [
    "nvmlInit_v2",
    "nvmlShutdown",
    "nvmlSystemGetDriverVersion",
    "nvmlSystemGetNVMLVersion",
    "nvmlSystemGetCudaDriverVersion_v2",
    "nvmlSystemGetProcessName",
    "nvmlDeviceGetCount_v2",
    "nvmlDeviceGetHandleByIndex_v2",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetArchitecture",
    "nvmlDeviceGetVbiosVersion",
    "nvmlDeviceGetGspFirmwareVersion",
    "nvmlDeviceGetBoardPartNumber",
    "nvmlDeviceGetSerial",
    "nvmlDeviceGetMinorNumber",
    "nvmlDeviceGetNumaNodeId",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetBAR1MemoryInfo",
    "nvmlDeviceGetUtilizationRates",
    "nvmlDeviceGetEncoderUtilization",
    "nvmlDeviceGetDecoderUtilization",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetTemperatureThreshold",
    "nvmlDeviceGetFanSpeed_v2",
    "nvmlDeviceGetNumFans",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetEnforcedPowerLimit",
    "nvmlDeviceGetPowerManagementDefaultLimit",
    "nvmlDeviceGetPowerManagementLimitConstraints",
    "nvmlDeviceGetTotalEnergyConsumption",
    "nvmlDeviceGetPerformanceState",
    "nvmlDeviceGetFieldValues",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetEccMode",
    "nvmlDeviceGetTotalEccErrors",
    "nvmlDeviceGetRemappedRows",
    "nvmlDeviceGetRetiredPagesPendingStatus",
    "nvmlDeviceGetComputeMode",
    "nvmlDeviceGetAddressingMode",
    "nvmlDeviceGetPersistenceMode",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMaxMigDeviceCount",
    "nvmlDeviceGetMigDeviceHandleByIndex",
    "nvmlDeviceGetGpuInstanceId",
    "nvmlDeviceGetComputeInstanceId",
    "nvmlDeviceGetCurrPcieLinkGeneration",
    "nvmlDeviceGetMaxPcieLinkGeneration",
    "nvmlDeviceGetCurrPcieLinkWidth",
    "nvmlDeviceGetMaxPcieLinkWidth",
    "nvmlDeviceGetPcieReplayCounter",
    "nvmlDeviceGetNvLinkState",
    "nvmlDeviceGetNvLinkVersion",
    "nvmlDeviceGetNvLinkRemoteDeviceType",
    "nvmlDeviceGetNvLinkRemotePciInfo_v2",
    "nvmlDeviceGetTopologyCommonAncestor",
    "nvmlDeviceGetP2PStatus",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetMPSComputeRunningProcesses_v3",
];

#[cfg(test)]
mod tests {
    use super::{DECLARED, FUNCTIONS, since};
    use cuda_sys::Version;

    #[test]
    fn every_function_that_is_called_is_declared_and_named_once() {
        for (place, name) in FUNCTIONS.iter().enumerate() {
            assert!(since(name).is_some(), "{name}");
            assert!(!FUNCTIONS[..place].contains(name), "{name} stands twice");
        }
        assert!(DECLARED.is_sorted(), "it can be searched");
        assert_eq!(since("nvmlNoSuchFunction"), None);
    }

    /// What NVML's headers themselves show: 13.0 brought the one, every compared header has the other.
    #[test]
    fn a_function_stands_under_the_first_header_that_has_it() {
        assert_eq!(since("nvmlInit_v2"), Some(Version::new(11, 7)));
        assert!(since("nvmlDeviceGetAddressingMode") > Some(Version::new(12, 0)));
    }
}
