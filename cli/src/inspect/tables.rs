//! A report as tables for people, one function per section.

use cuwhy_device_state::{
    Absent, CAPABILITIES, Device, Kind, Library, Reason, Report, Status, orders_differ,
};

use super::health;
use crate::quantity::{bytes, count, megahertz, share, watts};
use crate::table::{Align, Cell, Table, Tone};

/// One line about the driver, one per device, and what should not be overlooked.
pub fn overview(report: &Report) -> String {
    let mut text = headline(report);
    if !report.devices.is_empty() {
        let mut table = Table::new(&[
            ("nvml", Align::Right),
            ("cuda", Align::Right),
            ("name", Align::Left),
            ("pci", Align::Left),
            ("memory", Align::Right),
            ("util", Align::Right),
            ("temp", Align::Right),
            ("power", Align::Right),
            ("state", Align::Left),
        ]);
        for device in &report.devices {
            let fields = &device.nvml;
            let memory = match (fields.memory_used_bytes, fields.memory_total_bytes) {
                (Some(used), Some(total)) => share(used, total),
                (None, Some(total)) => bytes(total),
                _ => match (device.cuda.integrated, device.cuda.cuda_memory_total_bytes) {
                    (Some(true), Some(total)) => format!("{} shared", bytes(total)),
                    (_, Some(total)) => bytes(total),
                    _ => "-".into(),
                },
            };
            let power = match (fields.power_draw_milliwatts, fields.power_limit_milliwatts) {
                (Some(draw), Some(limit)) => {
                    format!("{} / {} W", draw.div_ceil(1000), limit / 1000)
                }
                (Some(draw), None) => watts(draw),
                _ => "-".into(),
            };
            let (state, tone) = health::state(device);
            let name = match device.kind {
                Kind::Gpu => device.name.clone(),
                Kind::Mig => device.name.as_ref().map(|name| format!("  {name}")),
            };
            table.row(vec![
                index(device.nvml_index),
                index(device.cuda_index),
                name.unwrap_or_else(|| "-".into()).into(),
                device.pci.clone().unwrap_or_else(|| "-".into()).into(),
                memory.into(),
                percent(fields.utilisation_percent).into(),
                fields
                    .temperature_celsius
                    .map_or("-".into(), |degrees| format!("{degrees} C"))
                    .into(),
                power.into(),
                Cell::toned(state, tone),
            ]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text.push_str(&remarks(report));
    text
}

fn headline(report: &Report) -> String {
    let driver = &report.driver;
    let word = |name: &str, value: &Option<String>| {
        value
            .as_ref()
            .map_or_else(|| format!("no {name}"), |value| format!("{name} {value}"))
    };
    let mut words = vec![
        word("driver", &driver.version),
        word("CUDA", &driver.cuda),
        word("runtime", &driver.runtime),
        count(report.devices.len(), "device"),
    ];
    if report.simulated {
        words.push(Tone::Doubtful.paint("simulated: no real GPU answered"));
    }
    format!("{}\n", words.join("   "))
}

/// What went wrong, and what should not be overlooked.
fn remarks(report: &Report) -> String {
    let mut text = String::new();
    let mut add = |kind: &str, tone: Tone, words: &str| {
        if text.is_empty() {
            text.push('\n');
        }
        let indent = format!("\n{}", " ".repeat(kind.len() + 2));
        text.push_str(&format!(
            "{}: {}\n",
            tone.paint(kind),
            words.replace('\n', &indent)
        ));
    };
    for problem in &report.problems {
        let about = match &problem.device {
            Some(device) => format!("{} {device}", problem.part),
            None => problem.part.clone(),
        };
        add(
            "problem",
            Tone::Bad,
            &format!("{about}: {}", problem.message),
        );
    }
    for note in &report.notes {
        add("note", Tone::Doubtful, note);
    }
    text
}

fn index(index: Option<u32>) -> Cell {
    index.map_or_else(
        || Cell::toned("-", Tone::Faint),
        |index| index.to_string().into(),
    )
}

fn percent(value: Option<u32>) -> String {
    value.map_or("-".into(), |value| format!("{value}%"))
}

/// How a device is called in headings: both indices, always.
fn title(device: &Device) -> String {
    let mut names = Vec::new();
    names.extend(device.cuda_index.map(|index| format!("cuda:{index}")));
    names.extend(device.nvml_index.map(|index| format!("nvml:{index}")));
    let mut words = vec![if names.is_empty() {
        device.uuid.clone()
    } else {
        names.join(" = ")
    }];
    words.extend(device.name.clone());
    if !names.is_empty() {
        words.push(device.uuid.clone());
    }
    words.extend(
        device
            .cuda
            .compute_capability
            .as_ref()
            .map(|version| format!("compute capability {version}")),
    );
    Tone::Strong.paint(&words.join("  "))
}

/// A value, or why there is none.
struct Values<'a> {
    absent: &'a Absent,
    table: Table,
}

impl Values<'_> {
    fn show(&mut self, label: &str, key: &str, value: Option<String>) {
        self.show_with(label, key, value, "");
    }

    fn show_with(&mut self, label: &str, key: &str, value: Option<String>, remark: &str) {
        let cell = match value {
            Some(value) => value.into(),
            None => missing(self.absent, key),
        };
        self.table
            .row(vec![label.into(), cell, Cell::toned(remark, Tone::Faint)]);
    }
}

fn missing(absent: &Absent, key: &str) -> Cell {
    let why = absent
        .why(key)
        .map_or_else(|| "unknown".into(), Reason::to_string);
    Cell::toned(format!("- ({why})"), Tone::Faint)
}

fn yes(value: Option<bool>) -> Option<String> {
    value.map(|value| if value { "yes" } else { "no" }.to_owned())
}

/// Everything about each device but what the other sections show.
pub fn devices(report: &Report) -> String {
    let mut text = headline(report);
    for device in &report.devices {
        text.push('\n');
        text.push_str(&title(device));
        text.push('\n');
        text.push_str(&one_device(device));
    }
    text.push_str(&remarks(report));
    text
}

fn one_device(device: &Device) -> String {
    let fields = &device.nvml;
    let cuda = &device.cuda;
    let mut values = Values {
        absent: &device.absent,
        table: Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]),
    };
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let degrees = |value: Option<u32>| value.map(|value| format!("{value} C"));
    values.show("pci", "pci", device.pci.clone());
    if device.kind == Kind::Mig {
        values.show("parent", "parent_uuid", device.parent_uuid.clone());
    }
    values.show("architecture", "architecture", fields.architecture.clone());
    values.show("serial", "serial", fields.serial.clone());
    values.show(
        "board part number",
        "board_part_number",
        fields.board_part_number.clone(),
    );
    values.show("video BIOS", "vbios_version", fields.vbios_version.clone());
    values.show(
        "GSP firmware",
        "gsp_firmware_version",
        fields.gsp_firmware_version.clone(),
    );
    values.show(
        "device node",
        "minor_number",
        fields
            .minor_number
            .map(|minor| format!("/dev/nvidia{minor}")),
    );
    values.show_with(
        "memory, total",
        "memory_total_bytes",
        fields.memory_total_bytes.map(bytes),
        "what is installed",
    );
    values.show(
        "memory, used",
        "memory_used_bytes",
        fields.memory_used_bytes.map(bytes),
    );
    values.show(
        "memory, free",
        "memory_free_bytes",
        fields.memory_free_bytes.map(bytes),
    );
    values.show_with(
        "memory, reserved",
        "memory_reserved_bytes",
        fields.memory_reserved_bytes.map(bytes),
        "by driver and firmware",
    );
    values.show_with(
        "memory, for CUDA",
        "cuda_memory_total_bytes",
        cuda.cuda_memory_total_bytes.map(bytes),
        if cuda.integrated == Some(true) {
            "shared with the host"
        } else {
            ""
        },
    );
    values.show(
        "BAR1, used of total",
        "bar1_total_bytes",
        fields
            .bar1_used_bytes
            .zip(fields.bar1_total_bytes)
            .map(|(used, total)| share(used, total)),
    );
    values.show_with(
        "utilisation",
        "utilisation_percent",
        fields.utilisation_percent.map(|value| format!("{value}%")),
        "time during which a kernel ran, not how busy the device was",
    );
    values.show(
        "utilisation, memory",
        "memory_utilisation_percent",
        fields
            .memory_utilisation_percent
            .map(|value| format!("{value}%")),
    );
    values.show(
        "utilisation, encoder",
        "encoder_utilisation_percent",
        fields
            .encoder_utilisation_percent
            .map(|value| format!("{value}%")),
    );
    values.show(
        "utilisation, decoder",
        "decoder_utilisation_percent",
        fields
            .decoder_utilisation_percent
            .map(|value| format!("{value}%")),
    );
    values.show(
        "temperature",
        "temperature_celsius",
        degrees(fields.temperature_celsius),
    );
    values.show(
        "temperature, memory",
        "temperature_memory_celsius",
        degrees(fields.temperature_memory_celsius),
    );
    values.show(
        "fan",
        "fan_percent",
        fields.fan_percent.map(|value| format!("{value}%")),
    );
    values.show(
        "power",
        "power_draw_milliwatts",
        fields.power_draw_milliwatts.map(watts),
    );
    values.show(
        "power limit",
        "power_limit_milliwatts",
        fields.power_limit_milliwatts.map(watts),
    );
    values.show(
        "power limits possible",
        "power_limit_minimum_milliwatts",
        fields
            .power_limit_minimum_milliwatts
            .zip(fields.power_limit_maximum_milliwatts)
            .map(|(low, high)| format!("{} to {}", watts(low), watts(high))),
    );
    values.show(
        "performance state",
        "performance_state",
        fields.performance_state.map(|state| format!("P{state}")),
    );
    for (label, key, now, most) in [
        (
            "clock, graphics",
            "graphics_clock_hertz",
            fields.graphics_clock_hertz,
            fields.graphics_clock_maximum_hertz,
        ),
        (
            "clock, multiprocessors",
            "sm_clock_hertz",
            fields.sm_clock_hertz,
            fields.sm_clock_maximum_hertz,
        ),
        (
            "clock, memory",
            "memory_clock_hertz",
            fields.memory_clock_hertz,
            fields.memory_clock_maximum_hertz,
        ),
        (
            "clock, video",
            "video_clock_hertz",
            fields.video_clock_hertz,
            fields.video_clock_maximum_hertz,
        ),
    ] {
        let value = now.map(|now| match most {
            Some(most) => format!("{} of {}", megahertz(now), megahertz(most)),
            None => megahertz(now),
        });
        values.show(label, key, value);
    }
    values.show(
        "PCIe generation",
        "pcie_generation",
        of(fields.pcie_generation, fields.pcie_generation_maximum),
    );
    if let Some(row) = idle_remark(device) {
        values.table.row(vec!["".into(), "".into(), row]);
    }
    values.show(
        "PCIe lanes",
        "pcie_width",
        of(fields.pcie_width, fields.pcie_width_maximum),
    );
    values.show("NVLink", "nvlinks", nvlinks(device));
    values.show("MIG", "mig_enabled", yes(fields.mig_enabled));
    if device.kind == Kind::Mig {
        values.show(
            "GPU instance",
            "gpu_instance_id",
            number(fields.gpu_instance_id),
        );
        values.show(
            "compute instance",
            "compute_instance_id",
            number(fields.compute_instance_id),
        );
    }
    values.show("compute mode", "compute_mode", fields.compute_mode.clone());
    values.show(
        "addressing mode",
        "addressing_mode",
        fields.addressing_mode.clone(),
    );
    values.show(
        "persistence mode",
        "persistence_enabled",
        yes(fields.persistence_enabled),
    );
    values.show(
        "multiprocessors",
        "multiprocessors",
        number(cuda.multiprocessors),
    );
    values.show("copy engines", "copy_engines", number(cuda.copy_engines));
    values.table.render()
}

