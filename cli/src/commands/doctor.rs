//! `cuwhy doctor`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cuwhy_device_state::Depth;

use crate::collection::{self, Request};
use crate::commands::inspect::seconds;
use crate::doctor::{Choice, Diagnosis, examine, render};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::file::{Readers, replace_for};
use crate::inspect::saved;
use crate::output::Output;
use crate::probe;

/// Finds out why CUDA does not work here: ordered checks, each with evidence and a next step.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also try what devices claim: this allocates memory and creates contexts.
    #[arg(long)]
    pub probe: bool,
    /// Only these checks: ids, or their beginnings up to a dot.
    #[arg(long, value_name = "CHECKS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Not these checks.
    #[arg(long, value_name = "CHECKS", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// How long each library, and each trial, may take.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "20")]
    pub timeout: Duration,
    /// Return 1 for warnings too.
    #[arg(long)]
    pub deny_warnings: bool,
    /// Also write everything to this file as JSON, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Leave UUIDs, serial numbers and names of programs in the saved file.
    #[arg(long, requires = "save")]
    pub identifiers: bool,
    /// Examine a report that was saved by inspect, and not this machine.
    #[arg(long, value_name = "FILE", conflicts_with = "probe")]
    pub from: Option<PathBuf>,
    /// In which form.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// Every check and the whole report; its schema is docs/schema/doctor-1.json.
    Json,
}

/// Examines this machine, or a saved report.
///
/// # Errors
///
/// [`Failure::Usage`] for checks that do not exist, [`Failure::Input`] for a file that is no report,
/// [`Failure::Output`] when nothing could be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let choice = Choice {
        only: arguments.only.clone(),
        skip: arguments.skip.clone(),
    };
    if let Some(unknown) = choice.unknown() {
        return Err(Failure::Usage(format!(
            "no check is called {unknown}; `cuwhy explain` lists them"
        )));
    }
    let report = match &arguments.from {
        Some(path) => saved::read(path)?,
        None => {
            let mut report = collection::collect(Request {
                depth: Depth::Everything,
                nvml: true,
                cuda: true,
                limit: arguments.timeout,
            });
            if arguments.probe {
                probe::run(&mut report, arguments.timeout);
            }
            report
        }
    };
    let diagnosis = examine(report, &choice, collection::tool());
    match arguments.format {
        Format::Table => output.data(&render::table(&diagnosis))?,
        Format::Json => output.line(&json(&diagnosis)?)?,
    }
    output.flush()?;
    if let Some(path) = &arguments.save {
        save(&diagnosis, path, arguments.identifiers)?;
        output.note(&format!("cuwhy: written to {}", path.display()));
    }
    let warned = arguments.deny_warnings && diagnosis.summary.warned > 0;
    Ok(if diagnosis.summary.failed > 0 || warned {
        Exit::CHECK_FAILED
    } else {
        Exit::DONE
    })
}

fn json(diagnosis: &Diagnosis) -> Result<String, Failure> {
    serde_json::to_string_pretty(diagnosis).map_err(|error| Failure::Bug(error.to_string()))
}

fn save(diagnosis: &Diagnosis, path: &Path, identifiers: bool) -> Result<(), Failure> {
    let text = if identifiers {
        json(diagnosis)?
    } else {
        saved::anonymous(diagnosis, std::env::var("HOME").ok().as_deref())?
    };
    replace_for(path, &(text + "\n"), Readers::Owner)
}
