//! `kind.*`: the stated direction.

use super::{Case, Evidence, Example, Found, Rule, Severity, words};
use crate::call::{Action, Demand};
use crate::facts::{Class, Owner};
use crate::predict::{array_called_host, array_source_called_host, codes};
use crate::{Api, Kind, Prediction, Role};

pub(super) static INVALID: Rule = Rule {
    id: "kind.invalid",
    severity: Severity::Error,
    statement: "the kind is none of the five values",
    cuda: "21 cudaErrorInvalidMemcpyDirection",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyKind: 0 to 4",
    detection: "the argument",
    example: Example {
        wrong: "cudaMemcpy(device, host, 4, (cudaMemcpyKind)5)",
        right: "cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: invalid,
};

fn invalid(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some(Kind::Invalid(raw)) = case.action().kind() else {
        return;
    };
    let unread = matches!(
        case.call.function,
        "cudaMemcpyToArray" | "cudaMemcpyFromArray"
    );
    if case.call.is_empty() || unread {
        return;
    }
    let meant = match *case.facts.operands.as_slice() {
        [ref dst, ref src] => match (
            dst.class().is_device_only() || dst.class() == Class::Managed,
            src.class().is_device_only() || src.class() == Class::Managed,
        ) {
            (true, true) => "cudaMemcpyDeviceToDevice",
            (true, false) => "cudaMemcpyHostToDevice",
            (false, true) => "cudaMemcpyDeviceToHost",
            (false, false) => "cudaMemcpyHostToHost",
        },
        _ => "cudaMemcpyDefault",
    };
    out.push(
        Found::new(
            &INVALID,
            format!("the kind {raw} is none: the values are 0 to 4"),
        )
        .why("the runtime refuses a kind that it does not know")
        .fix(format!(
            "for these operands it is {meant}; cudaMemcpyDefault goes by the addresses"
        )),
    );
}

pub(super) static CONTRADICTS: Rule = Rule {
    id: "kind.contradicts",
    severity: Severity::Error,
    statement: "the direction says device, and the operand is pageable host memory",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyKind: with unified addressing the side that is called device must be memory that CUDA knows",
    detection: "both operands classified",
    example: Example {
        wrong: "cudaMemcpy(host_a, host_b, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(host_a, host_b, 4, cudaMemcpyHostToHost)",
    },
    shadows: &[],
    find: contradicts,
};

/// The sides that the direction calls a device and that are pageable host memory.
fn contradicted(case: &Case<'_>) -> Vec<Role> {
    if matches!(case.action(), Action::Fill(_)) || case.environment().pageable_access == Some(true)
    {
        return Vec::new();
    }
    // A kind that is refused for itself is refused before anybody looks at the operands.
    if case.prediction == Prediction::Status(codes::INVALID_DIRECTION) {
        return Vec::new();
    }
    case.moved()
        .filter(|facts| {
            facts.operand.demand == Demand::Cuda
                && matches!(facts.class(), Class::Pageable | Class::Foreign)
                && !facts.head().is_some_and(Owner::is_nowhere)
        })
        .map(|facts| facts.operand.role)
        .collect()
}

fn direction(case: &Case<'_>) -> String {
    match (case.call.api, case.action().kind()) {
        (Api::Runtime, Some(kind)) => kind.name(),
        (Api::Driver, _) if case.action().volume().is_some() => "CU_MEMORYTYPE_DEVICE".to_owned(),
        _ => case.call.function.to_owned(),
    }
}

fn contradicts(case: &Case<'_>, out: &mut Vec<Found>) {
    let roles = contradicted(case);
    let both = roles.len() == 2;
    for role in roles {
        let other = case.other(role).map(|facts| facts.class());
        let fix = match (both, other, case.call.api, role) {
            (true, _, Api::Runtime, _) => {
                "both operands are host memory: cudaMemcpyHostToHost, or memcpy".to_owned()
            }
            (_, Some(Class::Pageable), Api::Runtime, _) => format!(
                "both operands are host memory: say cudaMemcpyHostToHost, or pass the device pointer as {role}"
            ),
            (_, _, Api::Runtime, Role::Destination) => {
                "pass the device pointer as destination, or say cudaMemcpyDefault".to_owned()
            }
            (_, _, Api::Runtime, _) => {
                "pass the device pointer as source, or say cudaMemcpyDefault".to_owned()
            }
            (_, _, Api::Driver, _) if case.action().volume().is_some() => format!(
                "pass the device pointer as {role}, or say CU_MEMORYTYPE_HOST, or CU_MEMORYTYPE_UNIFIED, which goes by the address"
            ),
            (_, _, Api::Driver, _) => format!(
                "pass the device pointer as {role}, or use cuMemcpy, which goes by the addresses"
            ),
        };
        out.push(
            Found::new(
                &CONTRADICTS,
                format!(
                    "{} demands device memory as {role}, and the {role} is pageable host memory",
                    direction(case)
                ),
            )
            .at(role, 0)
            .why(format!(
                "for this direction CUDA looks the {role} up and refuses what it does not know"
            ))
            .fix(fix),
        );
    }
}

pub(super) static SWAPPED: Rule = Rule {
    id: "kind.swapped",
    severity: Severity::Error,
    statement: "destination and source are exchanged",
    cuda: "1 cudaErrorInvalidValue",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpy: the destination comes first",
    detection: "both operands classified: exchanging them would satisfy the kind",
    example: Example {
        wrong: "cudaMemcpy(host, device, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device, host, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &["kind.contradicts"],
    find: swapped,
};

fn swapped(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some(kind @ (Kind::HostToDevice | Kind::DeviceToHost)) = case.action().kind() else {
        return;
    };
    let [role] = contradicted(case)[..] else {
        return;
    };
    let device = case.other(role).map(|facts| facts.class());
    if !device.is_some_and(|class| class.is_device_only() && class != Class::NoAccess) {
        return;
    }
    let otherwise = if case.call.api == Api::Runtime {
        format!(
            "; if the order is right, the kind is {}",
            kind.exchanged().name()
        )
    } else {
        String::new()
    };
    out.push(
        Found::new(
            &SWAPPED,
            format!(
                "destination and source are exchanged: {} with the {role} on the host and the other side on the device",
                direction(case)
            ),
        )
        .at(role, 0)
        .why(format!(
            "for this direction CUDA looks the {role} up and refuses what it does not know; the destination is the first argument"
        ))
        .fix(format!("{}{otherwise}", words::exchanged(case.call, kind))),
    );
}

pub(super) static FALSE_BUT_ACCEPTED: Rule = Rule {
    id: "kind.false-but-accepted",
    severity: Severity::Warning,
    statement: "the direction says host, the operand is device memory, and CUDA accepts it",
    cuda: "success: the copy is right, the code says something false",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyKind: with unified addressing the side that is called host is not looked at",
    detection: "both operands classified",
    example: Example {
        wrong: "cudaMemcpy(device_a, device_b, 4, cudaMemcpyHostToDevice)",
        right: "cudaMemcpy(device_a, device_b, 4, cudaMemcpyDeviceToDevice)",
    },
    shadows: &[],
    find: false_but_accepted,
};

fn false_but_accepted(case: &Case<'_>, out: &mut Vec<Found>) {
    let Some((to, from)) = case.action().kind().and_then(Kind::says_device) else {
        return;
    };
    if case.prediction != Prediction::Success || case.call.api != Api::Runtime {
        return;
    }
    let says = |role| if role == Role::Destination { to } else { from };
    let wrong: Vec<Role> = case
        .moved()
        .filter(|facts| facts.class().is_device_only() && !says(facts.operand.role))
        .map(|facts| facts.operand.role)
        .collect();
    let (Some(&role), Some(kind)) = (wrong.first(), case.action().kind()) else {
        return;
    };
    let device = |role| says(role) || wrong.contains(&role);
    let right = match (device(Role::Destination), device(Role::Source)) {
        (true, true) => Kind::DeviceToDevice,
        (true, false) => Kind::HostToDevice,
        _ => Kind::DeviceToHost,
    };
    out.push(
        Found::new(
            &FALSE_BUT_ACCEPTED,
            format!("{} says that the {role} is host memory, and it is device memory", kind.name()),
        )
        .about(role)
        .why("CUDA goes by the address and copies the right bytes; a reader of the code is misled, and a system without unified addressing would fail")
        .fix(format!("say {}", right.name())),
    );
}

pub(super) static IMPOSSIBLE_FOR_ARRAY: Rule = Rule {
    id: "kind.impossible-for-array",
    severity: Severity::Error,
    statement: "an array is device memory, and the kind says that this side is the host",
    cuda: "21 cudaErrorInvalidMemcpyDirection; 1 from cudaMemcpy3D where the source is the array, which accepts any kind where the destination is",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpy2DToArray and its relatives: arrays live on the device",
    detection: "the argument",
    example: Example {
        wrong: "cudaMemcpy2DToArray(array, 0, 0, host, 64, 64, 4, cudaMemcpyDeviceToHost)",
        right: "cudaMemcpy2DToArray(array, 0, 0, host, 64, 64, 4, cudaMemcpyHostToDevice)",
    },
    shadows: &[],
    find: impossible_for_array,
};

fn impossible_for_array(case: &Case<'_>, out: &mut Vec<Found>) {
    let source = array_source_called_host(case.call).then_some(Role::Source);
    let (Some(role), Some(kind)) = (
        array_called_host(case.call).or(source),
        case.action().kind(),
    ) else {
        return;
    };
    if case.call.is_empty() {
        return;
    }
    let Some((to, from)) = kind.says_device() else {
        return;
    };
    // What the other side is decides; where nobody knows, what the kind says of it.
    let said = if role == Role::Destination { from } else { to };
    let device = match case.other(role).map(|facts| facts.class()) {
        None => true,
        Some(Class::Unknown | Class::Foreign) => said,
        Some(class) => class.is_device_only() || class == Class::Managed,
    };
    let right = match role {
        _ if device => Kind::DeviceToDevice,
        Role::Destination => Kind::HostToDevice,
        _ => Kind::DeviceToHost,
    };
    out.push(
        Found::new(
            &IMPOSSIBLE_FOR_ARRAY,
            format!(
                "{} calls the {role} host memory, and it is an array",
                kind.name()
            ),
        )
        .about(role)
        .why(
            "an array always lives on a device, and the runtime refuses a kind that says otherwise",
        )
        .fix(format!("say {}, or cudaMemcpyDefault", right.name())),
    );
}

pub(super) static IMPOSSIBLE_FOR_SYMBOL: Rule = Rule {
    id: "kind.impossible-for-symbol",
    severity: Severity::Error,
    statement: "a variable of the device is copied, and the kind says that this side is the host",
    cuda: "21 cudaErrorInvalidMemcpyDirection",
    evidence: Evidence::Measured,
    source: "CUDA Runtime API, cudaMemcpyToSymbol and cudaMemcpyFromSymbol: the variable lives on the device",
    detection: "the argument",
    example: Example {
        wrong: "cudaMemcpyToSymbol(table, host, 4, 0, cudaMemcpyDeviceToHost)",
        right: "cudaMemcpyToSymbol(table, host, 4, 0, cudaMemcpyHostToDevice)",
    },
    shadows: &["kind.contradicts"],
    find: impossible_for_symbol,
};

fn impossible_for_symbol(case: &Case<'_>, out: &mut Vec<Found>) {
    let Action::Symbol(copy) = case.action() else {
        return;
    };
    let Some((to, from)) = copy.kind.says_device() else {
        return;
    };
    let (role, device) = if copy.to_symbol {
        (Role::Destination, to)
    } else {
        (Role::Source, from)
    };
    if device || case.call.is_empty() {
        return;
    }
    let right = match role {
        Role::Destination => Kind::HostToDevice,
        _ => Kind::DeviceToHost,
    };
    out.push(
        Found::new(
            &IMPOSSIBLE_FOR_SYMBOL,
            format!(
                "{} calls the {role} host memory, and it is a variable of the device",
                copy.kind.name()
            ),
        )
        .about(role)
        .why("the variable always lives on a device, and the runtime refuses a kind that says otherwise")
        .fix(format!("say {}, or cudaMemcpyDefault", right.name())),
    );
}
