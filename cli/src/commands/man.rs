//! `cuwhy man`.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::arguments::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the manual page, or writes one page per subcommand into a folder.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Write `cuwhy.1`, `cuwhy-inspect.1` and so on into this folder instead of printing.
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

/// Prints or writes the pages.
///
/// # Errors
///
/// [`Failure::Output`] when they could not be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    match &arguments.folder {
        None => output.data(&page(command)?)?,
        Some(folder) => {
            clap_mangen::generate_to(command, folder).map_err(|cause| Failure::Output {
                place: folder.display().to_string(),
                cause,
            })?;
        }
    }
    Ok(Exit::DONE)
}

fn page(command: clap::Command) -> Result<String, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut text)
        .map_err(|error| Failure::Bug(format!("the manual page cannot be made: {error}")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
