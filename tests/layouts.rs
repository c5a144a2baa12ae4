//! A second opinion on every layout: sizes, alignments and offsets of our types against what a C
//! compiler says of the same headers.
//!
//! The types are those of `generated/layouts.rs`; the headers are those of the pinned toolkits.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use cuda_sys::Version;
use cuwhy_tests::{Toolkit, compiler, refused_lines, run_c, toolkit, toolkits};

/// A type of ours.
struct Layout {
    name: &'static str,
    size: usize,
    align: usize,
    fields: Vec<Field>,
}

/// A field of ours, possibly inside another: `res.pitch2D.width`.
struct Field {
    path: String,
    offset: usize,
    size: usize,
}

/// The size of what a pointer made by `place` would point to.
fn size_behind<T, F>(_place: fn(*const T) -> *const F) -> usize {
    size_of::<F>()
}

/// A field by its path in Rust, under its path in C: members without a name have none there.
fn field(path: &[&str], offset: usize, size: usize) -> Field {
    let named = path.iter().filter(|name| !name.starts_with("__bindgen"));
    let in_c: Vec<&str> = named
        .map(|name| match *name {
            "type_" => "type",
            "fn_" => "fn",
            name => name,
        })
        .collect();
    Field {
        path: in_c.join("."),
        offset,
        size,
    }
}

macro_rules! layouts {
    (
        $group:ident $($module:ident)::+
        $($kind:ident { $($($field:ident).+)* })*
    ) => {
        fn $group() -> Vec<Layout> {
            use $($module)::+ as module;
            vec![$(Layout {
                name: stringify!($kind),
                size: size_of::<module::$kind>(),
                align: align_of::<module::$kind>(),
                fields: vec![$(field(
                    &[$(stringify!($field)),+],
                    core::mem::offset_of!(module::$kind, $($field).+),
                    size_behind(|place: *const module::$kind| {
                        // SAFETY: never called: only the type of its result is looked at.
                        unsafe { &raw const (*place).$($field).+ }
                    }),
                )),*],
            }),*]
        }
    };
}

/// Every type of the generated bindings, by the fields that C knows by name.
mod generated {
    use super::{Layout, field, size_behind};

    include!("generated/layouts.rs");

    pub(crate) fn all() -> [(&'static str, Vec<Layout>); 5] {
        [
            ("driver", driver()),
            ("common", common()),
            ("v11", v11()),
            ("v12", v12()),
            ("v13", v13()),
        ]
    }
}

/// What stands inside unions and members without a name, for the types of copies and queries.
mod inside {
    use super::{Layout, field, size_behind};

    layouts! {
        driver cuda_sys::driver
        CUmemLocation_st {
            __bindgen_anon_1.id
            __bindgen_anon_1.localized.deviceId
            __bindgen_anon_1.localized.localityDomainId
        }
        CUmemAccessDesc_st { location.type_ location.__bindgen_anon_1.id }
        CUmemAllocationProp_st {
            location.__bindgen_anon_1.id
            allocFlags.compressionType
            allocFlags.gpuDirectRDMACapable
            allocFlags.usage
            allocFlags.reserved
        }
        CUmemPoolProps_st { location.type_ location.__bindgen_anon_1.id }
        CUmemcpyAttributes_st { srcLocHint.type_ dstLocHint.__bindgen_anon_1.id }
        CUmemcpy3DOperand_st {
            op.ptr.ptr op.ptr.rowLength op.ptr.layerHeight op.ptr.locHint
            op.array.array op.array.offset
        }
        CUDA_MEMCPY3D_BATCH_OP_st { src.op.ptr.locHint dst.type_ dst.op.array.offset.z extent.depth }
        CUDA_RESOURCE_DESC_st {
            res.array.hArray
            res.mipmap.hMipmappedArray
            res.linear.devPtr res.linear.format res.linear.numChannels res.linear.sizeInBytes
            res.pitch2D.devPtr res.pitch2D.format res.pitch2D.numChannels
            res.pitch2D.width res.pitch2D.height res.pitch2D.pitchInBytes
            res.reserved.reserved
        }
        CUDA_MEMCPY_NODE_PARAMS_st { copyParams.srcPitch copyParams.Depth }
    }

