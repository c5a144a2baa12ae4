//! `cuwhy inspect`.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use cuwhy_device_state::{Depth, Report, Status};
use serde_json::{Map, Value};

use crate::collection::{self, Request};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::file;
use crate::inspect::{flat, prometheus, saved, select, sheet, tables};
use crate::near::near;
use crate::output::Output;

/// Shows what this machine's GPUs and CUDA libraries offer; never creates a CUDA context.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to show.
    #[arg(value_enum, default_value_t = Section::Overview)]
    pub section: Section,
    /// In which form. JSON is always the whole report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Only these devices: nvml:0, cuda:0, GPU-..., MIG-..., or a PCI address.
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Only these values, one row per device; an unknown name lists what there is.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Repeat every so many seconds; JSON then is one object per line.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "from")]
    pub watch: Option<Duration>,
    /// Stop after this many repetitions.
    #[arg(long, value_name = "NUMBER", requires = "watch")]
    pub count: Option<u64>,
    /// Show a report that was saved as JSON, and not this machine.
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Write into this file instead of printing; it is replaced as a whole, never seen half.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Do not ask NVML.
    #[arg(long, conflicts_with = "from")]
    pub no_nvml: bool,
    /// Do not ask CUDA.
    #[arg(long, conflicts_with = "from")]
    pub no_cuda: bool,
    /// How long each library may take to answer.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    pub timeout: Duration,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Section {
    /// One line per device.
    Overview,
    /// Everything about each device.
    Devices,
    /// What bears on copies.
    Memory,
    /// Library files, versions, absent functions.
    Libraries,
    /// NVLink, PCIe and peer access between devices.
    Topology,
    /// Programs that use devices.
    Processes,
    /// Errors, slowdowns, temperatures.
    Health,
    /// All of these.
    All,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The whole report; its schema is docs/schema/report-1.json.
    Json,
    /// One row per device, library, link, process or capability.
    Csv,
    /// For node_exporter's textfile collector.
    Prometheus,
}

/// Reads a positive number of seconds.
///
/// # Errors
///
/// A sentence about what is wrong with the text.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text
        .parse()
        .map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.001..=86_400.0).contains(&value) {
        return Err("must lie between 0.001 and 86400 seconds".into());
    }
    Ok(Duration::from_secs_f64(value))
}

/// Collects or reads a report, and prints it.
///
/// # Errors
///
/// [`Failure::Usage`] for devices and fields that do not exist, [`Failure::Input`] for a file that is
/// no report, [`Failure::Output`] when nothing could be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let watching = arguments.watch.is_some();
    if watching && arguments.format == Format::Prometheus && arguments.output.is_none() {
        return Err(Failure::Usage(
            "--watch goes with --format prometheus only where --output names a file".into(),
        ));
    }
    if arguments.format == Format::Prometheus && !arguments.fields.is_empty() {
        return Err(Failure::Usage(
            "--fields does not go with --format prometheus".into(),
        ));
    }
    let mut head = sheet::Head::Written;
    let mut left = arguments.count.unwrap_or(u64::MAX);
    loop {
        let mut report = match &arguments.from {
            Some(path) => saved::read(path)?,
            None => collection::collect(Request {
                depth: depth(arguments),
                nvml: !arguments.no_nvml,
                cuda: !arguments.no_cuda,
                limit: arguments.timeout,
            }),
        };
        select::keep(&mut report, &arguments.device).map_err(Failure::Usage)?;
        check_fields(arguments, &report)?;
        let text = print(arguments, &report, head)?;
        match &arguments.output {
            Some(path) => file::replace(path, &text)?,
            None => {
                output.data(&text)?;
                output.flush()?;
            }
        }
        left = left.saturating_sub(1);
        match arguments.watch {
            Some(pause) if left > 0 => thread::sleep(pause),
            _ => return Ok(ending(arguments, &report, output)),
        }
        // A file is replaced each time, so each time it is whole.
        if arguments.output.is_none() {
            head = sheet::Head::Omitted;
            if arguments.format == Format::Table {
                output.line("")?;
            }
        }
    }
}

/// The overview as a table or CSV needs little; everything else needs all.
fn depth(arguments: &Arguments) -> Depth {
    let little = arguments.section == Section::Overview
        && arguments.fields.is_empty()
        && matches!(arguments.format, Format::Table | Format::Csv);
    if little {
        Depth::Overview
    } else {
        Depth::Everything
    }
}

