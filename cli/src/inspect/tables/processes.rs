//! Who uses what.

use cuwhy_device_state::{Reason, Report};

use super::words::{index, missing, remarks};
use crate::quantity::bytes;
use crate::table::{Align, Cell, Table};

/// Which programs use which device.
pub fn processes(report: &Report) -> String {
    let mut table = Table::new(&[
        ("nvml", Align::Right),
        ("cuda", Align::Right),
        ("pid", Align::Right),
        ("kind", Align::Left),
        ("memory", Align::Right),
        ("name", Align::Left),
    ]);
    let mut silent = Vec::new();
    for device in &report.devices {
        match &device.nvml.processes {
            Some(list) => {
                for process in list {
                    let memory = process.memory_used_bytes.map_or_else(
                        || missing(&process.absent, "memory_used_bytes"),
                        |count| bytes(count).into(),
                    );
                    table.row(vec![
                        index(device.nvml_index),
                        index(device.cuda_index),
                        process.pid.to_string().into(),
                        process.kind.clone().into(),
                        memory,
                        process
                            .name
                            .clone()
                            .map_or_else(|| missing(&process.absent, "name"), Cell::from),
                    ]);
                }
            }
            None => silent.push(format!(
                "{}: {}",
                device.uuid,
                device
                    .absent
                    .why("processes")
                    .map_or_else(|| "unknown".into(), Reason::to_string)
            )),
        }
    }
    let mut text = if table.is_empty() {
        "no program uses a device, as far as NVML tells\n".to_owned()
    } else {
        table.render()
    };
    for line in silent {
        text.push_str(&format!("not told for {line}\n"));
    }
    if report
        .host
        .sandbox
        .iter()
        .any(|mark| mark.kind == cuwhy_device_state::Sandbox::Container)
    {
        text.push_str("\nnote: inside a container numbers may be the host's, and other containers' programs may be hidden\n");
    }
    text.push_str(&remarks(report));
    text
}
