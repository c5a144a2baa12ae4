//! The simulator as the device of a test.

use std::env;

use cuwhy_sim_libraries::{Libraries, Unversioned};

use crate::child::Child;
use crate::gpu::{Wanted, wanted};
use crate::place::{House, house};

impl Child {
    /// Gives the part a device: the machine's own where `CUWHY_TEST_GPU` is `require`, otherwise a
    /// simulated one with these settings of `CUWHY_SIM` and the runtime of this major.
    ///
    /// `None` where the machine's CUDA is wanted and the part asks for something else: settings, or a
    /// runtime that `CUWHY_LIBCUDART` does not name.
    ///
    /// # Panics
    ///
    /// As [`Child::simulated`].
    #[must_use]
    pub fn on_device(self, major: u32, settings: &str) -> Option<Self> {
        if wanted() != Wanted::Require {
            return Some(self.simulated(major, settings));
        }
        (settings.is_empty() && major == machines_major()).then_some(self)
    }

    /// Lets the part run on simulated devices: it finds all three libraries of the simulator and none
    /// of the machine's.
    ///
    /// # Panics
    ///
    /// When the simulator's libraries are not where cargo or the archive puts them.
    #[must_use]
    pub fn simulated(self, major: u32, settings: &str) -> Self {
        let found = match house() {
            House::Workspace(_) => Libraries::find(),
            House::Archive(root) => Libraries::find_around(&root.join("bin/cuwhy")),
        };
        let unversioned = match major {
            11 => Unversioned::V11,
            12 => Unversioned::V12,
            _ => Unversioned::V13,
        };
        let folder = found.and_then(|libraries| libraries.folder(unversioned));
        let folder = folder.unwrap_or_else(|error| panic!("no simulator: {error}"));
        let mut child = self.without("CUDA_VISIBLE_DEVICES");
        for (name, value) in folder.environment() {
            child = child.env(name, value);
        }
        child.env("CUWHY_SIM", format!("quiet,{settings}"))
    }
}

/// The major of the runtime that `CUWHY_LIBCUDART` names; the newest where it names none.
fn machines_major() -> u32 {
    let named = env::var("CUWHY_LIBCUDART").unwrap_or_default();
    let version = named.rsplit_once(".so.").map_or("", |(_, version)| version);
    let major = version.split('.').next().unwrap_or_default();
    major.parse().unwrap_or(13)
}