fn of(now: Option<u32>, most: Option<u32>) -> Option<String> {
    now.map(|now| match most {
        Some(most) => format!("{now} of {most}"),
        None => now.to_string(),
    })
}

fn idle_remark(device: &Device) -> Option<Cell> {
    let fields = &device.nvml;
    let lower = fields.pcie_generation? < fields.pcie_generation_maximum?;
    lower.then(|| Cell::toned("the generation drops while the device is idle", Tone::Faint))
}

fn nvlinks(device: &Device) -> Option<String> {
    let links = device.nvml.nvlinks.as_ref()?;
    let active: Vec<_> = links.iter().filter(|link| link.active).collect();
    let mut text = format!("{} of {} active", active.len(), links.len());
    let mut kinds: Vec<&str> = active
        .iter()
        .filter_map(|link| link.remote_kind.as_deref())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    if !kinds.is_empty() {
        text.push_str(&format!(", to {}", kinds.join(" and ")));
    }
    Some(text)
}

/// What each device claims about memory, what came of trying it, and what it means for a copy.
pub fn memory(report: &Report) -> String {
    let mut text = String::new();
    for device in &report.devices {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&title(device));
        text.push_str("\n\n");
        let Some(capabilities) = &device.cuda.capabilities else {
            let why = missing(&device.absent, "capabilities");
            let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
            table.row(vec!["capabilities".into(), why]);
            text.push_str(&table.render());
            continue;
        };
        let mut table = Table::new(&[
            ("", Align::Left),
            ("claimed", Align::Left),
            ("probed", Align::Left),
            ("what it means for a copy", Align::Left),
        ]);
        for meaning in &CAPABILITIES {
            let Some(capability) = capabilities.get(meaning.key) else {
                continue;
            };
            let word = |value: Option<bool>, key: &str| match value {
                Some(true) => "yes".into(),
                Some(false) => "no".into(),
                None if key == "probed" => Cell::toned("-", Tone::Faint),
                None => missing(&capability.absent, key),
            };
            let disagree = capability
                .claimed
                .zip(capability.probed)
                .is_some_and(|(claimed, probed)| claimed != probed);
            let means = match capability.probed.or(capability.claimed) {
                Some(true) => meaning.yes,
                Some(false) => meaning.no,
                None => "",
            };
            let mut cells = vec![
                meaning.label.into(),
                word(capability.claimed, "claimed"),
                word(capability.probed, "probed"),
                means.into(),
            ];
            if disagree {
                cells[2] = Cell::toned(
                    if capability.probed == Some(true) {
                        "YES"
                    } else {
                        "NO"
                    },
                    Tone::Bad,
                );
            }
            table.row(cells);
        }
        let words = |list: &Option<Vec<String>>, key: &str| match list {
            Some(list) if list.is_empty() => "none".into(),
            Some(list) => list.join(", ").into(),
            None => missing(&device.absent, key),
        };
        text.push_str(&table.render());
        text.push('\n');
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        table.row(vec![
            "virtual memory can be shared by".into(),
            words(
                &device.cuda.virtual_memory_handles,
                "virtual_memory_handles",
            ),
        ]);
        table.row(vec![
            "pools can be shared by".into(),
            words(&device.cuda.pool_handles, "pool_handles"),
        ]);
        let engines = device.cuda.copy_engines;
        table.row(vec![
            "copy engines".into(),
            engines.map_or_else(
                || missing(&device.absent, "copy_engines"),
                |engines| engines.to_string().into(),
            ),
        ]);
        table.row(vec![
            "compute mode".into(),
            device
                .nvml
                .compute_mode
                .clone()
                .map_or_else(|| missing(&device.absent, "compute_mode"), Cell::from),
        ]);
        text.push_str(&table.render());
    }
    let probed = report.devices.iter().any(|device| {
        device
            .cuda
            .capabilities
            .iter()
            .flatten()
            .any(|(_, capability)| capability.probed.is_some())
    });
    if !report.devices.is_empty() && !probed {
        text.push_str("\nrun `cuwhy doctor --probe` to compare claims with behaviour\n");
    }
    if report.devices.is_empty() {
        text.push_str(&headline(report));
    }
    text.push_str(&remarks(report));
    text
}

