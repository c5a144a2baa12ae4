//! Turns what criterion wrote on a GPU machine into the figures and tables of `docs/performance.md`.

mod data;
mod figure;
mod tables;
mod units;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::packages::root;
use data::{points, runs};
use figure::{FIGURES, best, draw, lines};
use tables::{all_points, written};

/// The part of the document that this chore writes stands between these lines.
const BEGIN: &str = "<!-- written by `cargo xtask plots`: begin -->";
const END: &str = "<!-- written by `cargo xtask plots`: end -->";

/// Reads criterion's data below `folder` and writes the figures and the document.
///
/// # Errors
///
/// When the data is of a simulated GPU and `docs` is not another folder than the workspace's own:
/// such times are the simulator's.
pub(crate) fn run(folder: &Path, docs: Option<PathBuf>) -> Result<()> {
    let points = points(folder)?;
    let runs = runs(folder)?;
    ensure!(
        !runs.is_empty(),
        "{} has no cuwhy/*.json: is it criterion's folder?",
        folder.display()
    );
    let simulated = runs.values().find(|run| run.machine.is_simulated());
    let docs = match (docs, simulated) {
        (Some(docs), _) => docs,
        (None, None) => root()?.join("docs"),
        (None, Some(run)) => bail!(
            "{} ran on a simulated GPU, and its times are the simulator's: name a folder with --docs",
            run.bench
        ),
    };
    let figures = docs.join("figures");
    fs::create_dir_all(&figures).with_context(|| format!("creating {}", figures.display()))?;
    let mut drawn = Vec::new();
    for figure in FIGURES {
        let Some(run) = runs.get(figure.bench) else {
            continue;
        };
        let lines = lines(figure, &points);
        if lines.values().all(|line| line.len() < 2) {
            continue;
        }
        let best = figure.best.then(|| best(&points)).flatten();
        let mut text = String::new();
        draw(figure, &lines, best, run, &mut text)
            .with_context(|| format!("drawing {}", figure.name))?;
        let path = figures.join(format!("{}.svg", figure.name));
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        drawn.push(figure);
    }
    let document = docs.join("performance.md");
    let old =
        fs::read_to_string(&document).with_context(|| format!("reading {}", document.display()))?;
    let new = replaced(&old, &written(&runs, &drawn, &points))?;
    fs::write(&document, new).with_context(|| format!("writing {}", document.display()))?;
    let every = docs.join("performance-points.md");
    fs::write(&every, all_points(&runs, &points))
        .with_context(|| format!("writing {}", every.display()))?;
    writeln!(
        io::stdout(),
        "{} points, {} figures, {}",
        points.len(),
        drawn.len(),
        document.display()
    )
    .context("writing to standard output")
}

/// `old` with what stands between the two marks replaced.
fn replaced(old: &str, new: &str) -> Result<String> {
    let (before, rest) = old
        .split_once(BEGIN)
        .context("the document has lost its first mark")?;
    let (_, after) = rest
        .split_once(END)
        .context("the document has lost its second mark")?;
    Ok(format!("{before}{BEGIN}\n{new}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_keeps_what_stands_around_the_marks() {
        let old = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        assert_eq!(
            replaced(&old, "new\n").unwrap(),
            format!("before\n{BEGIN}\nnew\n{END}\nafter\n")
        );
        assert!(replaced("no marks", "new").is_err());
    }
}