    layouts! {
        common cuda_sys::runtime
        cudaMemcpy3DParms {
            srcPos.z srcPtr.ptr srcPtr.pitch srcPtr.xsize srcPtr.ysize
            dstPos.z dstPtr.ptr dstPtr.pitch dstPtr.xsize dstPtr.ysize
            extent.width extent.height extent.depth
        }
        cudaMemcpy3DPeerParms { srcPtr.pitch dstPtr.pitch extent.depth }
        cudaArraySparseProperties { tileExtent.width tileExtent.height tileExtent.depth }
    }

    layouts! {
        v11 cuda_sys::runtime::v11
        cudaResourceDesc {
            res.array.array
            res.mipmap.mipmap
            res.linear.devPtr res.linear.desc res.linear.sizeInBytes
            res.pitch2D.devPtr res.pitch2D.desc
            res.pitch2D.width res.pitch2D.height res.pitch2D.pitchInBytes
        }
        cudaMemAccessDesc { location.type_ location.id }
        cudaMemPoolProps { location.type_ location.id }
    }

    layouts! {
        v12 cuda_sys::runtime::v12
        cudaResourceDesc {
            res.array.array
            res.mipmap.mipmap
            res.linear.devPtr res.linear.desc res.linear.sizeInBytes
            res.pitch2D.devPtr res.pitch2D.desc
            res.pitch2D.width res.pitch2D.height res.pitch2D.pitchInBytes
        }
        cudaMemAccessDesc { location.type_ location.id }
        cudaMemPoolProps { location.type_ location.id }
        cudaMemcpyAttributes { srcLocHint.type_ dstLocHint.id }
        cudaMemcpy3DOperand {
            op.ptr.ptr op.ptr.rowLength op.ptr.layerHeight op.ptr.locHint
            op.array.array op.array.offset
        }
        cudaMemcpy3DBatchOp { src.op.ptr.locHint dst.type_ dst.op.array.offset.z extent.depth }
    }

    layouts! {
        v13 cuda_sys::runtime::v13
        cudaPointerAttributes { __bindgen_anon_1.localityDomainOrdinal __bindgen_anon_1.unused }
        cudaResourceDesc {
            res.array.array
            res.mipmap.mipmap
            res.linear.devPtr res.linear.desc res.linear.sizeInBytes
            res.pitch2D.devPtr res.pitch2D.desc
            res.pitch2D.width res.pitch2D.height res.pitch2D.pitchInBytes
            res.reserved.reserved
        }
        cudaMemLocation {
            __bindgen_anon_1.id
            __bindgen_anon_1.localized.deviceId
            __bindgen_anon_1.localized.localityDomainId
        }
        cudaMemAccessDesc { location.type_ location.__bindgen_anon_1.id }
        cudaMemPoolProps { location.type_ location.__bindgen_anon_1.id }
        cudaMemcpyAttributes { srcLocHint.type_ dstLocHint.__bindgen_anon_1.id }
        cudaMemcpy3DOperand {
            op.ptr.ptr op.ptr.rowLength op.ptr.layerHeight op.ptr.locHint
            op.array.array op.array.offset
        }
        cudaMemcpy3DBatchOp { src.op.ptr.locHint dst.type_ dst.op.array.offset.z extent.depth }
    }

    pub(crate) fn all() -> [(&'static str, Vec<Layout>); 5] {
        [
            ("driver", driver()),
            ("common", common()),
            ("v11", v11()),
            ("v12", v12()),
            ("v13", v13()),
        ]
    }
}

/// The one header that the packages lack, as far as it matters to layouts.
const HOST_DEFINES: &str = "
#define CUDARTAPI
#define CUDARTAPI_CDECL
#define CUDART_CB
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define __device_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cudart_builtin__
#define __host__
#define __device__
#define __specialization_static static
";

/// A C compiler with the headers of one toolkit.
struct Headers<'a> {
    compiler: &'a Path,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    include: &'static str,
}

impl<'a> Headers<'a> {
    fn new(compiler: &'a Path, toolkit: &Toolkit, group: &str) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let crt = folder.path().join("crt");
        std::fs::create_dir(&crt).expect("a new folder can be written");
        std::fs::write(crt.join("host_defines.h"), HOST_DEFINES)
            .expect("a new folder can be written");
        let (include, setting) = match group {
            "driver" => ("#include <cuda.h>\n", "-D__CUDA_API_VERSION_INTERNAL"),
            _ => ("#include <cuda_runtime_api.h>\n", "-DPLAIN"),
        };
        let arguments = vec![
            setting.to_owned(),
            format!("-I{}", toolkit.include.display()),
            format!("-idirafter{}", folder.path().display()),
        ];
        Self {
            compiler,
            folder,
            arguments,
            include,
        }
    }