/// Which library files there are, and which are used.
pub fn libraries(report: &Report) -> String {
    let mut text = String::new();
    for (heading, chosen) in [
        ("what a program gets that asks by name", true),
        ("also found", false),
    ] {
        let mut table = Table::new(&[
            ("", Align::Left),
            ("", Align::Left),
            ("", Align::Left),
            ("", Align::Left),
        ]);
        for library in report
            .libraries
            .iter()
            .filter(|library| library.chosen == chosen)
        {
            library_rows(library, &mut table);
        }
        if table.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!(
            "{}\n{}",
            Tone::Strong.paint(heading),
            table.render()
        ));
    }
    if text.is_empty() {
        text.push_str("no library of CUDA was found\n");
    }
    let mapped = &report.driver.libcuda_mapped;
    if mapped.len() > 1 {
        text.push_str(&format!(
            "\n{}: two files of libcuda are mapped at once: {}\n",
            Tone::Bad.paint("problem"),
            mapped.join(", ")
        ));
    }
    text.push_str(&remarks(report));
    text
}

fn library_rows(library: &Library, table: &mut Table) {
    let path = match (&library.loaded_from, &library.real_path) {
        (Some(seen), Some(real)) if seen == real => seen.clone(),
        (Some(seen), Some(real)) => {
            let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let shown = match real.rsplit_once('/') {
                Some((_, file)) if folder(seen) == folder(real) => file,
                _ => real,
            };
            format!("{seen} -> {shown}")
        }
        (Some(seen), None) => seen.clone(),
        _ => "not found".into(),
    };
    let found = library.loaded_from.is_some();
    table.row(vec![
        library.name.clone().into(),
        library.version.clone().unwrap_or_else(|| "-".into()).into(),
        if found {
            Cell::toned(
                library.origin.word(),
                if library.origin == cuwhy_device_state::Origin::Stub {
                    Tone::Bad
                } else {
                    Tone::Plain
                },
            )
        } else {
            Cell::toned("-", Tone::Faint)
        },
        path.into(),
    ]);
    let mut more = |words: String| {
        table.row(vec![
            "".into(),
            "".into(),
            "".into(),
            Cell::toned(words, Tone::Faint),
        ]);
    };
    if library.chosen {
        for attempt in &library.tried {
            more(format!(
                "tried {}: {}",
                attempt.candidate,
                attempt.result.replace('\n', " ")
            ));
        }
    }
    if let Some(source) = &library.version_source {
        more(format!("version read from: {source}"));
    }
    if let (Some(found), Some(wanted), Some(absent)) = (
        library.functions_found,
        library.functions_wanted,
        &library.functions_absent,
    ) {
        let mut words = format!("functions: {found} of {wanted}");
        if !absent.is_empty() {
            let names: Vec<String> = absent
                .iter()
                .take(4)
                .map(|function| match &function.since {
                    Some(since) => format!("{} ({since})", function.name),
                    None => function.name.clone(),
                })
                .collect();
            words.push_str(&format!("; absent: {}", names.join(", ")));
            if absent.len() > 4 {
                words.push_str(&format!(" and {} more (all in JSON)", absent.len() - 4));
            }
        }
        more(words);
    }
}

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

