//! From CUDA's attributes to our words.

use crate::absent::{Absent, Reason};
use crate::capability::CAPABILITIES;
use crate::device::{Capability, CudaFields};

/// Says with our words what a device's attributes say with CUDA's.
pub(crate) fn from_attributes(known: &CudaFields, absent: &mut Absent) -> CudaFields {
    let Some(attributes) = &known.attributes else {
        return known.clone();
    };
    let reasons = absent.clone();
    let ask = |name: &str| -> Result<i32, Reason> {
        let value = attributes.get(name).copied();
        value.ok_or_else(|| reasons.why(name).cloned().unwrap_or(Reason::Unsupported))
    };
    let number = |name: &str| {
        ask(name).and_then(|value| u32::try_from(value).map_err(|_| Reason::Unsupported))
    };
    let capability = ask("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR").and_then(|major| {
        let minor = ask("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR")?;
        Ok(format!("{major}.{minor}"))
    });
    let posix = ask("CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED");
    let fabric = ask("CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_FABRIC_SUPPORTED").unwrap_or(0);
    let virtual_memory_handles = posix.map(|posix| {
        let all = [(posix, "posix_fd"), (fabric, "fabric")];
        all.iter()
            .filter(|(value, _)| *value != 0)
            .map(|(_, name)| (*name).to_owned())
            .collect()
    });
    let pool_handles = ask("CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES").map(|bits| {
        let all = [
            (1, "posix_fd"),
            (2, "win32"),
            (4, "win32_kmt"),
            (8, "fabric"),
        ];
        all.iter()
            .filter(|(bit, _)| bits & bit != 0)
            .map(|(_, name)| (*name).to_owned())
            .collect()
    });
    let capabilities = CAPABILITIES
        .iter()
        .map(|meaning| {
            let mut absent = Absent::default();
            let claimed = absent.keep("claimed", ask(meaning.attribute).map(|value| value != 0));
            absent.set("probed", Reason::NotProbed);
            let capability = Capability {
                claimed,
                probed: None,
                evidence: None,
                absent,
            };
            (meaning.key.to_owned(), capability)
        })
        .collect();
    CudaFields {
        compute_capability: absent.keep("compute_capability", capability),
        cuda_memory_total_bytes: known.cuda_memory_total_bytes,
        copy_engines: absent.keep(
            "copy_engines",
            number("CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT"),
        ),
        multiprocessors: absent.keep(
            "multiprocessors",
            number("CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT"),
        ),
        integrated: absent.keep(
            "integrated",
            ask("CU_DEVICE_ATTRIBUTE_INTEGRATED").map(|value| value != 0),
        ),
        virtual_memory_handles: absent.keep("virtual_memory_handles", virtual_memory_handles),
        pool_handles: absent.keep("pool_handles", pool_handles),
        capabilities: Some(capabilities),
        attributes: known.attributes.clone(),
    }
}
