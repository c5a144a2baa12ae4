//! What NVML and CUDA say of a device, in the findings that it bears on. Feature `device-state`.

use cuwhy_device_state::{Depth, here, in_one_line};

use crate::Finding;

/// Says how the device of a finding is - memory, errors, what slows it down -, where that may be the
/// reason: a context that is gone or that an earlier failure poisoned.
///
/// Made for [`Checker::describing`](crate::checker::Checker::describing). It asks NVML, and calls
/// `cuInit`; no context is created.
#[must_use]
pub fn describe(finding: &Finding) -> Option<String> {
    if !matches!(finding.rule, "context.poisoned" | "context.destroyed") {
        return None;
    }
    let mut segments = finding
        .operands
        .iter()
        .flat_map(|operand| &operand.segments);
    let ordinal = u32::try_from(segments.find_map(|segment| segment.device)?).ok()?;
    let report = here(Depth::Overview);
    let device = report
        .devices
        .iter()
        .find(|device| device.cuda_index == Some(ordinal))?;
    Some(in_one_line(device)).filter(|line| !line.is_empty())
}
