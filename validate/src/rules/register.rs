//! `register.*` and `ipc.*`: page-locking and sharing.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::OperandFacts;
use crate::Role;
use crate::call::{Action, Register};
use crate::facts::Class;

const READ_ONLY_FLAG: u32 = 8;

fn registration<'a>(case: &Case<'a>) -> Option<(&'a Register, &'a OperandFacts)> {
    let Action::Register(register) = case.action() else {
        return None;
    };
    let facts: &'a _ = case.facts;
    Some((register, facts.operand(Role::Subject)?))
}

pub(super) static ALREADY_CUDA: Rule = Rule {
    id: "register.already-cuda",
    severity: Severity::Error,
    statement: "memory that CUDA allocated itself is registered",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostRegister: for host memory of the process that CUDA does not know yet",
    detection: "pointer attributes",
    example: Example {
        wrong: "cudaMalloc(&device, 4096); cudaHostRegister(device, 4096, 0)",
        right: "void *host = malloc(4096); cudaHostRegister(host, 4096, 0)",
    },
    shadows: &[],
    find: already_cuda,
};

fn already_cuda(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((_, facts)) = registration(case) else {
        return;
    };
    let own = facts.segments.iter().find(|segment| {
        segment.owner.class.is_device_only()
            || matches!(segment.owner.class, Class::Managed | Class::Reserved)
    });
    let Some(segment) = own else { return };
    out.push(
        Found::new(
            &ALREADY_CUDA,
            format!(
                "byte {} of the range is {} already",
                segment.part.start,
                words::class(segment.owner.class)
            ),
        )
        .at(Role::Subject, segment.part.start)
        .why("registration page-locks host memory of the process; CUDA's own memory needs none")
        .fix("leave the registration out"),
    );
}

pub(super) static OVERLAP: Rule = Rule {
    id: "register.overlap",
    severity: Severity::Error,
    statement: "the range is registered already, or overlaps one that is",
    cuda: "712 cudaErrorHostMemoryAlreadyRegistered",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostRegister: a page can be registered once",
    detection: "the registry and pointer attributes",
    example: Example {
        wrong: "cudaHostRegister(page, 4096, 0); cudaHostRegister(page, 4096, 0)",
        right: "cudaHostRegister(page, 4096, 0); cudaHostRegister(page + 4096, 4096, 0)",
    },
    shadows: &[],
    find: overlap,
};

fn overlap(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((_, facts)) = registration(case) else {
        return;
    };
    let registered = facts
        .segments
        .iter()
        .find(|segment| matches!(segment.owner.class, Class::Registered | Class::Pinned));
    let Some(segment) = registered else { return };
    let place = if segment.owner.origin.site.is_unknown() {
        String::new()
    } else {
        format!(" at {}", segment.owner.origin.site)
    };
    out.push(
        Found::new(
            &OVERLAP,
            format!(
                "the range is page-locked already from byte {} on{place}",
                segment.part.start
            ),
        )
        .at(Role::Subject, segment.part.start)
        .why("a page is registered once; whoever registers it again gets an error and owns nothing")
        .fix("keep one owner of the registration, or unregister first"),
    );
}

pub(super) static READ_ONLY: Rule = Rule {
    id: "register.read-only",
    severity: Severity::Error,
    statement: "a mapping that cannot be written is registered without saying so",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostRegisterReadOnly: needed for memory that is mapped read-only",
    detection: "the memory map",
    example: Example {
        wrong: "cudaHostRegister(read_only_mapping, 4096, cudaHostRegisterDefault)",
        right: "cudaHostRegister(read_only_mapping, 4096, cudaHostRegisterReadOnly)",
    },
    shadows: &[],
    find: read_only,
};

fn read_only(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((register, facts)) = registration(case) else {
        return;
    };
    if register.flags & READ_ONLY_FLAG != 0 {
        return;
    }
    let fixed = facts.segments.iter().find(|segment| {
        segment.owner.class == Class::Pageable
            && segment.owner.host_writable() == Some(false)
            && segment.owner.host_readable() == Some(true)
    });
    let Some(segment) = fixed else { return };
    out.push(
        Found::new(
            &READ_ONLY,
            format!("byte {} of the range cannot be written", segment.part.start),
        )
        .at(Role::Subject, segment.part.start)
        .why("a registration lets devices write, unless it says that they do not")
        .fix(format!(
            "pass {}, where {} allows it",
            words::named(
                case.call,
                "cudaHostRegisterReadOnly",
                "CU_MEMHOSTREGISTER_READ_ONLY"
            ),
            words::named(
                case.call,
                "cudaDevAttrHostRegisterReadOnlySupported",
                "CU_DEVICE_ATTRIBUTE_READ_ONLY_HOST_REGISTER_SUPPORTED"
            )
        )),
    );
}