    /// What each name is called in C: by a tag or by a typedef; names that these headers lack are left out.
    fn spellings(&self, names: &[&'static str]) -> BTreeMap<&'static str, String> {
        let mut tried = Vec::new();
        for name in names {
            tried.extend(["", "struct "].map(|keyword| (*name, format!("{keyword}{name}"))));
            // A struct inside another bears both names in Rust and its own tag alone in C.
            let outer = names.iter();
            let inner = outer.filter_map(|outer| name.strip_prefix(outer)?.strip_prefix('_'));
            tried.extend(inner.map(|tag| (*name, format!("struct {tag}"))));
        }
        let mut found = self.accepted(tried);
        // On their own: after `struct X` for a union the compiler would refuse `union X` as well.
        let left = names.iter().filter(|name| !found.contains_key(*name));
        let unions: Vec<_> = left.map(|name| (*name, format!("union {name}"))).collect();
        if !unions.is_empty() {
            found.extend(self.accepted(unions));
        }
        found
    }

    /// The spellings that the compiler knows the size of.
    fn accepted(&self, tried: Vec<(&'static str, String)>) -> BTreeMap<&'static str, String> {
        let mut source = self.include.to_owned();
        let first = source.lines().count() + 1;
        for (index, (_, spelling)) in tried.iter().enumerate() {
            let _ = writeln!(source, "int probe{index}[sizeof({spelling})];");
        }
        let refused = refused_lines(self.compiler, self.folder.path(), &self.arguments, &source);
        assert!(
            refused.iter().all(|line| *line >= first),
            "the headers themselves are refused"
        );
        let all = tried.into_iter().enumerate();
        // In reverse, so that of several spellings the first stays.
        all.filter(|(index, _)| !refused.contains(&(first + index)))
            .map(|(_, accepted)| accepted)
            .rev()
            .collect()
    }

    /// Prints the numbers that `lines` ask for, in order.
    fn numbers(&self, expressions: &[String]) -> Vec<usize> {
        let mut source = format!(
            "{}#include <stddef.h>\n#include <stdio.h>\nint main(void) {{\n",
            self.include
        );
        for expression in expressions {
            let _ = writeln!(source, "printf(\"%zu\\n\", (size_t)({expression}));");
        }
        source.push_str("return 0; }\n");
        let text = run_c(self.compiler, self.folder.path(), &self.arguments, &source);
        text.lines()
            .map(|line| line.parse().expect("the program prints numbers"))
            .collect()
    }
}

/// Compares and gives how many numbers were the same; every difference is a line of the panic.
fn compare(headers: &Headers<'_>, layouts: &[Layout]) -> usize {
    let names: Vec<&str> = layouts.iter().map(|layout| layout.name).collect();
    let spellings = headers.spellings(&names);
    let mut ours = Vec::new();
    let mut expressions = Vec::new();
    for layout in layouts {
        let Some(c) = spellings.get(layout.name) else {
            continue;
        };
        let mut ask = |number: usize, expression: String| {
            ours.push(number);
            expressions.push(expression);
        };
        ask(layout.size, format!("sizeof({c})"));
        ask(layout.align, format!("_Alignof({c})"));
        for Field { path, offset, size } in &layout.fields {
            ask(*offset, format!("offsetof({c}, {path})"));
            ask(*size, format!("sizeof((({c} *)0)->{path})"));
        }
    }
    let theirs = headers.numbers(&expressions);
    assert_eq!(ours.len(), theirs.len(), "an answer to every question");
    let all = expressions.iter().zip(ours.iter().zip(&theirs));
    let wrong: Vec<String> = all
        .filter(|(_, (ours, theirs))| ours != theirs)
        .map(|(expression, (ours, theirs))| format!("{expression}: C {theirs}, ours {ours}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    ours.len()
}

/// Compares the group with the headers of `version`, all of whose types must be there if `whole`.
fn check(group: &str, version: Version, whole: bool) {
    let (Some(compiler), Some(toolkit)) = (compiler(), toolkit(version)) else {
        return;
    };
    if !toolkit.include.is_dir() {
        cuwhy_tests::skip("an archive carries no headers");
        return;
    }
    let headers = Headers::new(&compiler, &toolkit, group);
    for all in [generated::all(), inside::all()] {
        let mut of_group = all.into_iter().filter(|(name, _)| *name == group);
        let (_, layouts) = of_group.next().expect("the group exists");
        let names: Vec<&str> = layouts.iter().map(|layout| layout.name).collect();
        let known = headers.spellings(&names);
        let unknown: Vec<&&str> = names
            .iter()
            .filter(|name| !known.contains_key(**name))
            .collect();
        assert!(
            !whole || unknown.is_empty(),
            "types that CUDA {version} does not have: {unknown:?}"
        );
        let same = compare(&headers, &layouts);
        assert!(same > 0, "nothing was compared");
    }
}

#[test]
fn the_driver_types_are_those_of_13_5() {
    check("driver", Version::new(13, 5), true);
}

#[test]
fn the_types_of_all_majors_are_those_of_11_8() {
    check("common", Version::new(11, 8), false);
}

#[test]
fn the_types_of_all_majors_are_those_of_12_9() {
    check("common", Version::new(12, 9), false);
}

#[test]
fn the_types_of_all_majors_are_those_of_13_5() {
    check("common", Version::new(13, 5), false);
}

#[test]
fn the_types_of_11_are_those_of_11_8() {
    check("v11", Version::new(11, 8), true);
}

#[test]
fn the_types_of_12_are_those_of_12_9() {
    check("v12", Version::new(12, 9), true);
}

#[test]
fn the_types_of_13_are_those_of_13_5() {
    check("v13", Version::new(13, 5), true);
}

/// A type of the common group that no major has would be compared with nothing.
#[test]
fn every_common_type_is_in_some_major() {
    let Some(compiler) = compiler() else { return };
    let newest = [
        Version::new(11, 8),
        Version::new(12, 9),
        Version::new(13, 5),
    ];
    let [_, (_, common), ..] = generated::all();
    let mut left: Vec<&str> = common.iter().map(|layout| layout.name).collect();
    for version in newest {
        let Some(toolkit) = toolkit(version) else {
            return;
        };
        if !toolkit.include.is_dir() {
            cuwhy_tests::skip("an archive carries no headers");
            return;
        }
        let known = Headers::new(&compiler, &toolkit, "common").spellings(&left);
        left.retain(|name| !known.contains_key(name));
    }
    assert!(left.is_empty(), "{left:?}");
}

/// Types of which an older release of the same major writes more than the newest one declares.
///
/// `cudaTextureDesc` lost its last field between 11.7 (72 bytes) and 11.8 (68, the new field went to
/// `cudaTextureDesc_v2`): who asks a libcudart before 11.8 for the description of a texture brings
/// a `cudaTextureDesc_v2`.
const GREW_BACKWARDS: [(&str, Version); 1] = [("cudaTextureDesc", Version::new(11, 7))];

/// No release may write more than the buffers that we bring, whichever release was pinned for its major.
#[test]
fn no_release_of_a_major_has_a_larger_type() {
    let Some(compiler) = compiler() else { return };
    let [(_, driver), (_, common), (_, v11), (_, v12), (_, v13)] = generated::all();
    let mut larger = Vec::new();
    for toolkit in toolkits() {
        if !toolkit.include.is_dir() {
            cuwhy_tests::skip("an archive carries no headers");
            return;
        }
        let own = match toolkit.version.major() {
            11 => &v11,
            12 => &v12,
            _ => &v13,
        };
        for (group, layouts) in [("driver", &driver), ("common", &common), ("own", own)] {
            let headers = Headers::new(&compiler, &toolkit, group);
            let names: Vec<&str> = layouts.iter().map(|layout| layout.name).collect();
            let spellings = headers.spellings(&names);
            let known: Vec<&Layout> = layouts
                .iter()
                .filter(|layout| spellings.contains_key(layout.name))
                .collect();
            let sizes: Vec<String> = known
                .iter()
                .map(|layout| format!("sizeof({})", spellings[layout.name]))
                .collect();
            let theirs = headers.numbers(&sizes);
            for (layout, theirs) in known.into_iter().zip(theirs) {
                let declared = GREW_BACKWARDS.contains(&(layout.name, toolkit.version));
                if layout.size < theirs && !declared {
                    let Layout { name, size, .. } = layout;
                    let version = toolkit.version;
                    larger.push(format!(
                        "{name}: {theirs} bytes in CUDA {version}, ours {size}"
                    ));
                }
            }
        }
    }
    assert!(larger.is_empty(), "{}", larger.join("\n"));
}
