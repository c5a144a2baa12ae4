//! From arguments to an exit code.

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::Parser;
use clap::error::ErrorKind;

use crate::arguments::Cli;
use crate::exit::Exit;
use crate::failure::{Failure, chain};
use crate::output::Output;

/// Runs `cuwhy` with these arguments; the first is the name of the program.
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let exit =
        panic::catch_unwind(AssertUnwindSafe(|| parse_and_run(arguments))).unwrap_or_else(|_| {
            Output::standard(ColorChoice::Auto).note(
                "cuwhy: this is a mistake in cuwhy itself; please report it with the lines above",
            );
            Exit::BUG
        });
    ExitCode::from(exit.0)
}

fn parse_and_run(arguments: Vec<OsString>) -> Exit {
    let (mut output, result) = match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            let mut output = Output::standard(cli.color.into());
            let result = cli.command.run(&mut output);
            (output, result)
        }
        Err(error) => {
            let mut output = Output::standard(ColorChoice::Auto);
            let result = answer(&error, &mut output);
            (output, result)
        }
    };
    let result = result.and_then(|exit| output.flush().map(|()| exit));
    result.unwrap_or_else(|failure| {
        let exit = failure.exit();
        if exit != Exit::DONE {
            output.note(&format!("cuwhy: {}", chain(&failure)));
        }
        exit
    })
}

/// Prints what clap has to say: help and version are data, a wrong argument is not.
fn answer(error: &clap::Error, output: &mut Output) -> Result<Exit, Failure> {
    let text = error.render().ansi().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output.data(&text)?;
            Ok(Exit::DONE)
        }
        _ => {
            output.note(text.trim_end());
            Ok(Exit::USAGE)
        }
    }
}
