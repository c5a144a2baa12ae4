//! A device as one row: names and single values.

use cuwhy_device_state::{Capability, Device, Reason};
use serde_json::{Map, Value};

/// Writes a device as names and single values, in a fixed order.
///
/// Lists of words become one word with `|` between; lists of objects their number. Capabilities are
/// `capability_NAME` (what is claimed) and `probed_NAME`; attributes keep their C names.
pub fn device(device: &Device) -> Vec<(String, Value)> {
    let mut row = Vec::new();
    let Ok(Value::Object(fields)) = serde_json::to_value(device) else {
        return row;
    };
    for (name, value) in ordered(fields) {
        match (name.as_str(), value) {
            ("absent" | "capabilities" | "attributes", _) => {}
            ("nvlinks", value) => row.push(("nvlinks_active".into(), active_links(&value))),
            ("processes", Value::Array(list)) => row.push((name, list.len().into())),
            (_, Value::Array(list)) => row.push((name, joined(&list))),
            (_, value) => row.push((name, value)),
        }
    }
    if let Some(capabilities) = &device.cuda.capabilities {
        for (
            name,
            Capability {
                claimed, probed, ..
            },
        ) in capabilities
        {
            row.push((format!("capability_{name}"), (*claimed).into()));
            row.push((format!("probed_{name}"), (*probed).into()));
        }
    }
    if let Some(attributes) = &device.cuda.attributes {
        for (name, value) in attributes {
            row.push((name.clone(), (*value).into()));
        }
    }
    row
}

/// What identifies comes first, the rest by name.
fn ordered(mut fields: Map<String, Value>) -> Vec<(String, Value)> {
    let mut row: Vec<(String, Value)> = Vec::new();
    for first in FIRST {
        row.extend(fields.remove_entry(*first));
    }
    row.extend(fields);
    row
}

/// What identifies a device comes first in every row.
const FIRST: &[&str] = &[
    "uuid",
    "nvml_index",
    "cuda_index",
    "pci",
    "name",
    "kind",
    "parent_uuid",
];

fn joined(list: &[Value]) -> Value {
    let words: Vec<String> = list
        .iter()
        .map(|value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    words.join("|").into()
}

fn active_links(value: &Value) -> Value {
    match value {
        Value::Array(list) => list
            .iter()
            .filter(|link| link.get("active") == Some(&Value::Bool(true)))
            .count()
            .into(),
        _ => Value::Null,
    }
}

/// Says why a value of a row is missing.
pub fn why(device: &Device, name: &str) -> String {
    let of_capability = |prefix: &str, key: &str| {
        let capability = name.strip_prefix(prefix)?;
        let known = device.cuda.capabilities.as_ref()?.get(capability)?;
        known.absent.why(key)
    };
    let key = if name == "nvlinks_active" {
        "nvlinks"
    } else {
        name
    };
    let without_cuda = || {
        let of_cuda = ["capability_", "probed_", "CU_DEVICE_ATTRIBUTE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        of_cuda.then(|| device.absent.why("capabilities"))?
    };
    of_capability("capability_", "claimed")
        .or_else(|| of_capability("probed_", "probed"))
        .or_else(|| device.absent.why(key))
        .or_else(without_cuda)
        .map_or_else(|| Reason::Unsupported.to_string(), ToString::to_string)
}

/// Every name that a row can have.
pub fn names(devices: &[Device]) -> Vec<String> {
    let mut names: Vec<String> = device(&Device::default())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    for meaning in &cuwhy_device_state::CAPABILITIES {
        names.push(format!("capability_{}", meaning.key));
        names.push(format!("probed_{}", meaning.key));
    }
    for known in devices {
        for (name, _) in device(known) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
