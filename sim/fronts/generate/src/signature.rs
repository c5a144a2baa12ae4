//! One line of a generated table: `fn name(argument: type, …) -> answer = since, until;`.

use std::path::Path;

use crate::{Error, Major};

/// A C function as the bindings declare it.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) arguments: Vec<(String, String)>,
    pub(crate) answer: String,
    since: u32,
    until: Option<u32>,
}

/// Every declaration in the tables of `text`; the per-thread views behind them are left out.
pub(crate) fn all(text: &str, file: &Path) -> Result<Vec<Signature>, Error> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| line.starts_with("fn ") && line.contains(" = "));
    lines
        .map(|line| one(line).ok_or_else(|| Error::Line(file.to_path_buf(), line.to_owned())))
        .collect()
}

fn one(line: &str) -> Option<Signature> {
    let (head, versions) = line
        .strip_prefix("fn ")?
        .strip_suffix(';')?
        .rsplit_once(" = ")?;
    let (call, answer) = head.split_once(") -> ")?;
    let (name, arguments) = call.split_once('(')?;
    let arguments = arguments
        .split(", ")
        .filter(|argument| !argument.is_empty());
    let arguments = arguments
        .map(|argument| argument.split_once(": "))
        .map(|pair| pair.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    let mut versions = versions.split(", ").map(str::parse);
    Some(Signature {
        name: name.to_owned(),
        arguments: arguments.collect::<Option<_>>()?,
        answer: answer.to_owned(),
        since: versions.next()?.ok()?,
        until: versions.next().transpose().ok()?,
    })
}

impl Signature {
    /// Whether the library of `major` exports it.
    pub(crate) fn belongs_to(&self, major: Major) -> bool {
        self.since <= major.newest()
            && self
                .until
                .is_none_or(|until| until >= major.number() * 1000)
    }

    /// The name without the suffix of the per-thread default stream, and which mode the suffix asks for.
    pub(crate) fn plain(&self) -> (&str, &'static str) {
        let stripped = ["_ptds", "_ptsz"]
            .iter()
            .find_map(|suffix| self.name.strip_suffix(suffix));
        match stripped {
            Some(plain) => (plain, "Mode::PerThread"),
            None => (&self.name, "Mode::Legacy"),
        }
    }

    /// The names of the arguments, separated by commas.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self
            .arguments
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(", ")
    }
}
