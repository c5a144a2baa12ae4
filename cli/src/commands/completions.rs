//! `cuwhy completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::arguments::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the completion script of a shell.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The shell that shall read it.
    pub shell: Shell,
}

/// Prints the script on the standard output.
///
/// # Errors
///
/// [`Failure::Output`] when it could not be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "cuwhy", &mut script);
    output.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::DONE)
}
