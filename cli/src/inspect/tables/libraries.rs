//! Library files.

use cuwhy_device_state::{Library, Report};

use super::words::remarks;
use crate::table::{Align, Cell, Table, Tone};

/// Which library files there are, and which are used.
pub fn libraries(report: &Report) -> String {
    let mut text = String::new();
    for (heading, chosen) in [
        ("what a program gets that asks by name", true),
        ("also found", false),
    ] {
        let mut table = Table::new(&[
            ("", Align::Left),
            ("", Align::Left),
            ("", Align::Left),
            ("", Align::Left),
        ]);
        for library in report
            .libraries
            .iter()
            .filter(|library| library.chosen == chosen)
        {
            library_rows(library, &mut table);
        }
        if table.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!(
            "{}\n{}",
            Tone::Strong.paint(heading),
            table.render()
        ));
    }
    if text.is_empty() {
        text.push_str("no library of CUDA was found\n");
    }
    let mapped = &report.driver.libcuda_mapped;
    if mapped.len() > 1 {
        text.push_str(&format!(
            "\n{}: two files of libcuda are mapped at once: {}\n",
            Tone::Bad.paint("problem"),
            mapped.join(", ")
        ));
    }
    text.push_str(&remarks(report));
    text
}

fn library_rows(library: &Library, table: &mut Table) {
    let path = match (&library.loaded_from, &library.real_path) {
        (Some(seen), Some(real)) if seen == real => seen.clone(),
        (Some(seen), Some(real)) => {
            let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
            let shown = match real.rsplit_once('/') {
                Some((_, file)) if folder(seen) == folder(real) => file,
                _ => real,
            };
            format!("{seen} -> {shown}")
        }
        (Some(seen), None) => seen.clone(),
        _ => "not found".into(),
    };
    let found = library.loaded_from.is_some();
    table.row(vec![
        library.name.clone().into(),
        library.version.clone().unwrap_or_else(|| "-".into()).into(),
        if found {
            Cell::toned(
                library.origin.word(),
                if library.origin == cuwhy_device_state::Origin::Stub {
                    Tone::Bad
                } else {
                    Tone::Plain
                },
            )
        } else {
            Cell::toned("-", Tone::Faint)
        },
        path.into(),
    ]);
    let mut more = |words: String| {
        table.row(vec![
            "".into(),
            "".into(),
            "".into(),
            Cell::toned(words, Tone::Faint),
        ]);
    };
    if library.chosen {
        for attempt in &library.tried {
            more(format!(
                "tried {}: {}",
                attempt.candidate,
                attempt.result.replace('\n', " ")
            ));
        }
    }
    if let Some(source) = &library.version_source {
        more(format!("version read from: {source}"));
    }
    if let (Some(found), Some(wanted), Some(absent)) = (
        library.functions_found,
        library.functions_wanted,
        &library.functions_absent,
    ) {
        let mut words = format!("functions: {found} of {wanted}");
        if !absent.is_empty() {
            let names: Vec<String> = absent
                .iter()
                .take(4)
                .map(|function| match &function.since {
                    Some(since) => format!("{} ({since})", function.name),
                    None => function.name.clone(),
                })
                .collect();
            words.push_str(&format!("; absent: {}", names.join(", ")));
            if absent.len() > 4 {
                words.push_str(&format!(" and {} more (all in JSON)", absent.len() - 4));
            }
        }
        more(words);
    }
}
