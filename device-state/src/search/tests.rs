//! What a search finds, in folders made for it.

use super::*;
use crate::library::Origin;

fn machine(files: &[&str], environment: &[(&str, &str)]) -> (tempfile::TempDir, Surroundings) {
    let root = tempfile::tempdir().unwrap();
    for name in files {
        let path = root.path().join(name.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "not a library").unwrap();
    }
    let surroundings = Surroundings {
        root: root.path().canonicalize().unwrap(),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    (root, surroundings)
}

fn found(machine: &Surroundings) -> Vec<(String, String, Option<String>, Origin)> {
    machine
        .search(Depth::Everything, &|_, _| Vec::new())
        .into_iter()
        .map(|library| {
            (
                library.name,
                library.loaded_from.unwrap(),
                library.version,
                library.origin,
            )
        })
        .collect()
}

#[test]
fn file_names_belong_to_their_library_and_to_no_other() {
    let of = |name: &str| library_of(name).map(|place| WANTED[place].0);
    assert_eq!(of("libcuda.so"), Some("libcuda"));
    assert_eq!(of("libcuda.so.580.159.04"), Some("libcuda"));
    assert_eq!(of("libcudart.so.12"), Some("libcudart"));
    assert_eq!(of("libcudart-d0da41ae.so.11.0"), Some("libcudart"));
    assert_eq!(of("libnvidia-ml.so.1"), Some("libnvidia-ml"));
    for foreign in [
        "libcudadebugger.so.1",
        "libcudart_static.a",
        "libcudart.so.12.py",
        "libnvidia-ml-dev",
    ] {
        assert_eq!(of(foreign), None, "{foreign}");
    }
}

#[test]
fn the_place_tells_the_origin_and_the_name_the_version() {
    let (_root, machine) = machine(
        &[
            "/usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04",
            "/usr/local/cuda-12.8/lib64/libcudart.so.12.8.90",
            "/usr/local/cuda-12.8/compat/libcuda.so.570.1.2",
            "/usr/local/cuda-12.8/lib64/stubs/libcuda.so",
            "/usr/lib/wsl/lib/libnvidia-ml.so.1",
            "/env/lib/python3.11/site-packages/nvidia/cuda_runtime/lib/libcudart.so.12",
            "/env/lib/python3.11/site-packages/nvidia_cuda_runtime_cu12-12.9.79.dist-info/RECORD",
            "/env/lib/python3.11/site-packages/nvidia/cu13/lib/libcudart.so.13",
            "/env/lib/python3.11/site-packages/nvidia_cuda_runtime-13.0.96.dist-info/RECORD",
        ],
        &[("PATH", "/env/bin:/usr/bin")],
    );
    let expected = [
        (
            "libcuda",
            "/usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04",
            Some("580.159.04"),
            Origin::Driver,
        ),
        (
            "libnvidia-ml",
            "/usr/lib/wsl/lib/libnvidia-ml.so.1",
            None,
            Origin::Wsl,
        ),
        (
            "libcudart",
            "/usr/local/cuda-12.8/lib64/libcudart.so.12.8.90",
            Some("12.8.90"),
            Origin::Toolkit,
        ),
        (
            "libcuda",
            "/usr/local/cuda-12.8/lib64/stubs/libcuda.so",
            None,
            Origin::Stub,
        ),
        (
            "libcuda",
            "/usr/local/cuda-12.8/compat/libcuda.so.570.1.2",
            Some("570.1.2"),
            Origin::Compat,
        ),
        (
            "libcudart",
            "/env/lib/python3.11/site-packages/nvidia/cu13/lib/libcudart.so.13",
            Some("13.0.96"),
            Origin::Wheel,
        ),
        (
            "libcudart",
            "/env/lib/python3.11/site-packages/nvidia/cuda_runtime/lib/libcudart.so.12",
            Some("12.9.79"),
            Origin::Wheel,
        ),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(name, path, version, origin)| {
            (
                name.to_owned(),
                path.to_owned(),
                version.map(str::to_owned),
                origin,
            )
        })
        .collect();
    assert_eq!(found(&machine), expected);
}

#[test]
fn a_stub_folder_in_the_search_path_comes_first() {
    let (_root, machine) = machine(
        &["/toolkit/lib64/stubs/libcuda.so", "/usr/lib64/libcuda.so.1"],
        &[("LD_LIBRARY_PATH", "/toolkit/lib64/stubs")],
    );
    let found = found(&machine);
    assert_eq!(found[0].3, Origin::Stub);
    assert_eq!(found[1].3, Origin::Driver);
}

#[test]
fn a_real_library_tells_its_name_and_exports() {
    let object = elf::read(
        Path::new("/lib/x86_64-linux-gnu/libc.so.6"),
        Exports::Wanted,
    )
    .unwrap();
    assert_eq!(object.soname.as_deref(), Some("libc.so.6"));
    assert!(object.exports.unwrap().contains("malloc"));
}

#[test]
fn the_loaders_cache_of_this_machine_can_be_read() {
    if let Ok(bytes) = fs::read("/etc/ld.so.cache") {
        // Whatever is there, reading must not fail; most machines have no CUDA.
        assert!(
            cached_paths(&bytes)
                .iter()
                .all(|path| path.starts_with('/'))
        );
    }
    assert!(cached_paths(b"glibc-ld.so.cache1.1\xff\xff\xff\xff").is_empty());
    assert!(cached_paths(b"").is_empty());
}
