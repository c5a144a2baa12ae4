//! `cuwhy truth`.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;

use crate::commands::sim::Runtime;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Align, Cell, Table, Tone};
use crate::truth::{Counts, Fleet, Machine, Plan, Tally, functions, libraries, work};

/// Makes random calls, right, almost right and absurd, and compares CUDA's answers with ours.
///
/// Every call is predicted from all facts and then made in a process that may die of it. A prediction
/// of "cannot tell" counts as wrong. The command fails when one answer was not the predicted one.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many calls to make.
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub cases: u64,
    /// What decides every call; the same seed makes the same calls.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Make this one call alone.
    #[arg(long, value_name = "N", conflicts_with_all = ["cases", "journal"])]
    pub case: Option<u64>,
    /// How many devices take part; two where there are two, if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub devices: Option<u8>,
    /// Make calls of this function alone; may be given several times.
    #[arg(long, value_name = "FUNCTION", value_parser = PossibleValuesParser::new(functions()), hide_possible_values = true)]
    pub only: Vec<String>,
    /// Processes at work; as many as there are processors, and no more than 8, if not said.
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Ask the GPU's driver, as the loader finds it.
    #[arg(long, conflicts_with = "sim")]
    pub gpu: bool,
    /// Ask the simulator beside this program.
    #[arg(long)]
    pub sim: bool,
    /// Which runtime is simulated.
    #[arg(long, value_enum, default_value_t = Runtime::V13, value_name = "MAJOR", requires = "sim")]
    pub cudart: Runtime,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write what was answered to what as a table: tab-separated, one line per kind of call.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Keep what is done in this file; a run that was interrupted goes on from there.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Stop after so many seconds although calls are left.
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Print no more disagreements than this.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub show: usize,
    /// Be a process that makes calls: cases come on the standard input.
    #[arg(long, hide = true)]
    pub work: bool,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// Makes the calls and prints what came of them.
///
/// # Errors
///
/// [`Failure::NoDevice`] when nothing can be tried, [`Failure::Output`] when a file cannot be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    if arguments.work {
        return work(arguments.seed, arguments.devices, &arguments.only, output);
    }
    let machine = if arguments.sim {
        Machine::Simulated(arguments.cudart.into())
    } else {
        Machine::Found
    };
    let (first, cases) = arguments
        .case
        .map_or((0, arguments.cases), |case| (case, 1));
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut fleet = Fleet::new(Plan {
        seed: arguments.seed,
        first,
        cases,
        only: arguments.only.clone(),
        workers: arguments.workers.unwrap_or(processors.min(8)),
        devices: arguments.devices,
        variables: libraries(machine, arguments.devices)?,
        journal: arguments.journal.clone(),
        limit: arguments.seconds.map(Duration::from_secs),
    })?;
    let simulated = fleet.machine.to_lowercase().contains("simulated");
    if arguments.gpu && simulated {
        return Err(Failure::NoDevice(
            "the driver that was found is the simulator's; next: take its folder out of \
             LD_LIBRARY_PATH and unset CUWHY_LIBCUDA"
                .into(),
        ));
    }
    if arguments.sim && !simulated {
        return Err(Failure::NoDevice(
            "the driver that CUWHY_LIBCUDA names is not the simulator's; next: unset it".into(),
        ));
    }
    let tally = fleet.run()?;
    if let Some(file) = &arguments.out {
        fs::write(file, answers(&fleet, &tally)).map_err(|cause| Failure::Output {
            place: file.display().to_string(),
            cause,
        })?;
    }
    match arguments.format {
        Format::Text => output.data(&text(arguments, &fleet, &tally))?,
        Format::Json => output.line(&json(arguments, &fleet, &tally))?,
    }
    if tally.all.agreed < tally.all.cases {
        return Ok(Exit::CHECK_FAILED);
    }
    Ok(Exit::DONE)
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".into();
    }
    // Never 100 for less than all.
    let hundredths = part.saturating_mul(10_000) / whole;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn table<'a>(title: &str, rows: impl Iterator<Item = (&'a String, &'a Counts)>) -> String {
    let right = Align::Right;
    let mut table = Table::new(&[
        (title, Align::Left),
        ("cases", right),
        ("as predicted %", right),
        ("succeeded %", right),
        ("near %", right),
        ("faults", right),
        ("contexts lost", right),
    ]);
    for (name, counts) in rows {
        let all = counts.agreed == counts.cases;
        let tone = if all { Tone::Good } else { Tone::Bad };
        table.row(vec![
            name.as_str().into(),
            counts.cases.to_string().into(),
            Cell::toned(percent(counts.agreed, counts.cases), tone),
            percent(counts.succeeded, counts.cases).into(),
            percent(counts.near, counts.cases).into(),
            counts.faults.to_string().into(),
            counts.dead.to_string().into(),
        ]);
    }
    table.render()
}

