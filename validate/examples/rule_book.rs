//! Writes the rule book into `docs/rules` and the schema of a finding into `docs/schema`; with
//! `--check` it only says whether that is needed.

use cuwhy_validate::{book, finding};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> io::Result<ExitCode> {
    let check = env::args().any(|argument| argument == "--check");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut files: Vec<_> = book::pages()
        .into_iter()
        .map(|page| (docs.join("rules").join(page.file), page.text))
        .collect();
    files.push((docs.join("schema/finding-1.json"), finding::SCHEMA.into()));
    let mut out = io::stdout().lock();
    let mut different = 0;
    for (path, text) in files {
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        different += 1;
        writeln!(out, "{}", path.display())?;
        if !check {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, text)?;
        }
    }
    let stale = check && different > 0;
    Ok(ExitCode::from(u8::from(stale)))
}
