//! Who reaches whom.

use cuwhy_device_state::{Device, Kind, Reason, Report, orders_differ};

use super::words::{headline, nvlinks, remarks, yes};
use crate::table::{Align, Cell, Table, Tone};

/// Who reaches whom, as NVML and as CUDA tell.
pub fn topology(report: &Report) -> String {
    let whole: Vec<&Device> = report
        .devices
        .iter()
        .filter(|device| device.kind == Kind::Gpu)
        .collect();
    let mut text = String::new();
    if whole.is_empty() {
        text.push_str(&headline(report));
        text.push_str(&remarks(report));
        return text;
    }
    if let [only] = whole[..] {
        let links = nvlinks(only).unwrap_or_else(|| {
            let why = only.absent.why("nvlinks");
            why.map_or_else(|| "unknown".into(), Reason::to_string)
        });
        text.push_str(&format!("one GPU, nothing to connect; NVLink: {links}\n"));
        text.push_str(&remarks(report));
        return text;
    }
    let name = |place: usize| {
        whole[place]
            .nvml_index
            .map_or_else(|| place.to_string(), |index| index.to_string())
    };
    let matrix = |heading: &str, cell: &dyn Fn(&cuwhy_device_state::Link) -> Option<String>| {
        let mut columns = vec![("", Align::Right)];
        let names: Vec<String> = (0..whole.len()).map(name).collect();
        columns.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
        let mut table = Table::new(&columns);
        for (row, from) in whole.iter().enumerate() {
            let mut cells: Vec<Cell> = vec![name(row).into()];
            for to in &whole {
                let link = report
                    .links
                    .iter()
                    .find(|link| link.from == from.uuid && link.to == to.uuid);
                let word = if from.uuid == to.uuid {
                    "-".to_owned()
                } else {
                    link.and_then(cell).unwrap_or_else(|| "?".into())
                };
                cells.push(word.into());
            }
            table.row(cells);
        }
        format!("{}\n{}", Tone::Strong.paint(heading), table.render())
    };
    let said = |status: &Option<String>| {
        status.as_ref().map(|status| {
            if status == "ok" {
                "yes".to_owned()
            } else {
                status.clone()
            }
        })
    };
    text.push_str("rows use columns; numbers are nvml's\n\n");
    text.push_str(&matrix("link (NVML)", &|link| link.short()));
    text.push('\n');
    text.push_str(&matrix("peer access (CUDA)", &|link| yes(link.cuda_access)));
    text.push('\n');
    text.push_str(&matrix("peer reads (NVML)", &|link| said(&link.nvml_read)));
    text.push('\n');
    text.push_str(&matrix("peer writes (NVML)", &|link| {
        said(&link.nvml_write)
    }));
    text.push('\n');
    text.push_str(&matrix("peer atomics (CUDA)", &|link| {
        yes(link.cuda_atomics)
    }));
    text.push('\n');
    text.push_str(&matrix("performance rank (CUDA)", &|link| {
        link.cuda_performance_rank.map(|rank| rank.to_string())
    }));
    let nodes: Vec<String> = whole
        .iter()
        .enumerate()
        .filter_map(|(place, device)| {
            let attributes = device.cuda.attributes.as_ref()?;
            let node = attributes.get("CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID")?;
            (*node >= 0).then(|| format!("{} at {node}", name(place)))
        })
        .collect();
    if !nodes.is_empty() {
        text.push_str(&format!(
            "\nnearest NUMA node of the host (CUDA): {}\n",
            nodes.join(", ")
        ));
    }
    text.push_str(
        "\nNV18: 18 NVLink connections. Then, nearest first: PIX PXB PHB NODE SYS. ?: not told.\n",
    );
    if orders_differ(&report.devices) {
        let names: Vec<String> = whole
            .iter()
            .filter_map(|device| {
                Some(format!(
                    "nvml:{} = cuda:{}",
                    device.nvml_index?, device.cuda_index?
                ))
            })
            .collect();
        text.push_str(&format!("{}\n", names.join(", ")));
    }
    text.push_str(&remarks(report));
    text
}
