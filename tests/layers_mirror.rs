//! The two safe layers are the same rooms in two houses: the same modules with the same public items, but
//! for what is listed here with its reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cuwhy_tests::workspace;

/// What only the driver's layer has; a context stands as the device that it is in the other.
const ONLY_DRIVER: [(&str, &str); 12] = [
    (
        "device DeviceFlags",
        "how a context of one's own is created",
    ),
    ("device AUTOMATIC", "one of those"),
    ("device BLOCKING", "one of those"),
    ("device SPIN", "one of those"),
    ("device YIELD", "one of those"),
    ("device Device::api_version", "contexts only"),
    ("device Device::create", "contexts only"),
    (
        "device Device::device",
        "a context has a device, and a device a context",
    ),
    (
        "device Device::from_raw",
        "contexts only: a device is a number",
    ),
    (
        "device Device::leave",
        "a thread always has a device, and not always a context",
    ),
    ("device Device::primary", "contexts only"),
    (
        "module Function::attribute",
        "the runtime's struct differs by major and by kernel kind",
    ),
];

/// What only the runtime's layer has.
const ONLY_RUNTIME: [(&str, &str); 7] = [
    ("copy from_symbol", "the driver API has no host shadows"),
    ("copy from_symbol_async", "the same"),
    ("copy to_symbol", "the same"),
    ("copy to_symbol_async", "the same"),
    ("pointer symbol_range", "the same"),
    (
        "device Device::properties",
        "one struct with everything, which the driver API does not have",
    ),
    (
        "version driver_version",
        "the driver is another library there",
    ),
];

#[test]
fn both_layers_have_the_same_rooms() {
    let Some(root) = workspace("") else {
        return;
    };
    let driver = items(&root.join("driver/src"), true);
    let runtime = items(&root.join("runtime/src"), false);
    assert!(driver.len() > 300, "items are found");
    let only = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(item, _)| (*item).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let difference = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
        a.difference(b).cloned().collect::<BTreeSet<_>>()
    };
    assert_eq!(difference(&driver, &runtime), only(&ONLY_DRIVER));
    assert_eq!(difference(&runtime, &driver), only(&ONLY_RUNTIME));
}

#[test]
fn every_public_item_that_calls_cuda_can_be_found_by_its_c_name() {
    let Some(root) = workspace("") else {
        return;
    };
    for layer in ["driver", "runtime"] {
        let mut undocumented = Vec::new();
        each_file(&root.join(layer).join("src"), &mut |_, text| {
            for block in text.split("\n\n") {
                let says = block.lines().any(|line| {
                    let line = line.trim_start();
                    line.starts_with("/// Driver API: `cu")
                        || line.starts_with("/// Runtime API: `cuda")
                });
                let one = block
                    .lines()
                    .filter(|line| line.trim_start().starts_with("pub "))
                    .count()
                    == 1;
                let is_fn = block.contains("pub fn ") || block.contains("pub unsafe fn ");
                if says && one && is_fn && !block.contains("doc(alias") {
                    undocumented.push(block.lines().last().unwrap_or_default().to_owned());
                }
            }
        });
        assert_eq!(undocumented, Vec::<String>::new(), "{layer}");
    }
}

/// The public items below a folder as `room item` or `room Type::function`.
fn items(source: &Path, driver: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_file(source, &mut |room, text| {
        let mut of = "";
        for line in text.lines() {
            if let Some(name) = implemented(line) {
                of = name;
            }
            let Some((kind, name)) = public(line) else {
                continue;
            };
            let item = if line.starts_with(' ') && kind == "fn" && !of.is_empty() {
                format!("{of}::{name}")
            } else {
                name.to_owned()
            };
            found.insert(if driver {
                as_in_runtime(room, &item)
            } else {
                format!("{room} {item}")
            });
        }
    });
    found
}

/// An item of the driver's layer as the runtime's would name it.
fn as_in_runtime(room: &str, item: &str) -> String {
    let room = if room == "context" { "device" } else { room };
    let item = if item == "context" { "device" } else { item };
    let item = item.replace("Context", "Device");
    match item.strip_suffix("::context") {
        Some(of) => format!("{room} {of}::device"),
        None => format!("{room} {item}"),
    }
}

/// Runs for every source file with the name of its room and its text without tests.
fn each_file(source: &Path, run: &mut dyn FnMut(&str, &str)) {
    fn walk(folder: &Path, room: Option<&str>, run: &mut dyn FnMut(&str, &str)) {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name")
                .to_owned();
            let room = room.unwrap_or_else(|| name.trim_end_matches(".rs"));
            if path.is_dir() {
                walk(&path, Some(room), run);
            } else {
                let text = fs::read_to_string(&path).expect("a source file");
                run(room, text.split("#[cfg(test)]").next().unwrap_or_default());
            }
        }
    }
    walk(source, None, run);
}

/// The type that an `impl` line is about.
fn implemented(line: &str) -> Option<&str> {
    let line = line.strip_prefix("unsafe ").unwrap_or(line);
    let rest = line.strip_prefix("impl")?;
    let rest = rest.rsplit(" for ").next()?.trim_start();
    let rest = if rest.starts_with('<') {
        &rest[closing(rest)? + 1..]
    } else {
        rest
    };
    let rest = rest.trim_start();
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Where the bracket ends that the text begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (index, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if depth == 1 => return Some(index),
            '>' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Kind and name of the public item that a line declares.
fn public(line: &str) -> Option<(&str, &str)> {
    let mut words = line
        .trim_start()
        .strip_prefix("pub ")?
        .split([' ', '(', '<', ':', ';', '{']);
    let mut word = words.next()?;
    while matches!(word, "const" | "unsafe") {
        let next = words.next()?;
        if next.chars().all(|c| c.is_uppercase() || c == '_') {
            return Some(("const", next));
        }
        word = next;
    }
    matches!(word, "fn" | "struct" | "enum" | "trait" | "type" | "mod")
        .then(|| Some((word, words.next()?)))?
}
