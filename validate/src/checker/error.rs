//! What a checked call returns instead of success.

use crate::predict::status_name;
use crate::{Call, Finding};
use core::fmt;

/// Why a checked call did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It was not made: the process or the context would have died.
    NotExecuted,
    /// It was made, and CUDA refused it.
    Refused,
    /// It was made, CUDA refused it, and we had predicted success: a bug of ours.
    Unexpected,
}

/// A checked call that did not succeed, with everything that was found out about it.
#[derive(Debug, Clone)]
pub struct CheckedError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    call: String,
    status: Option<(u32, Option<&'static str>)>,
    reason: Reason,
    findings: Vec<Finding>,
}

impl CheckedError {
    pub(super) fn new(
        call: &Call,
        status: Option<u32>,
        reason: Reason,
        findings: Vec<Finding>,
    ) -> Self {
        Self(Box::new(Inner {
            call: call.text(),
            status: status.map(|code| (code, status_name(call.api, code))),
            reason,
            findings,
        }))
    }

    /// CUDA's own status; absent where the call was not made.
    #[must_use]
    pub fn status(&self) -> Option<u32> {
        self.0.status.map(|(code, _)| code)
    }

    /// Why the call did not succeed.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What is wrong, the most important first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0.findings
    }
}

impl fmt::Display for CheckedError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            call,
            status,
            reason,
            findings,
        } = &*self.0;
        match status {
            Some((code, Some(name))) => write!(out, "{call} failed: {code} {name}")?,
            Some((code, None)) => write!(out, "{call} failed: {code}")?,
            None => write!(out, "{call} was not made")?,
        }
        if *reason == Reason::Unexpected {
            write!(
                out,
                "; cuwhy had predicted success, which is a bug of cuwhy: please report this call"
            )?;
        }
        match findings.first() {
            Some(first) => write!(out, ": {} ({}); {}", first.says, first.rule, first.fix),
            None => Ok(()),
        }
    }
}

impl core::error::Error for CheckedError {}