/// What is wrong, or could become so.
pub fn health(report: &Report) -> String {
    let mut text = headline(report);
    for device in &report.devices {
        let fields = &device.nvml;
        let (state, tone) = health::state(device);
        text.push_str(&format!("\n{}  {}\n", title(device), tone.paint(&state)));
        let mut values = Values {
            absent: &device.absent,
            table: Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]),
        };
        values.show(
            "clocks event reasons",
            "clocks_event_reasons",
            fields.clocks_event_reasons.as_ref().map(|reasons| {
                if reasons.is_empty() {
                    "none".into()
                } else {
                    reasons.join(", ")
                }
            }),
        );
        let degrees = |value: Option<u32>| value.map(|value| format!("{value} C"));
        values.show(
            "temperature",
            "temperature_celsius",
            degrees(fields.temperature_celsius),
        );
        values.show(
            "slowdown at",
            "temperature_slowdown_celsius",
            degrees(fields.temperature_slowdown_celsius),
        );
        values.show(
            "shutdown at",
            "temperature_shutdown_celsius",
            degrees(fields.temperature_shutdown_celsius),
        );
        values.show("ECC", "ecc_enabled", yes(fields.ecc_enabled));
        for (label, key, value) in [
            (
                "ECC errors corrected, since driver start",
                "ecc_corrected_volatile",
                fields.ecc_corrected_volatile,
            ),
            (
                "ECC errors uncorrected, since driver start",
                "ecc_uncorrected_volatile",
                fields.ecc_uncorrected_volatile,
            ),
            (
                "ECC errors corrected, ever",
                "ecc_corrected_aggregate",
                fields.ecc_corrected_aggregate,
            ),
            (
                "ECC errors uncorrected, ever",
                "ecc_uncorrected_aggregate",
                fields.ecc_uncorrected_aggregate,
            ),
        ] {
            values.show(label, key, value.map(|value| value.to_string()));
        }
        values.show(
            "rows remapped, corrected and uncorrected",
            "remapped_rows_corrected",
            fields
                .remapped_rows_corrected
                .zip(fields.remapped_rows_uncorrected)
                .map(|(corrected, uncorrected)| format!("{corrected} and {uncorrected}")),
        );
        values.show(
            "row remapping pending",
            "remapped_rows_pending",
            yes(fields.remapped_rows_pending),
        );
        values.show(
            "row remapping failed",
            "remapped_rows_failed",
            yes(fields.remapped_rows_failed),
        );
        values.show(
            "page retirement pending",
            "retired_pages_pending",
            yes(fields.retired_pages_pending),
        );
        values.show(
            "recovery wanted",
            "recovery_action",
            fields.recovery_action.clone(),
        );
        values.show(
            "PCIe replays",
            "pcie_replays",
            fields.pcie_replays.map(|value| value.to_string()),
        );
        values.show(
            "PCIe lanes",
            "pcie_width",
            of(fields.pcie_width, fields.pcie_width_maximum),
        );
        text.push_str(&values.table.render());
    }
    text.push_str(&remarks(report));
    text
}

