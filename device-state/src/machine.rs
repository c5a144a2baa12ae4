//! The machine around the devices: kernel module, device nodes, signs of a sandbox.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::absent::{Absent, Reason};
use crate::report::{Host, Mark, Node, NodePurpose, Sandbox};

/// Variables that change what CUDA or the search for its libraries does.
pub const VARIABLES: &[&str] = &[
    "CONDA_PREFIX",
    "CUDA_CACHE_DISABLE",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUDA_DEVICE_ORDER",
    "CUDA_DISABLE_PTX_JIT",
    "CUDA_FORCE_PTX_JIT",
    "CUDA_HOME",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MANAGED_FORCE_DEVICE_ALLOC",
    "CUDA_MODULE_LOADING",
    "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
    "CUDA_MPS_PIPE_DIRECTORY",
    "CUDA_PATH",
    "CUDA_VISIBLE_DEVICES",
    "CUWHY_LIBCUDA",
    "CUWHY_LIBCUDART",
    "CUWHY_LIBNVML",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_VISIBLE_DEVICES",
    "VIRTUAL_ENV",
];

/// A view of the file system and the environment. The root is `/` except in tests.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The folder that stands for `/`.
    pub root: PathBuf,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

impl Surroundings {
    /// This process on this machine.
    pub fn here() -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
            .collect();
        Self {
            root: PathBuf::from("/"),
            environment,
        }
    }

    /// Turns a path of the machine into one that can be opened.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// The inverse of [`Surroundings::path`].
    pub fn name(&self, path: &Path) -> String {
        match path.strip_prefix(&self.root) {
            Ok(rest) => format!("/{}", rest.display()),
            Err(_) => path.display().to_string(),
        }
    }

    /// A variable, if it is set.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    fn read(&self, absolute: &str) -> io::Result<String> {
        fs::read(self.path(absolute)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Looks at everything around the devices.
    pub fn look(&self) -> Host {
        let mut absent = Absent::default();
        let kernel_release = absent.keep(
            "kernel_release",
            self.read("/proc/sys/kernel/osrelease")
                .map(|text| text.trim().to_owned())
                .map_err(|error| reason(&error)),
        );
        let memory = self.read("/proc/meminfo").map_err(|error| reason(&error));
        let memory_total_bytes = absent.keep("memory_total_bytes", amount(&memory, "MemTotal:"));
        let memory_available_bytes =
            absent.keep("memory_available_bytes", amount(&memory, "MemAvailable:"));
        let (module_version, module_file) = match self.module() {
            Ok((version, file)) => (Some(version), Some(file)),
            Err(reason) => {
                absent.set("module_version", reason.clone());
                absent.set("module_file", reason);
                (None, None)
            }
        };
        let environment = VARIABLES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.variable(name)?.to_owned())))
            .collect();
        Host {
            kernel_release,
            memory_total_bytes,
            memory_available_bytes,
            module_version,
            module_file,
            nodes: self.nodes(),
            sandbox: self.sandbox(),
            environment,
            absent,
        }
    }

    fn module(&self) -> Result<(String, String), Reason> {
        let mut why = Reason::NotApplicable;
        for file in ["/sys/module/nvidia/version", "/proc/driver/nvidia/version"] {
            match self.read(file) {
                Ok(text) => match version_in(&text) {
                    Some(version) => return Ok((version, file.to_owned())),
                    None => why = Reason::Failed("no version in the file".into()),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => why = reason(&error),
            }
        }
        Err(why)
    }

    fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let Ok(entries) = fs::read_dir(self.path("/dev")) else {
            return nodes;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let purpose = match name {
                "nvidiactl" => NodePurpose::Control,
                "nvidia-uvm" => NodePurpose::UnifiedMemory,
                "dxg" => NodePurpose::Wsl,
                name => match name.strip_prefix("nvidia") {
                    Some(digits)
                        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
                    {
                        NodePurpose::Device
                    }
                    _ => continue,
                },
            };
            let opened = fs::File::options()
                .read(true)
                .write(true)
                .open(entry.path());
            nodes.push(Node {
                path: format!("/dev/{name}"),
                purpose,
                usable: opened.is_ok(),
                error: opened.err().map(|error| error.to_string()),
            });
        }
        nodes.sort_by(|a, b| (a.path.len(), &a.path).cmp(&(b.path.len(), &b.path)));
        nodes
    }

    fn sandbox(&self) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut mark = |kind, evidence: String| marks.push(Mark { kind, evidence });
        let release = self.read("/proc/sys/kernel/osrelease").unwrap_or_default();
        let version = self.read("/proc/version").unwrap_or_default();
        if release.to_ascii_lowercase().contains("microsoft") {
            mark(
                Sandbox::Wsl,
                format!("the kernel release is {}", release.trim()),
            );
        } else if self.path("/dev/dxg").exists() {
            mark(Sandbox::Wsl, "/dev/dxg exists".into());
        }
        // gVisor writes its own boot messages, and calls its kernel 4.4.0 whatever runs below.
        let gvisor = ["/proc/sys/kernel/gvisor", "/proc/gvisor"]
            .iter()
            .find(|file| self.path(file).exists());
        if let Some(file) = gvisor {
            mark(Sandbox::Gvisor, format!("{file} exists"));
        } else if version.to_ascii_lowercase().contains("gvisor")
            || release.trim() == "4.4.0" && version.contains("#1 SMP Sun Jan 10 15:06:54 PST 2016")
        {
            mark(
                Sandbox::Gvisor,
                format!("the kernel calls itself {}", version.trim()),
            );
        }
        for file in ["/.dockerenv", "/run/.containerenv"] {
            if self.path(file).exists() {
                mark(Sandbox::Container, format!("{file} exists"));
                return marks;
            }
        }
        let groups = self.read("/proc/1/cgroup").unwrap_or_default();
        if let Some(word) = ["docker", "kubepods", "containerd", "libpod", "lxc"]
            .iter()
            .find(|word| groups.contains(**word))
        {
            mark(Sandbox::Container, format!("/proc/1/cgroup names {word}"));
        } else if let Some(kind) = self.variable("container") {
            mark(
                Sandbox::Container,
                format!("the variable container is {kind}"),
            );
        } else if self.variable("KUBERNETES_SERVICE_HOST").is_some() {
            mark(
                Sandbox::Container,
                "the variable KUBERNETES_SERVICE_HOST is set".into(),
            );
        }
        marks
    }
}

