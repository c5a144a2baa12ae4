//! `cargo xtask codegen`: the committed bindings, from the pinned headers of every version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io::Write as _};

use anyhow::{Context as _, Result, bail, ensure};
use cuwhy_codegen::emit;
use cuwhy_codegen::history::{History, Life, Share};
use cuwhy_codegen::typedefs::Typedefs;
use cuwhy_codegen::unit::{self, Api, Unit};

use crate::packages::{self, Toolkit};

const COMMAND: &str = "cargo xtask codegen";
const MAJORS: [u32; 3] = [11, 12, 13];

/// A file that is made: where it stands and what is in it.
struct Made {
    path: PathBuf,
    text: String,
}

/// Writes the bindings, or with `check` fails when a committed file differs.
pub(crate) fn run(check: bool) -> Result<()> {
    if needs_libclang() {
        return with_our_libclang(check);
    }
    let toolkits = packages::fetch_all()?;
    let mut made = make(&toolkits)?;
    made.push(nvml(&packages::fetch_nvml()?)?);
    settle(&made, check)
}

/// Writes what differs from the files that are there, or with `check` fails and names it.
fn settle(made: &[Made], check: bool) -> Result<()> {
    let mut differing = Vec::new();
    for file in made {
        if !put(&file.path, &file.text, check)? {
            differing.push(file.path.display().to_string());
        }
    }
    if check && !differing.is_empty() {
        bail!(
            "these files are not what `{COMMAND}` writes, run it and commit the result:\n  {}",
            differing.join("\n  ")
        );
    }
    Ok(())
}

/// Whether the system's loader has no libclang and nobody named one.
fn needs_libclang() -> bool {
    env::var_os("LIBCLANG_PATH").is_none() && !unit::libclang_is_there()
}

/// Starts this program again with `LIBCLANG_PATH` set, which bindgen reads when it loads libclang.
fn with_our_libclang(check: bool) -> Result<()> {
    let folder =
        packages::libclang().context("this machine has no libclang and none could be fetched")?;
    let mut again = Command::new(env::current_exe().context("finding this program")?);
    again.arg("codegen").env("LIBCLANG_PATH", folder);
    if check {
        again.arg("--check");
    }
    let status = again.status().context("starting this program again")?;
    ensure!(
        status.success(),
        "the run with the fetched libclang ended with {status}"
    );
    Ok(())
}