/// Every section under its name.
pub fn all(report: &Report) -> String {
    // What went wrong stands once, in the overview.
    let mut quiet = report.clone();
    quiet.problems.clear();
    quiet.notes.clear();
    let heading = |name: &str| Tone::Strong.paint(&format!("== {name} =="));
    let mut text = overview(report);
    for (name, section) in [
        ("devices", devices as fn(&Report) -> String),
        ("memory", memory),
        ("libraries", libraries),
        ("topology", topology),
        ("processes", processes),
        ("health", health),
    ] {
        text.push_str(&format!("\n{}\n\n{}", heading(name), section(&quiet)));
    }
    text
}

/// Chosen values, one row per device.
pub fn chosen(report: &Report, names: &[String]) -> String {
    let columns: Vec<(&str, Align)> = names
        .iter()
        .map(|name| (name.as_str(), Align::Left))
        .collect();
    let mut table = Table::new(&columns);
    for device in &report.devices {
        let row = super::flat::device(device);
        table.row(
            names
                .iter()
                .map(|name| {
                    let value = row.iter().find(|(known, _)| known == name);
                    match value.map(|(_, value)| value) {
                        None | Some(serde_json::Value::Null) => missing(&device.absent, name),
                        Some(serde_json::Value::String(text)) => text.clone().into(),
                        Some(value) => value.to_string().into(),
                    }
                })
                .collect(),
        );
    }
    table.render()
}

/// Says in one line why there is no device.
pub fn why_nothing(report: &Report) -> String {
    let one = |name: &str, status: &Status| match status {
        Status::NotAsked => None,
        Status::Answered => Some(format!("{name} lists none")),
        status => Some(format!("{name}: {}", first_line(&status.describe()))),
    };
    let words: Vec<String> = [
        one("CUDA", &report.driver.cuda_status),
        one("NVML", &report.driver.nvml_status),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("no usable device ({})", words.join("; "))
}

/// The first line of a message, without the words that announce the rest.
pub fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.trim_end_matches("; tried").to_owned()
}
