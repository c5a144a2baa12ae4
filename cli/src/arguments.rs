//! The command line, and which function each subcommand is.

use anstream::ColorChoice;
use clap::{Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Says what is wrong with a CUDA memory copy, and what a machine's GPUs and CUDA libraries really offer.
#[derive(Debug, Parser)]
#[command(name = "cuwhy", version, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    /// When to colour the output.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "Exit codes: 0 done, 1 a check failed, 2 usage, 3 no usable device, 4 partial, \
5 output not writable, 70 a mistake in cuwhy itself.";

/// When to colour the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb say no; CLICOLOR_FORCE says yes.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// The subcommands, one file each in `commands/`.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a subcommand does is said once, on its arguments, and becomes its help"
)]
pub enum Command {
    Inspect(commands::inspect::Arguments),
    Doctor(commands::doctor::Arguments),
    Explain(commands::explain::Arguments),
    Completions(commands::completions::Arguments),
    Demo(commands::demo::Arguments),
    Man(commands::man::Arguments),
    Truth(commands::truth::Arguments),
    Rules(commands::rules::Arguments),
    Sim(commands::sim::Arguments),
    Ask(commands::ask::Arguments),
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    ///
    /// Whatever stopped it before its end.
    pub fn run(self, output: &mut Output) -> Result<Exit, Failure> {
        match self {
            Self::Inspect(arguments) => commands::inspect::run(&arguments, output),
            Self::Doctor(arguments) => commands::doctor::run(&arguments, output),
            Self::Explain(arguments) => commands::explain::run(&arguments, output),
            Self::Completions(arguments) => commands::completions::run(&arguments, output),
            Self::Demo(arguments) => commands::demo::run(&arguments, output),
            Self::Man(arguments) => commands::man::run(&arguments, output),
            Self::Truth(arguments) => commands::truth::run(&arguments, output),
            Self::Rules(arguments) => commands::rules::run(&arguments, output),
            Self::Sim(arguments) => commands::sim::run(&arguments, output),
            Self::Ask(arguments) => commands::ask::run(&arguments, output),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
