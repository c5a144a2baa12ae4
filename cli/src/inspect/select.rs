//! Choosing devices: `nvml:0`, `cuda:0`, a UUID or its beginning, a PCI address.

use cuwhy_device_state::{Device, Report, pci};

/// Keeps the chosen devices of a report, and what belongs to them.
///
/// # Errors
///
/// A sentence that lists the devices that there are, when a selector fits none.
pub fn keep(report: &mut Report, selectors: &[String]) -> Result<(), String> {
    // Without any device the report itself says why, and so does the exit code.
    if selectors.is_empty() || report.devices.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::new();
    for selector in selectors {
        let fitting: Vec<&Device> = report
            .devices
            .iter()
            .filter(|device| fits(device, selector))
            .collect();
        if fitting.is_empty() {
            return Err(format!(
                "no device is called {selector}; {}",
                listing(&report.devices)
            ));
        }
        for device in fitting {
            if !kept.contains(&device.uuid) {
                kept.push(device.uuid.clone());
            }
        }
    }
    report.devices.retain(|device| kept.contains(&device.uuid));
    report
        .links
        .retain(|link| kept.contains(&link.from) || kept.contains(&link.to));
    Ok(())
}

fn fits(device: &Device, selector: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok();
    if let Some(index) = selector.strip_prefix("nvml:") {
        return number(index).is_some() && device.nvml_index == number(index);
    }
    if let Some(index) = selector.strip_prefix("cuda:") {
        return number(index).is_some() && device.cuda_index == number(index);
    }
    if selector.starts_with("GPU-") || selector.starts_with("MIG-") {
        return selector.len() > 4 && device.uuid.starts_with(selector);
    }
    selector.contains(':') && device.pci.as_deref() == Some(pci::normal(selector).as_str())
}

fn listing(devices: &[Device]) -> String {
    let names: Vec<String> = devices
        .iter()
        .map(|device| {
            let mut names = Vec::new();
            names.extend(device.nvml_index.map(|index| format!("nvml:{index}")));
            names.extend(device.cuda_index.map(|index| format!("cuda:{index}")));
            names.push(device.uuid.clone());
            names.extend(device.pci.clone());
            names.join(" = ")
        })
        .collect();
    format!("there is\n  {}", names.join("\n  "))
}
