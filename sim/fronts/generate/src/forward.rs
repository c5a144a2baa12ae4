//! Reads `forward.list`: which driver function a runtime function hands its arguments to.

use std::collections::BTreeMap;

use crate::Error;
use crate::signature::Signature;

/// One line of the list.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    driver: String,
    arguments: Option<Vec<String>>,
    context: &'static str,
}

/// Every line of `text`.
pub(crate) fn all(
    text: &str,
    driver: &BTreeMap<String, Signature>,
) -> Result<BTreeMap<String, Forward>, Error> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut all = BTreeMap::new();
    for line in lines {
        let (name, forward) =
            one(line).ok_or_else(|| Error::NoSuchDriverFunction(line.to_owned()))?;
        if !driver.contains_key(&forward.driver) {
            return Err(Error::NoSuchDriverFunction(line.to_owned()));
        }
        all.insert(name, forward);
    }
    Ok(all)
}

fn one(line: &str) -> Option<(String, Forward)> {
    const WAYS: [(&str, &str); 3] = [
        (" = ", "call.ensure()?; "),
        (" ~ ", ""),
        (" =~ ", "call.ensure_unless_forked()?; "),
    ];
    let (name, context, call) = WAYS.into_iter().find_map(|(sign, context)| {
        let (name, call) = line.split_once(sign)?;
        Some((name, context, call))
    })?;
    let (driver, arguments) = match call.split_once('(') {
        Some((driver, arguments)) => {
            let arguments = arguments.strip_suffix(')')?.split(", ");
            (driver, Some(arguments.map(str::to_owned).collect()))
        }
        None => (call, None),
    };
    let forward = Forward {
        driver: driver.to_owned(),
        arguments,
        context,
    };
    Some((name.to_owned(), forward))
}

impl Forward {
    /// The expression that hands the arguments of `function` on.
    pub(crate) fn call(&self, function: &Signature, mode: &str) -> String {
        let given = function.arguments.iter().map(|(name, _)| name.clone());
        let arguments = self.arguments.clone().unwrap_or_else(|| given.collect());
        let is_argument = |text: &String| function.arguments.iter().any(|(name, _)| name == text);
        let passed: Vec<String> = arguments
            .iter()
            .map(|text| match is_argument(text) {
                true => format!("pass({text})"),
                false => text.clone(),
            })
            .collect();
        let Self {
            driver, context, ..
        } = self;
        let passed = passed.join(", ");
        format!(
            "answer(c\"{}\", {mode}, |call| {{ {context}driver!(call.{driver}({passed})) }})",
            function.name
        )
    }
}
