//! `cuwhy rules`.

use clap::ValueEnum;
use cuwhy_validate::rules::{self, RULES, Rule};
use cuwhy_validate::{Evidence, Severity};

use crate::demo::unknown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Tone;

/// Lists the rules that a copy is checked against, or prints one of them whole.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The id of a rule, or the beginning of one; without it, all are listed.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON Lines: one object per rule.
    Json,
}

/// Prints the rules.
///
/// # Errors
///
/// [`Failure::Usage`] when no rule is called so, [`Failure::Output`] when nothing could be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> Result<Exit, Failure> {
    let wanted = arguments.id.as_deref().unwrap_or("");
    let chosen: Vec<&Rule> = match rules::rule(wanted) {
        Some(rule) => vec![rule],
        None => RULES
            .iter()
            .copied()
            .filter(|rule| rule.id.starts_with(wanted))
            .collect(),
    };
    if chosen.is_empty() {
        return Err(Failure::Usage(unknown(wanted)));
    }
    for rule in &chosen {
        match arguments.format {
            Format::Json => output.line(&json(rule))?,
            Format::Text if chosen.len() == 1 => output.data(&whole(rule))?,
            Format::Text => {
                output.line(&format!(
                    "{:<33}  {:<7}  {}",
                    rule.id,
                    rule.severity.word(),
                    rule.statement
                ))?;
            }
        }
    }
    Ok(Exit::DONE)
}

/// A rule with everything that is known about it.
#[must_use]
pub fn whole(rule: &Rule) -> String {
    let tone = match rule.severity {
        Severity::Error => Tone::Bad,
        Severity::Warning | Severity::Note => Tone::Strong,
    };
    let mut text = format!(
        "{}[{}]: {}\n\n",
        tone.paint(rule.severity.word()),
        rule.id,
        rule.statement
    );
    let mut part = |name: &str, words: &str| text.push_str(&format!("{name:<8}  {words}\n"));
    part("CUDA", &format!("{} ({})", rule.cuda, evidence(rule)));
    part("source", rule.source);
    part("detected", rule.detection);
    part("wrong", rule.example.wrong);
    part("right", rule.example.right);
    if !rule.shadows.is_empty() {
        part("instead", &format!("of {}", rule.shadows.join(", ")));
    }
    text
}

fn evidence(rule: &Rule) -> &'static str {
    match rule.evidence {
        Evidence::Measured => "measured",
        Evidence::Documented => "documented, not measured",
    }
}

fn json(rule: &Rule) -> String {
    serde_json::json!({
        "id": rule.id,
        "severity": rule.severity.word(),
        "statement": rule.statement,
        "cuda": rule.cuda,
        "evidence": evidence(rule),
        "source": rule.source,
        "detection": rule.detection,
        "wrong": rule.example.wrong,
        "right": rule.example.right,
        "shadows": rule.shadows,
    })
    .to_string()
}
