//! `cuwhy ask PART DEPTH`, which `inspect` and `doctor` run: one library is asked, in this process.

use cuwhy_device_state::{Cuda as _, CudaDriver, Depth, Nvml as _, nvml::NvmlLibrary, probe};

use crate::collection::{self, Part};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Asks one library and prints its answer as JSON; `inspect` and `doctor` run this.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Arguments {
    /// What to ask.
    pub part: Part,
    /// How much to ask for.
    pub depth: Depths,
    /// What to try, for `probe`.
    pub what: Vec<String>,
}

/// How much to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Depths {
    /// What the overview shows.
    Overview,
    /// Everything.
    Everything,
}

/// Asks and prints.
///
/// # Errors
///
/// [`Failure::Output`] when the answer could not be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let depth = match arguments.depth {
        Depths::Overview => Depth::Overview,
        Depths::Everything => Depth::Everything,
    };
    let answer = match arguments.part {
        Part::Nvml => collection::encode(&NvmlLibrary.ask(depth)),
        Part::Cuda => collection::encode(&CudaDriver.ask(depth)),
        Part::Libraries => collection::encode(&collection::libraries(depth)),
        Part::Probe => {
            let (ordinal, keys) = arguments
                .what
                .split_first()
                .and_then(|(ordinal, keys)| Some((ordinal.parse().ok()?, keys)))
                .ok_or_else(|| Failure::Usage("probe takes an ordinal and capabilities".into()))?;
            collection::encode(&probe::run(ordinal, keys))
        }
    };
    let answer = answer.map_err(|error| Failure::Bug(error.to_string()))?;
    output.line(&answer)?;
    output.flush()?;
    Ok(Exit::DONE)
}