fn check_fields(arguments: &Arguments, report: &Report) -> Result<(), Failure> {
    if arguments.fields.is_empty() {
        return Ok(());
    }
    let known = flat::names(&report.devices);
    // Without a device nobody knows which attributes there are.
    let unknown = |name: &&String| {
        let attribute = report.devices.is_empty() && name.starts_with("CU_DEVICE_ATTRIBUTE_");
        !attribute && !known.contains(name)
    };
    match arguments.fields.iter().find(unknown) {
        None => Ok(()),
        Some(unknown) => {
            // A whole name's beginning is like it, too.
            let like = near(unknown, known.iter().map(String::as_str), |name| {
                name.starts_with(&**unknown)
            });
            let like = match like.is_empty() {
                true => String::new(),
                false => format!("\nlike {unknown}: {}", like.join(", ")),
            };
            Err(Failure::Usage(format!(
                "no field is called {unknown}; there is\n  {}{like}",
                known.join("\n  ")
            )))
        }
    }
}

fn print(arguments: &Arguments, report: &Report, head: sheet::Head) -> Result<String, Failure> {
    let bug = |error: &dyn core::fmt::Display| Failure::Bug(error.to_string());
    match arguments.format {
        Format::Prometheus => Ok(prometheus::write(report)),
        Format::Csv => {
            let rows = if arguments.fields.is_empty() {
                sheet::sheet(report, rows(arguments.section))
            } else {
                sheet::chosen(report, &arguments.fields)
            };
            let rows = if arguments.watch.is_some() {
                stamped(rows, report.collected_unix_seconds)
            } else {
                rows
            };
            sheet::write(&rows, head).map_err(|error| bug(&error))
        }
        Format::Json => {
            let value = if arguments.fields.is_empty() {
                return json(report, arguments).map_err(|error| bug(&error));
            } else {
                chosen(report, &arguments.fields)
            };
            json(&value, arguments).map_err(|error| bug(&error))
        }
        Format::Table if !arguments.fields.is_empty() => {
            Ok(tables::chosen(report, &arguments.fields))
        }
        Format::Table => Ok(match arguments.section {
            Section::Overview => tables::overview(report),
            Section::Devices => tables::devices(report),
            Section::Memory => tables::memory(report),
            Section::Libraries => tables::libraries(report),
            Section::Topology => tables::topology(report),
            Section::Processes => tables::processes(report),
            Section::Health => tables::health(report),
            Section::All => tables::all(report),
        }),
    }
}

fn rows(section: Section) -> sheet::Rows {
    match section {
        Section::Overview => sheet::Rows::Overview,
        Section::Devices | Section::All => sheet::Rows::Devices,
        Section::Memory => sheet::Rows::Capabilities,
        Section::Libraries => sheet::Rows::Libraries,
        Section::Topology => sheet::Rows::Links,
        Section::Processes => sheet::Rows::Processes,
        Section::Health => sheet::Rows::Health,
    }
}

fn stamped((mut names, mut rows): sheet::Sheet, seconds: u64) -> sheet::Sheet {
    names.insert(0, "collected_unix_seconds".into());
    for row in &mut rows {
        row.insert(0, seconds.into());
    }
    (names, rows)
}

fn json(value: &impl serde::Serialize, arguments: &Arguments) -> serde_json::Result<String> {
    let mut text = if arguments.watch.is_some() {
        serde_json::to_string(value)?
    } else {
        serde_json::to_string_pretty(value)?
    };
    text.push('\n');
    Ok(text)
}

/// Chosen values of each device, with the reasons for those that are missing.
fn chosen(report: &Report, names: &[String]) -> Value {
    let devices: Vec<Value> = report
        .devices
        .iter()
        .map(|device| {
            let row = flat::device(device);
            let mut object = Map::new();
            let mut absent = Map::new();
            for name in names {
                let value = row.iter().find(|(known, _)| known == name);
                let value = value.map_or(Value::Null, |(_, value)| value.clone());
                if value.is_null() {
                    absent.insert(name.clone(), flat::why(device, name).into());
                }
                object.insert(name.clone(), value);
            }
            object.insert("absent".into(), absent.into());
            object.into()
        })
        .collect();
    serde_json::json!({
        "schema": report.schema,
        "collected_unix_seconds": report.collected_unix_seconds,
        "devices": devices,
    })
}

/// Chooses the exit code; the report is out already.
fn ending(arguments: &Arguments, report: &Report, output: &mut Output) -> Exit {
    if report.devices.is_empty() {
        output.note(&format!("cuwhy: {}", tables::why_nothing(report)));
        return Exit::NO_DEVICE;
    }
    let silent = |asked: bool, status: &Status| asked && !status.answered();
    let partial = silent(!arguments.no_nvml, &report.driver.nvml_status)
        || silent(!arguments.no_cuda, &report.driver.cuda_status)
        || !report.problems.is_empty();
    // A saved report was collected by somebody else, who was told then.
    if partial && arguments.from.is_none() {
        Exit::PARTIAL
    } else {
        Exit::DONE
    }
}
