//! The rule book: one page per area, made from the catalogue.

use crate::rules::{Evidence, RULES, Rule};
use std::fmt::Write;

/// A page of the rule book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its file name.
    pub file: String,
    /// Its text.
    pub text: String,
}

const MADE: &str = "<!-- Made from the rule catalogue by `cargo run -p cuwhy-validate --example rule_book`. Do not edit. -->\n\n";

/// All pages: one per area, and an index.
#[must_use]
pub fn pages() -> Vec<Page> {
    let mut pages = vec![index()];
    for area in areas() {
        let mut text = format!("{MADE}# `{area}.*`\n");
        for rule in of_area(area) {
            text.push('\n');
            text.push_str(&entry(rule));
        }
        pages.push(Page {
            file: format!("{area}.md"),
            text,
        });
    }
    pages
}

/// One rule as Markdown, under a heading of the second level.
#[must_use]
pub fn entry(rule: &Rule) -> String {
    let sentence = capital(rule.statement);
    let mut text = format!("## `{}`\n\n**{}**: {sentence}.\n\n", rule.id, rule.severity);
    let rows = [
        (
            "What CUDA does",
            format!("{} ({})", rule.cuda, evidence(rule)),
        ),
        ("Where it is written", rule.source.into()),
        ("How it is detected", rule.detection.into()),
    ];
    for (name, value) in rows {
        let value: String = capital(&value);
        writeln!(text, "- {name}: {value}.").unwrap_or_default();
    }
    if !rule.shadows.is_empty() {
        let shadows: Vec<String> = rule.shadows.iter().map(|id| format!("`{id}`")).collect();
        writeln!(text, "- Says more than: {}.", shadows.join(", ")).unwrap_or_default();
    }
    write!(
        text,
        "\n```c\n{};   // wrong\n{};   // right\n```\n",
        rule.example.wrong, rule.example.right
    )
    .unwrap_or_default();
    text
}

const fn evidence(rule: &Rule) -> &'static str {
    match rule.evidence {
        Evidence::Measured => "measured on an H200, driver for CUDA 13.0",
        Evidence::Documented => "documented, not measured",
    }
}

fn index() -> Page {
    let mut text = format!(
        "{MADE}# Rules\n\nEvery rule has a permanent id. An *error* is refused by CUDA, kills the process or corrupts data; a\n*warning* works today and says something false or depends on chance; a *note* is slower than it looks.\n\n| rule | severity | what is wrong | what CUDA does |\n| --- | --- | --- | --- |\n"
    );
    for rule in RULES {
        let area = area(rule);
        writeln!(
            text,
            "| [`{id}`]({area}.md#{anchor}) | {severity} | {statement} | {cuda} |",
            id = rule.id,
            anchor = rule.id.replace('.', ""),
            severity = rule.severity,
            statement = rule.statement,
            cuda = rule.cuda.replace('|', "\\|"),
        )
        .unwrap_or_default();
    }
    Page {
        file: "README.md".into(),
        text,
    }
}

/// The areas in the order of the catalogue.
fn areas() -> Vec<&'static str> {
    let mut areas: Vec<&str> = Vec::new();
    for rule in RULES {
        if !areas.contains(&area(rule)) {
            areas.push(area(rule));
        }
    }
    areas
}

fn area(rule: &Rule) -> &'static str {
    rule.id.split('.').next().unwrap_or(rule.id)
}

fn of_area(wanted: &str) -> impl Iterator<Item = &'static Rule> {
    RULES
        .iter()
        .copied()
        .filter(move |rule| area(rule) == wanted)
}

/// The text with a capital letter at its start, unless that is a name.
fn capital(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    let is_name = first
        .chars()
        .any(|letter| letter.is_uppercase() || letter == '_')
        || first.starts_with("cu");
    let mut letters = text.chars();
    match letters.next() {
        Some(letter) if !is_name => letter.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
