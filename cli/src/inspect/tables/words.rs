//! What all sections share.

use cuwhy_device_state::{Absent, Device, Reason, Report, Status};

use crate::quantity::count;
use crate::table::{Cell, Table, Tone};

pub(super) fn headline(report: &Report) -> String {
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
pub(super) fn remarks(report: &Report) -> String {
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

pub(super) fn index(index: Option<u32>) -> Cell {
    index.map_or_else(
        || Cell::toned("-", Tone::Faint),
        |index| index.to_string().into(),
    )
}

pub(super) fn percent(value: Option<u32>) -> String {
    value.map_or("-".into(), |value| format!("{value}%"))
}

/// How a device is called in headings: both indices, always.
pub(super) fn title(device: &Device) -> String {
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
pub(super) struct Values<'a> {
    pub(super) absent: &'a Absent,
    pub(super) table: Table,
}

impl Values<'_> {
    pub(super) fn show(&mut self, label: &str, key: &str, value: Option<String>) {
        self.show_with(label, key, value, "");
    }

    pub(super) fn show_with(
        &mut self,
        label: &str,
        key: &str,
        value: Option<String>,
        remark: &str,
    ) {
        let cell = match value {
            Some(value) => value.into(),
            None => missing(self.absent, key),
        };
        self.table
            .row(vec![label.into(), cell, Cell::toned(remark, Tone::Faint)]);
    }
}

pub(super) fn missing(absent: &Absent, key: &str) -> Cell {
    let why = absent
        .why(key)
        .map_or_else(|| "unknown".into(), Reason::to_string);
    Cell::toned(format!("- ({why})"), Tone::Faint)
}

pub(super) fn yes(value: Option<bool>) -> Option<String> {
    value.map(|value| if value { "yes" } else { "no" }.to_owned())
}

pub(super) fn of(now: Option<u32>, most: Option<u32>) -> Option<String> {
    now.map(|now| match most {
        Some(most) => format!("{now} of {most}"),
        None => now.to_string(),
    })
}

pub(super) fn nvlinks(device: &Device) -> Option<String> {
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

/// The first line of a message, without the words that announce the rest.
pub fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.trim_end_matches("; tried").to_owned()
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
