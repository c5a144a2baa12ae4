//! Checks of access between devices.

use cuwhy_device_state::Report;

use super::check::Outcome;
use super::device::name;
use crate::quantity::count;

/// `peer.access`.
pub(super) fn access(report: &Report) -> Outcome {
    let links: Vec<_> = report
        .links
        .iter()
        .filter(|link| link.cuda_access.is_some())
        .collect();
    if links.is_empty() {
        return Outcome::skip("CUDA lists fewer than two devices");
    }
    let called = |uuid: &str| {
        report
            .devices
            .iter()
            .find(|device| device.uuid == uuid)
            .map_or_else(|| uuid.to_owned(), name)
    };
    let mut evidence = Vec::new();
    let mut sentence = "";
    for link in &links {
        let back = links
            .iter()
            .find(|other| other.from == link.to && other.to == link.from);
        if link.cuda_access == Some(true)
            && back.is_some_and(|back| back.cuda_access == Some(false))
        {
            sentence = "a device reaches another that cannot reach it";
            evidence.push((
                called(&link.from),
                format!("reaches {}, but not the other way", called(&link.to)),
            ));
        }
        let nvml = link.nvml_read.as_deref();
        if let (Some(access), Some(nvml)) = (link.cuda_access, nvml)
            && access != (nvml == "ok")
        {
            if sentence.is_empty() {
                sentence = "NVML and CUDA disagree on peer access";
            }
            evidence.push((
                called(&link.from),
                format!(
                    "to {}: CUDA says {}, NVML says {nvml}, nearest common ancestor {}",
                    called(&link.to),
                    if access { "yes" } else { "no" },
                    link.ancestor.as_deref().unwrap_or("unknown")
                ),
            ));
        }
    }
    if !sentence.is_empty() {
        return Outcome::warn(sentence)
            .saw_all(evidence)
            .next("copies between these devices still work, through the host; look at IOMMU and ACS settings for direct access");
    }
    let open = links
        .iter()
        .filter(|link| link.cuda_access == Some(true))
        .count();
    if open == links.len() {
        Outcome::pass(format!(
            "{}, all with peer access",
            count(links.len(), "ordered pair")
        ))
    } else {
        Outcome::pass(format!(
            "{open} of {} with peer access; the others copy through the host",
            count(links.len(), "ordered pair")
        ))
    }
}
