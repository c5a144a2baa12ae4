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
use crate::demo::{Scenes, Session, Shown, cases, play, table};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Makes documented mistakes on the GPU and shows what CUDA answers beside what we find.
///
/// Without an ID three copies that people ask about; the first is no mistake, although it is often
/// called one. With IDs, or --all, the wrong call of each rule and its right twin: whatever kills a
/// process is made in one of its own. Every call is judged before it is made; the command fails when
/// CUDA's answer is not the predicted one. Where there is no libcuda at all, simulated devices are used.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Rules to show, as `cuwhy rules` lists them, or areas such as range.
    #[arg(value_name = "ID", conflicts_with = "all")]
    pub ids: Vec<String>,
    /// Show every rule.
    #[arg(long)]
    pub all: bool,
    /// Compare: that each rule finds its wrong call, names the right operand and byte and has nothing
    /// to say of the twin; a table at the end.
    #[arg(long)]
    pub verify: bool,
    /// Print the table alone.
    #[arg(long, short, requires = "verify")]
    pub quiet: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Which query classifies the pointers.
    #[arg(long, value_enum, default_value_t = Classify::Driver, conflicts_with_all = ["ids", "all"])]
    pub classify: Classify,
    /// Use this machine's CUDA and nothing else.
    #[arg(long, conflicts_with = "sim")]
    pub gpu: bool,
    /// Use a simulated device, also where there is a real one.
    #[arg(long)]
    pub sim: bool,
    /// Be the process that makes the calls, for findings of so many columns; for this command itself.
    #[arg(long, hide = true, value_name = "COLUMNS")]
    pub play: Option<usize>,
}

impl Arguments {
    /// Whether rules are shown, and not the three copies.
    fn rules(&self) -> bool {
        self.all || !self.ids.is_empty()
    }
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
    if let Some(width) = arguments.play {
        return play(width, output);
    }
    // Before anything is started: a wrong name is wrong everywhere.
    let scenes = Scenes::of(&arguments.ids, width(output))?;
    if arguments.sim {
        return Err(on_the_simulator(arguments)?);
    }
    let session = match Session::open() {
        Err(failure) if !arguments.gpu && there_is_no_libcuda() => {
            output.note(
                "cuwhy: this machine has no libcuda; these copies are made on a simulated device",
            );
            // Without a simulator what matters is that there is no driver.
            return Err(on_the_simulator(arguments).unwrap_or(failure));
        }
        session => session?,
    };
    if arguments.format == Format::Text {
        output.line(&session.headline())?;
    }
    let (bad, what) = if arguments.rules() {
        let bad = show_rules(scenes, arguments, output)?;
        (bad, "of the rules are not as they should be")
    } else {
        let surprises = show_cases(&session, arguments, output)?;
        (surprises, "of the answers were not the predicted ones")
    };
    if bad > 0 {
        output.note(&format!(
            "cuwhy: {bad} {what}: that is a mistake of ours, please report it"
        ));
        return Ok(Exit::CHECK_FAILED);
    }
    Ok(Exit::DONE)
}

/// The columns of a finding.
fn width(output: &Output) -> usize {
    output.columns().map_or(Style::default().width, usize::from)
}

/// What the terminal is likely to show: the first of the three variables that says anything decides.
pub(crate) fn glyphs() -> Glyphs {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    let unicode = said.is_some_and(|value| {
        let value = value.to_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    });
    if unicode {
        Glyphs::Unicode
    } else {
        Glyphs::Ascii
    }
}

/// Shows rules; says for how many something is not as it should be.
fn show_rules(
    mut scenes: Scenes,
    arguments: &Arguments,
    output: &mut Output,
) -> Result<usize, Failure> {
    let mut all = Vec::new();
    while let Some(scene) = scenes.play()? {
        match arguments.format {
            Format::Json => output.line(&scene.json())?,
            Format::Text if arguments.quiet => {}
            Format::Text => output.data(&scene.text())?,
        }
        output.flush()?;
        all.push(scene);
    }
    if arguments.verify && arguments.format == Format::Text {
        output.data(&table(&all))?;
    }
    Ok(all.iter().filter(|scene| scene.is_bad()).count())
}

/// Shows the three copies; says how often CUDA answered otherwise than predicted.
fn show_cases(
    session: &Session,
    arguments: &Arguments,
    output: &mut Output,
) -> Result<usize, Failure> {
    let live = Live::new(session.driver());
    let by_runtime = ByRuntime::new(session.runtime(), Live::new(session.driver()));
    let ask: &dyn Ask = match arguments.classify {
        Classify::Driver => &live,
        Classify::Runtime => &by_runtime,
    };
    let style = Style {
        width: width(output),
        glyphs: glyphs(),
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
    Ok(surprises)
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
fn on_the_simulator(arguments: &Arguments) -> Result<Failure, Failure> {
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
    // Some rules are about two devices.
    let settings: &[String] = if arguments.rules() {
        &["devices=2".into()]
    } else {
        &[]
    };
    let cause = sim::on(&folder, settings, program.as_os_str(), &again);
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