pub(super) static NOT_BASE: Rule = Rule {
    id: "register.not-base",
    severity: Severity::Error,
    statement: "the address to unregister is not where a registration begins",
    cuda: "1 cudaErrorInvalidValue inside a registration, 713 cudaErrorHostMemoryNotRegistered elsewhere",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaHostUnregister: the pointer that was given to cudaHostRegister",
    detection: "the registry and pointer attributes",
    example: Example {
        wrong: "cudaHostRegister(page, 4096, 0); cudaHostUnregister(page + 64)",
        right: "cudaHostRegister(page, 4096, 0); cudaHostUnregister(page)",
    },
    shadows: &[],
    find: not_base,
};

fn not_base(case: &Case<'_>, out: &mut Vec<Found>) {
    let Action::Unregister { address } = *case.action() else {
        return;
    };
    let Some(owner) = case
        .facts
        .operand(Role::Subject)
        .and_then(|facts| facts.head())
    else {
        return;
    };
    let (says, fix) = match (owner.class, owner.range) {
        (Class::Registered | Class::Pinned, Some(range)) if range.start < address => (
            format!(
                "the address lies {} into a registration of {}",
                words::bytes(address - range.start),
                words::size(range.bytes())
            ),
            format!("pass {:#x}, where it begins", range.start),
        ),
        (Class::Pinned, _) if owner.seen => (
            "the address is page-locked memory that was allocated, not registered".to_owned(),
            "free it with the function that belongs to its allocation".to_owned(),
        ),
        (Class::Registered | Class::Pinned | Class::Unknown | Class::Null, _) => return,
        (class, _) if class.is_cuda() || class == Class::NoAccess => (
            format!(
                "the address is {}, which was never registered",
                words::class(class)
            ),
            "unregister host memory that was registered; free this with its own function"
                .to_owned(),
        ),
        _ => (
            "the address is not registered".to_owned(),
            "unregister what was registered, once".to_owned(),
        ),
    };
    out.push(
        Found::new(&NOT_BASE, says)
            .at(Role::Subject, 0)
            .why("a registration is ended by the pointer that it was made with")
            .fix(fix),
    );
}

pub(super) static NOT_EXPORTABLE: Rule = Rule {
    id: "ipc.not-exportable",
    severity: Severity::Error,
    statement: "an inter-process handle is asked for memory that has none of this kind",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaIpcGetMemHandle: for memory of cudaMalloc; pools and virtual memory have handles of their own",
    detection: "IS_LEGACY_CUDA_IPC_CAPABLE",
    example: Example {
        wrong: "cudaMallocAsync(&device, 4096, stream); cudaIpcGetMemHandle(&handle, device)",
        right: "cudaMalloc(&device, 4096); cudaIpcGetMemHandle(&handle, device)",
    },
    shadows: &[],
    find: not_exportable,
};

fn not_exportable(case: &Case<'_>, out: &mut Vec<Found>) {
    if !matches!(case.action(), Action::Export(_)) {
        return;
    }
    let Some(owner) = case
        .facts
        .operand(Role::Subject)
        .and_then(|facts| facts.head())
    else {
        return;
    };
    let refused = match owner.class {
        Class::Device | Class::Symbol => owner.exportable == Some(false),
        Class::Unknown => false,
        _ => true,
    };
    if !refused {
        return;
    }
    let fix = match owner.class {
        Class::Pool => words::named(
            case.call,
            "export the pool: cudaMemPoolExportToShareableHandle and cudaMemPoolExportPointer",
            "export the pool: cuMemPoolExportToShareableHandle and cuMemPoolExportPointer",
        ),
        Class::Virtual | Class::NoAccess | Class::Reserved => {
            "export the allocation's handle: cuMemExportToShareableHandle"
        }
        _ => words::named(
            case.call,
            "allocate with cudaMalloc what is to be shared",
            "allocate with cuMemAlloc what is to be shared",
        ),
    };
    out.push(
        Found::new(
            &NOT_EXPORTABLE,
            format!("{} has no handle of this kind", words::class(owner.class)),
        )
        .at(Role::Subject, 0)
        .why(words::named(
            case.call,
            "this form of sharing works for memory of cudaMalloc alone",
            "this form of sharing works for memory of cuMemAlloc alone",
        ))
        .fix(fix),
    );
}
