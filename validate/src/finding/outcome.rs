//! What a call came to, or will come to.

use super::json;
use crate::predict::status_name;
use crate::{Api, Prediction, Role};
use serde::Serialize;

/// What a call came to, as plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It returned this code.
    Status {
        /// The number.
        code: u32,
        /// Its name, where we know it.
        name: Option<&'static str>,
    },
    /// The process died by a signal inside the call.
    Fault {
        /// The side that was touched.
        role: &'static str,
        /// The page that was touched.
        #[serde(serialize_with = "json::address")]
        page: u64,
    },
    /// The process died by a signal inside of CUDA.
    Crash,
    /// It returned success, and the context died with this code at the next synchronisation.
    ContextDies {
        /// The number.
        code: u32,
        /// Its name, where we know it.
        name: Option<&'static str>,
    },
    /// Nobody can say.
    CannotTell,
}

impl Outcome {
    /// A returned code.
    #[must_use]
    pub const fn status(api: Api, code: u32) -> Self {
        Self::Status {
            code,
            name: status_name(api, code),
        }
    }

    /// A prediction.
    #[must_use]
    pub const fn predicted(api: Api, prediction: Prediction) -> Self {
        match prediction {
            Prediction::Success => Self::status(api, 0),
            Prediction::Status(code) => Self::status(api, code),
            Prediction::Fault { role, page } => Self::Fault {
                role: Role::name(role),
                page,
            },
            Prediction::Crash => Self::Crash,
            Prediction::ContextDies(code) => Self::ContextDies {
                code,
                name: status_name(api, code),
            },
            Prediction::CannotTell(_) => Self::CannotTell,
        }
    }

    /// The outcome in words: `1 cudaErrorInvalidValue`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Status { code, name } => with_name(*code, *name),
            Self::Fault { role, page } => format!("SIGSEGV at {page:#x} ({role})"),
            Self::Crash => "SIGSEGV inside of CUDA".into(),
            Self::ContextDies { code, name } => format!(
                "0, then {} at the next synchronisation",
                with_name(*code, *name)
            ),
            Self::CannotTell => "cannot tell".into(),
        }
    }
}

fn with_name(code: u32, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{code} {name}"),
        None => code.to_string(),
    }
}
