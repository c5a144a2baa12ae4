//! Finds the hand-written functions.

use crate::signature::Signature;

/// A hand-written function: where it is and whether it wants the driver.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    path: String,
    wants_call: bool,
}

/// Every `unsafe fn cuda…(` at the beginning of a line of `text`, with its module.
///
/// A function whose first argument is `call: …` gets the loaded driver and answers a result; one without gets the C
/// arguments alone and answers what the C function answers.
pub(crate) fn all<'text>(
    text: &'text str,
    module: &'text str,
) -> impl Iterator<Item = (String, Hand)> + 'text {
    const BEGIN: &str = "\npub(crate) unsafe fn ";
    let starts = text
        .match_indices(BEGIN)
        .map(|(place, _)| place + BEGIN.len());
    starts.filter_map(move |start| {
        let (name, rest) = text[start..].split_once('(')?;
        let name = name.split('<').next()?;
        let ours = name.starts_with("cuda") || name.starts_with("__cuda");
        let wants_call = ["call: ", "_call: "]
            .iter()
            .any(|first| rest.trim_start().starts_with(first));
        let path = format!("{module}::{name}");
        ours.then(|| (name.to_owned(), Hand { path, wants_call }))
    })
}

impl Hand {
    /// The expression that calls it with the arguments of `function`.
    pub(crate) fn call(&self, function: &Signature, mode: &str) -> String {
        let Self { path, wants_call } = self;
        let names = function.names();
        if *wants_call {
            let comma = if names.is_empty() { "" } else { ", " };
            format!(
                "answer(c\"{}\", {mode}, |call| unsafe {{ {path}(call{comma}{names}) }})",
                function.name
            )
        } else {
            format!("unsafe {{ {path}({names}) }}")
        }
    }
}
