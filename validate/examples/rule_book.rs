//! Writes the rule book into `docs/rules`; with `--check` it only says whether that is needed.

use cuwhy_validate::book;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> io::Result<ExitCode> {
    let check = env::args().any(|argument| argument == "--check");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rules");
    let mut out = io::stdout().lock();
    let mut different = 0;
    for page in book::pages() {
        let path = folder.join(&page.file);
        if fs::read_to_string(&path).is_ok_and(|old| old == page.text) {
            continue;
        }
        different += 1;
        writeln!(out, "{}", path.display())?;
        if !check {
            fs::create_dir_all(&folder)?;
            fs::write(&path, page.text)?;
        }
    }
    let stale = check && different > 0;
    Ok(ExitCode::from(u8::from(stale)))
}
