use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::search::{CORE, NVML, RUNTIME_11, RUNTIME_12, RUNTIME_13};
use crate::{Error, Libraries};

/// Which runtime the name `libcudart.so` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unversioned {
    /// CUDA 11.
    V11,
    /// CUDA 12.
    V12,
    /// CUDA 13.
    #[default]
    V13,
}

impl Unversioned {
    fn file(self) -> &'static str {
        match self {
            Self::V11 => RUNTIME_11,
            Self::V12 => RUNTIME_12,
            Self::V13 => RUNTIME_13,
        }
    }

    fn number(self) -> &'static str {
        match self {
            Self::V11 => "11",
            Self::V12 => "12",
            Self::V13 => "13",
        }
    }
}

/// A folder that has the simulator's libraries under their real names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Libraries {
    /// Makes the folder, or brings it up to date, and answers where it is.
    ///
    /// It lies beside the libraries where that can be written, else in the
    /// user's cache, else in a folder of the user's own below the temporary
    /// one. It stays: a program that was started with it may outlive this one.
    ///
    /// # Errors
    ///
    /// [`Error::Folder`] when it can be made nowhere.
    pub fn folder(&self, unversioned: Unversioned) -> Result<Folder, Error> {
        let mut failure = None;
        for path in self.choices(unversioned) {
            match self.assemble(&path, unversioned) {
                Ok(folder) => return Ok(folder),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| Error::Folder {
            path: PathBuf::new(),
            source: io::ErrorKind::NotFound.into(),
        }))
    }

    /// Makes such a folder at this path.
    ///
    /// # Errors
    ///
    /// [`Error::Folder`] when it cannot be made there, or belongs to somebody else.
    pub fn assemble(&self, path: &Path, unversioned: Unversioned) -> Result<Folder, Error> {
        let folder = Folder {
            path: path.to_path_buf(),
        };
        let made = own_folder(path).and_then(|()| {
            let links = [
                ("libcuda.so.1", CORE),
                ("libcuda.so", CORE),
                ("libcudart.so.11.0", RUNTIME_11),
                ("libcudart.so.12", RUNTIME_12),
                ("libcudart.so.13", RUNTIME_13),
                ("libcudart.so", unversioned.file()),
                ("libnvidia-ml.so.1", NVML),
                ("libnvidia-ml.so", NVML),
            ];
            links
                .into_iter()
                .try_for_each(|(name, file)| link(&self.file(file), &path.join(name)))
        });
        made.map(|()| folder).map_err(|source| Error::Folder {
            path: path.to_path_buf(),
            source,
        })
    }

    fn choices(&self, unversioned: Unversioned) -> Vec<PathBuf> {
        let name = format!("cuwhy-sim-{}", unversioned.number());
        // Two installations of one user must not share a folder.
        let own_name = format!("{name}-{:016x}", hash(self.place().as_os_str()));
        let mut choices = vec![self.place().join(&name)];
        let cache = env::var_os("XDG_CACHE_HOME")
            .filter(|path| Path::new(path).is_absolute())
            .map(PathBuf::from);
        let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        choices.extend(
            cache
                .or_else(home)
                .map(|cache| cache.join("cuwhy").join(&own_name)),
        );
        // SAFETY: `geteuid` has no preconditions.
        let user = unsafe { libc::geteuid() };
        choices.push(
            env::temp_dir()
                .join(format!("cuwhy-{user}"))
                .join(&own_name),
        );
        choices
    }
}

/// Makes a folder that nobody else can write to, or makes sure that the one there is such.
fn own_folder(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent().filter(|above| !above.exists()) {
        own_folder(above)?;
    }
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(path)?;
    // SAFETY: `geteuid` has no preconditions.
    let user = unsafe { libc::geteuid() };
    if !found.is_dir() || found.uid() != user || found.permissions().mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is not this user's own",
        ));
    }
    Ok(())
}

/// Puts a link in place in one step, so that whoever looks meanwhile sees the old or the new one.
fn link(file: &Path, name: &Path) -> io::Result<()> {
    if fs::read_link(name).is_ok_and(|target| target == file) {
        return Ok(());
    }
    let mut aside = name.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(file, &aside)?;
    fs::rename(&aside, name)
}

/// FNV-1a: the same in every build, which the standard library's hasher does not promise.
fn hash(text: &OsStr) -> u64 {
    text.as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

impl Folder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of `LD_LIBRARY_PATH` that puts this folder first.
    #[must_use]
    pub fn library_path(&self) -> OsString {
        let mut path = self.path.clone().into_os_string();
        if let Some(rest) = env::var_os("LD_LIBRARY_PATH").filter(|rest| !rest.is_empty()) {
            path.push(":");
            path.push(rest);
        }
        path
    }

    /// What a program needs in its environment to run on the simulator.
    ///
    /// Besides the library path these are this project's own variables, so that
    /// a program of ours takes all three libraries from here too.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let file = |name: &str| self.path.join(name).into_os_string();
        vec![
            ("LD_LIBRARY_PATH", self.library_path()),
            ("CUWHY_LIBCUDA", file("libcuda.so.1")),
            ("CUWHY_LIBCUDART", file("libcudart.so")),
            ("CUWHY_LIBNVML", file("libnvidia-ml.so.1")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Unversioned, hash};
    use crate::Libraries;
    use crate::search::RUNTIME_12;

    #[test]
    fn links_are_put_in_place_and_replaced() {
        let libraries = Libraries::find().expect("cargo has built them");
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("a/b");
        for unversioned in [Unversioned::V13, Unversioned::V12, Unversioned::V12] {
            libraries.assemble(&place, unversioned).unwrap();
        }
        let meant = fs::canonicalize(place.join("libcudart.so")).unwrap();
        assert_eq!(meant, fs::canonicalize(libraries.file(RUNTIME_12)).unwrap());
        assert_eq!(fs::read_dir(&place).unwrap().count(), 8);
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let libraries = Libraries::find().expect("cargo has built them");
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("open");
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
        libraries.assemble(&place, Unversioned::V13).unwrap_err();
    }

    #[test]
    fn the_hash_is_the_same_in_every_build() {
        assert_eq!(hash("".as_ref()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a".as_ref()), 0xaf63_dc4c_8601_ec8c);
    }
}