fn text(value: OsString) -> Option<String> {
    value.into_string().ok()
}

fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::NotFound => Reason::NotApplicable,
        io::ErrorKind::PermissionDenied => Reason::Denied,
        _ => Reason::Failed(error.to_string()),
    }
}

fn amount(text: &Result<String, Reason>, key: &str) -> Result<u64, Reason> {
    let text = text.as_ref().map_err(Clone::clone)?;
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|digits| digits.trim().parse::<u64>().ok())
        .map(|kibibytes| kibibytes * 1024)
        .ok_or(Reason::Unsupported)
}

/// Finds the first word that looks like a driver's version: digits and dots, at least one dot.
fn version_in(text: &str) -> Option<String> {
    text.split_whitespace()
        .find(|word| {
            word.contains('.')
                && word.starts_with(|c: char| c.is_ascii_digit())
                && word.chars().all(|c| c.is_ascii_digit() || c == '.')
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Surroundings) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let surroundings = Surroundings {
            root: root.path().to_owned(),
            environment: BTreeMap::new(),
        };
        (root, surroundings)
    }

    #[test]
    fn the_module_tells_its_version_in_either_file() {
        let line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build\nGCC version:  gcc version 12.2.0\n";
        for (file, text) in [
            ("/proc/driver/nvidia/version", line),
            ("/sys/module/nvidia/version", "580.159.04\n"),
        ] {
            let (_root, machine) = machine(&[(file, text)]);
            let host = machine.look();
            assert_eq!(host.module_version.as_deref(), Some("580.159.04"));
            assert_eq!(host.module_file.as_deref(), Some(file));
        }
    }

    #[test]
    fn nodes_are_found_and_foreign_files_are_not() {
        let (_root, machine) = machine(&[
            ("/dev/nvidia0", ""),
            ("/dev/nvidia10", ""),
            ("/dev/nvidia2", ""),
            ("/dev/nvidiactl", ""),
            ("/dev/nvidia-uvm", ""),
            ("/dev/nvidia-uvm-tools", ""),
            ("/dev/nvidia-modeset", ""),
            ("/dev/nvram", ""),
        ]);
        let nodes = machine.look().nodes;
        let paths: Vec<&str> = nodes.iter().map(|node| node.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "/dev/nvidia0",
                "/dev/nvidia2",
                "/dev/nvidia10",
                "/dev/nvidiactl",
                "/dev/nvidia-uvm"
            ]
        );
        assert!(nodes.iter().all(|node| node.usable));
    }

    #[test]
    fn sandboxes_are_recognised_with_evidence() {
        let kinds = |files: &[(&str, &str)]| -> Vec<Sandbox> {
            let (_root, machine) = machine(files);
            let marks = machine.look().sandbox;
            assert!(marks.iter().all(|mark| !mark.evidence.is_empty()));
            marks.iter().map(|mark| mark.kind).collect()
        };
        assert_eq!(kinds(&[]), []);
        assert_eq!(kinds(&[("/.dockerenv", "")]), [Sandbox::Container]);
        assert_eq!(
            kinds(&[("/proc/1/cgroup", "0::/kubepods/burstable/pod1\n")]),
            [Sandbox::Container]
        );
        assert_eq!(
            kinds(&[(
                "/proc/sys/kernel/osrelease",
                "5.15.90.1-microsoft-standard-WSL2\n"
            )]),
            [Sandbox::Wsl]
        );
        assert_eq!(
            kinds(&[
                ("/proc/sys/kernel/osrelease", "4.4.0\n"),
                (
                    "/proc/version",
                    "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n"
                ),
                ("/.dockerenv", "")
            ]),
            [Sandbox::Gvisor, Sandbox::Container]
        );
    }

    #[test]
    fn nothing_there_is_a_reason() {
        let (_root, machine) = machine(&[]);
        let host = machine.look();
        assert_eq!(host.module_version, None);
        assert_eq!(
            host.absent.why("module_version"),
            Some(&Reason::NotApplicable)
        );
        assert_eq!(
            host.absent.why("memory_total_bytes"),
            Some(&Reason::NotApplicable)
        );
    }

    #[test]
    fn memory_is_in_bytes() {
        let (_root, machine) = machine(&[(
            "/proc/meminfo",
            "MemTotal:  1024 kB\nMemFree: 5 kB\nMemAvailable: 512 kB\n",
        )]);
        let host = machine.look();
        assert_eq!(host.memory_total_bytes, Some(1024 * 1024));
        assert_eq!(host.memory_available_bytes, Some(512 * 1024));
    }
}