/// Writes `text` to `path`, or with `check` only says whether it is already there.
fn put(path: &Path, text: &str, check: bool) -> Result<bool> {
    let same = fs::read_to_string(path).is_ok_and(|old| old == text);
    if !same && !check {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(same)
}

fn make(toolkits: &[Toolkit]) -> Result<Vec<Made>> {
    let stand_ins = cuwhy_codegen::stand_ins();
    let mut driver = History::default();
    let mut runtime = History::default();
    let mut typedefs = Typedefs::default();
    for toolkit in toolkits {
        driver.add(
            toolkit.version,
            unit::read(Api::Driver, &toolkit.include, stand_ins)?,
        );
        runtime.add(
            toolkit.version,
            unit::read(Api::Runtime, &toolkit.include, stand_ins)?,
        );
        typedefs.add(&toolkit.include)?;
    }
    let (newest, unit) = driver.newest().context("packages.toml lists no toolkit")?;
    let driver = driver_share(unit, &driver, &typedefs);
    let (common, majors) = runtime.split(&MAJORS);

    let source = format!(
        "the CUDA headers of 11.7 to {}.{}",
        newest / 1000,
        newest % 1000 / 10
    );
    let folder = packages::root()?.join("cuda-sys/src/generated");
    let mut made = Vec::new();
    let mut add = |name: &str, text: String| -> Result<()> {
        let text = rustfmt(&format!("{}{text}", emit::header(COMMAND, &source)))?;
        made.push(Made {
            path: folder.join(name),
            text,
        });
        Ok(())
    };
    add("driver/types.rs", emit::types(&driver, None))?;
    add(
        "driver/table.rs",
        table("The functions of `libcuda.so.1`, by export name.", &driver),
    )?;
    let from_driver = Some(("crate::generated::driver::types", &driver));
    add("runtime/types.rs", emit::types(&common, from_driver))?;
    add(
        "runtime/table.rs",
        table(
            "The functions of `libcudart` that have one signature in CUDA 11, 12 and 13.",
            &common,
        ),
    )?;
    let mut layouts = emit::layouts("driver", "cuda_sys::driver", &driver);
    layouts.push_str(&emit::layouts("common", "cuda_sys::runtime", &common));
    for (major, share) in &majors {
        let text = format!(
            "use crate::generated::runtime::types::*;\n\n{}",
            emit::types(share, from_driver)
        );
        add(&format!("runtime_v{major}/types.rs"), text)?;
        let docs =
            format!("The functions of `libcudart` whose signature in CUDA {major} is its own.");
        add(&format!("runtime_v{major}/table.rs"), table(&docs, share))?;
        let module = format!("cuda_sys::runtime::v{major}");
        layouts.push_str(&emit::layouts(&format!("v{major}"), &module, share));
    }
    let text = rustfmt(&format!("{}{layouts}", emit::header(COMMAND, &source)))?;
    made.push(Made {
        path: packages::root()?.join("tests/generated/layouts.rs"),
        text,
    });
    Ok(made)
}

/// Since when each function of NVML exists.
fn nvml(packages: &[Toolkit]) -> Result<Made> {
    let mut headers = cuwhy_codegen::nvml::Headers::default();
    for package in packages {
        headers.add(package.version, &package.include)?;
    }
    let (oldest, newest) = headers.range().context("packages.toml lists no nvml")?;
    let version = |number: u32| format!("{}.{}", number / 1000, number % 1000 / 10);
    let source = format!(
        "the NVML headers of CUDA {} to {}",
        version(oldest),
        version(newest)
    );
    let text = cuwhy_codegen::nvml::emit(&headers);
    Ok(Made {
        path: packages::root()?.join("device-state/src/nvml/generated/functions.rs"),
        text: rustfmt(&format!("{}{text}", emit::header(COMMAND, &source)))?,
    })
}

/// The table with the types that its lines mention in scope.
fn table(docs: &str, share: &Share) -> String {
    format!(
        "use super::prelude::*;\n\n{}",
        emit::table(docs, &share.functions)
    )
}

/// The newest unit of the driver, whose header declares every export name that the library carries.
fn driver_share(unit: &Unit, history: &History, typedefs: &Typedefs) -> Share {
    let named = typedefs.introduced(unit.functions.keys().map(String::as_str));
    let functions = unit.functions.iter().map(|(name, function)| {
        let seen = history.life(name, None);
        let since = named
            .get(name)
            .copied()
            .or(seen.map(|life| life.since))
            .unwrap_or_default();
        (
            name.clone(),
            (function.clone(), Life { since, until: None }),
        )
    });
    Share {
        order: unit.order.clone(),
        definitions: unit.definitions.clone(),
        functions: functions.collect(),
    }
}

/// The text as rustfmt leaves it.
fn rustfmt(text: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "style_edition=2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting rustfmt: is the component installed?")?;
    let mut input = child.stdin.take().context("rustfmt has no input")?;
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let answer = child.wait_with_output().context("waiting for rustfmt")?;
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("writing to rustfmt failed"))??;
    ensure!(
        answer.status.success(),
        "rustfmt ended with {}",
        answer.status
    );
    String::from_utf8(answer.stdout).context("rustfmt wrote something that is not text")
}

#[cfg(test)]
mod tests {
    use super::{Made, put, settle};
    use std::fs;
    use std::path::Path;

    const TEXT: &str = "// @generated\nfn cuInit(flags: c_uint) -> CUresult = 2000;\n";

    fn made(folder: &Path) -> Vec<Made> {
        let files = ["driver/table.rs", "runtime/table.rs"];
        let files = files.map(|name| Made {
            path: folder.join(name),
            text: TEXT.to_owned(),
        });
        files.into()
    }

    #[test]
    fn what_was_written_is_found_to_be_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let made = made(folder.path());
        settle(&made, false).unwrap();
        assert_eq!(fs::read_to_string(&made[1].path).unwrap(), TEXT);
        settle(&made, true).unwrap();
    }

    #[test]
    fn a_truncated_file_is_noticed_and_named_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let made = made(folder.path());
        settle(&made, false).unwrap();
        for length in [0, 1, TEXT.len() / 2, TEXT.len() - 1] {
            fs::write(&made[0].path, &TEXT[..length]).unwrap();
            let error = settle(&made, true).unwrap_err().to_string();
            assert!(error.contains("driver/table.rs"), "{error}");
            assert!(!error.contains("runtime/table.rs"), "{error}");
            assert!(error.contains("run it and commit the result"), "{error}");
            let left = fs::read_to_string(&made[0].path).unwrap();
            assert_eq!(left, TEXT[..length]);
        }
    }

    #[test]
    fn a_file_with_more_or_with_other_bytes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.rs");
        for bytes in [&b"// @generated\n// by hand\n"[..], b"\xff\xfe"] {
            fs::write(&path, bytes).unwrap();
            assert!(!put(&path, "// @generated\n", true).unwrap());
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn checking_writes_nothing_where_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let made = made(folder.path());
        let error = settle(&made, true).unwrap_err().to_string();
        assert!(error.contains("driver/table.rs"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_the_same_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let made = made(folder.path());
        settle(&made, false).unwrap();
        let when = || fs::metadata(&made[0].path).unwrap().modified().unwrap();
        let before = when();
        settle(&made, false).unwrap();
        assert_eq!(when(), before);
    }
}
