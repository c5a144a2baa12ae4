//! `cuwhy demo`.

use std::env;
use std::ffi::OsString;

use clap::ValueEnum;
use cuda_sys::LoadError;
use cuda_sys::driver::Driver;
use cuwhy_sim_libraries::Unversioned;
use cuwhy_validate::ask::{Ask, ByRuntime, Live};
use cuwhy_validate::finding::{Glyphs, Style};

use super::sim;
use crate::demo::{Session, Shown, cases};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Makes three documented mistakes on the GPU and shows what CUDA answers beside what we find.
///
/// The first is no mistake, although it is often called one. Every copy is judged before it is made;
/// the command fails when CUDA's answer is not the predicted one. Where there is no libcuda at all, the
/// copies are made on a simulated device.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Which query classifies the pointers.
    #[arg(long, value_enum, default_value_t = Classify::Driver)]
    pub classify: Classify,
    /// Use this machine's CUDA and nothing else.
    #[arg(long, conflicts_with = "sim")]
    pub gpu: bool,
    /// Use a simulated device, also where there is a real one.
    #[arg(long)]
    pub sim: bool,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON Lines: one object per copy.
    Json,
}

/// Which query classifies the pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Classify {
    /// One plural cuPointerGetAttributes per operand.
    Driver,
    /// cudaPointerGetAttributes, which knows no ranges: some things cannot be told.
    Runtime,
}

/// Makes the copies and prints them.
///
/// # Errors
///
/// [`Failure::NoDevice`] when the driver, the runtime or the device cannot be used.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    if arguments.sim {
        return Err(on_the_simulator()?);
    }
    let session = match Session::open() {
        Err(failure) if !arguments.gpu && there_is_no_libcuda() => {
            output.note(
                "cuwhy: this machine has no libcuda; these copies are made on a simulated device",
            );
            // Without a simulator what matters is that there is no driver.
            return Err(on_the_simulator().unwrap_or(failure));
        }
        session => session?,
    };
    if arguments.format == Format::Text {
        output.line(&session.headline())?;
    }
    let live = Live::new(session.driver());
    let by_runtime = ByRuntime::new(session.runtime(), Live::new(session.driver()));
    let ask: &dyn Ask = match arguments.classify {
        Classify::Driver => &live,
        Classify::Runtime => &by_runtime,
    };
    let width = output.columns().map_or(Style::default().width, usize::from);
    let style = Style {
        width,
        glyphs: Glyphs::Unicode,
        colour: true,
    };
    let mut surprises = 0;
    for case in cases() {
        let shown = session.show(case, ask)?;
        surprises += usize::from(shown.surprise());
        match arguments.format {
            Format::Text => output.data(&text(&shown, &style))?,
            Format::Json => output.line(&shown.json())?,
        }
    }
    if surprises > 0 {
        output.note(&format!(
            "cuwhy: {surprises} of the answers were not the predicted ones: that is a mistake of ours, \
             please report it"
        ));
        return Ok(Exit::CHECK_FAILED);
    }
    Ok(Exit::DONE)
}

/// Whether nobody named a library and the machine has no driver of its own.
fn there_is_no_libcuda() -> bool {
    let named = ["CUWHY_LIBCUDA", "CUWHY_LIBCUDART", "CUWHY_LIBNVML"];
    named
        .iter()
        .all(|name| env::var_os(name).is_none_or(|value| value.is_empty()))
        && matches!(Driver::get(), Err(LoadError::NotFound { .. }))
}

/// Becomes this command on a simulated device; comes back only with the reason why not.
fn on_the_simulator() -> Result<Failure, Failure> {
    let folder = sim::folder(Unversioned::V13)?;
    let program = env::current_exe().map_err(|cause| Failure::Failed {
        what: "this program cannot find itself".into(),
        cause: Box::new(cause),
    })?;
    let mut again: Vec<OsString> = env::args_os()
        .skip(1)
        .filter(|word| word != "--sim")
        .collect();
    again.push("--gpu".into());
    let cause = sim::on(&folder, &[], program.as_os_str(), &again);
    Ok(Failure::Failed {
        what: "this program cannot start itself on the simulator".into(),
        cause: Box::new(cause),
    })
}

fn text(shown: &Shown, style: &Style) -> String {
    let mut text = format!(
        "\n{}. {}\n   {}\n",
        shown.number, shown.case.title, shown.case.code
    );
    text.push_str(&format!("   CUDA answered {}\n\n", shown.answered.words()));
    if shown.cannot_tell() {
        text.push_str("predicted: cannot tell; cudaPointerGetAttributes knows no ranges\n");
    } else if shown.surprise() {
        text.push_str("this is not what we predicted\n");
    } else if shown.verdict.findings.is_empty() {
        text.push_str("as predicted: nothing is wrong with this copy\n");
    }
    for finding in &shown.verdict.findings {
        text.push_str(&finding.text(style));
    }
    if let Some(remark) = shown.case.remark {
        text.push_str(&format!("   {remark}\n"));
    }
    text
}
