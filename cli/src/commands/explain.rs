//! `cuwhy explain ID`.

use super::rules;
use crate::doctor;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Tone;

/// Explains a check of `cuwhy doctor` or a rule: what it looks at, when it fails, what to do.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The id of the check or of the rule; without one, all checks are listed (`cuwhy rules` lists rules).
    #[arg(value_name = "ID")]
    pub id: Option<String>,
}

/// Prints the explanation, or the list.
///
/// # Errors
///
/// [`Failure::Usage`] when there is no such check, [`Failure::Output`] when nothing could be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    match &arguments.id {
        None => {
            for check in doctor::CHECKS {
                output.line(&format!("{:<22}  {}", check.id, check.title))?;
            }
        }
        Some(id) => output.data(&explanation(id)?)?,
    }
    Ok(Exit::DONE)
}

fn explanation(id: &str) -> Result<String, Failure> {
    if let Some(rule) = cuwhy_validate::rules::rule(id) {
        return Ok(rules::whole(rule));
    }
    let Some(check) = doctor::find(id) else {
        let beginning = id.split('.').next().unwrap_or(id);
        let near: Vec<&str> = doctor::CHECKS
            .iter()
            .map(|check| check.id)
            .filter(|known| known.starts_with(beginning))
            .collect();
        let list = if near.is_empty() {
            doctor::CHECKS.iter().map(|check| check.id).collect()
        } else {
            near
        };
        return Err(Failure::Usage(format!(
            "no check is called {id}; there is\n  {}",
            list.join("\n  ")
        )));
    };
    let mut text = format!("{}: {}\n\n", Tone::Strong.paint(check.id), check.title);
    let mut part = |name: &str, words: &str| {
        text.push_str(&format!("{name:<5}  {words}\n"));
    };
    part("how", check.how);
    part("when", check.when);
    part("next", check.next);
    if !check.needs.is_empty() {
        part("needs", &check.needs.join(", "));
    }
    Ok(text)
}