/// The command line that makes a case again.
fn again(arguments: &Arguments, fleet: &Fleet, case: u64) -> String {
    let machine = if arguments.sim { " --sim" } else { "" };
    let only: String = arguments
        .only
        .iter()
        .map(|name| format!(" --only {name}"))
        .collect();
    format!(
        "cuwhy truth{machine}{only} --devices {} --seed {} --case {case}",
        fleet.devices, arguments.seed
    )
}

fn text(arguments: &Arguments, fleet: &Fleet, tally: &Tally) -> String {
    let mut text = format!("{}\n", fleet.machine);
    text.push_str(&table("function", tally.functions.iter()));
    text.push('\n');
    text.push_str(&table("class", tally.classes.iter()));
    text.push('\n');
    for one in tally.disagreements.iter().take(arguments.show) {
        text.push_str(&format!(
            "{}\n   {} ({})\n   {}\n   predicted {}, answered {}\n",
            again(arguments, fleet, one.case),
            one.function,
            one.drawn,
            one.call,
            one.predicted,
            one.answered,
        ));
    }
    let more = tally.disagreements.len().saturating_sub(arguments.show);
    if more > 0 {
        text.push_str(&format!("and {more} more disagreements\n"));
    }
    let all = &tally.all;
    let seconds = fleet.took.as_secs_f64();
    text.push_str(&format!(
        "seed {}: {} of {} cases as predicted ({} %), {} faults, {} contexts lost, {seconds:.1} s",
        arguments.seed,
        all.agreed,
        all.cases,
        percent(all.agreed, all.cases),
        all.faults,
        all.dead,
    ));
    if fleet.resumed > 0 {
        text.push_str(&format!(
            ", {} of the cases from the journal",
            fleet.resumed
        ));
    }
    text.push('\n');
    text
}

fn json(arguments: &Arguments, fleet: &Fleet, tally: &Tally) -> String {
    let disagreements: Vec<_> = tally
        .disagreements
        .iter()
        .map(|one| {
            serde_json::json!({
                "case": one.case,
                "function": one.function,
                "drawn": one.drawn,
                "call": one.call,
                "predicted": one.predicted,
                "answered": one.answered,
                "again": again(arguments, fleet, one.case),
            })
        })
        .collect();
    serde_json::json!({
        "machine": fleet.machine,
        "seed": arguments.seed,
        "devices": fleet.devices,
        "seconds": fleet.took.as_secs_f64(),
        "all": tally.all,
        "functions": tally.functions,
        "classes": tally.classes,
        "disagreements": disagreements,
    })
    .to_string()
}

/// The answers as lines of tab-separated columns.
fn answers(fleet: &Fleet, tally: &Tally) -> String {
    let mut text = format!(
        "# {}\nfunction\tkind\tdst\tsrc\tdrawn\taround\tresult\tcases\texample\n",
        fleet.machine
    );
    for (row, answers) in &tally.table {
        for (answer, (count, example)) in answers {
            text.push_str(&format!("{row}\t{answer}\t{count}\t{example}\n"));
        }
    }
    text
}
