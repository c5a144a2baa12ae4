//! The committed files, read back: what a build from a local toolkit shares with them.

use std::collections::BTreeMap;

use quote::ToTokens as _;
use syn::Item;

use crate::history::{Life, Share};
use crate::unit::{Function, Unit};

/// Reads the text of a committed `types.rs`.
///
/// # Errors
///
/// Why the text is not what [`crate::emit::types`] writes.
pub fn types(text: &str) -> Result<Committed, String> {
    let file = syn::parse_file(text).map_err(|error| error.to_string())?;
    let mut committed = Committed::default();
    let (impls, rest): (Vec<_>, Vec<_>) = file
        .items
        .into_iter()
        .partition(|item| matches!(item, Item::Impl(_)));
    for item in rest.into_iter().chain(impls) {
        match item {
            Item::Use(item) => names_in(&item.tree, &mut committed.borrowed),
            Item::Macro(item) => committed.zeroed(&item.mac.tokens.to_string()),
            Item::Impl(mut item) => {
                item.items
                    .retain(|part| matches!(part, syn::ImplItem::Const(_)));
                committed.unit.add(Item::Impl(item))?;
            }
            other => committed.unit.add(other)?,
        }
    }
    Ok(committed)
}

/// A committed `types.rs`.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    /// What it defines.
    pub unit: Unit,
    /// The names that it takes from elsewhere.
    pub borrowed: Vec<String>,
}

impl Committed {
    fn zeroed(&mut self, names: &str) {
        for name in names.split(',') {
            if let Some(definition) = self.unit.definitions.get_mut(name.trim()) {
                definition.zeroed = true;
            }
        }
    }
}

fn names_in(tree: &syn::UseTree, names: &mut Vec<String>) {
    match tree {
        syn::UseTree::Path(path) => names_in(&path.tree, names),
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| names_in(item, names)),
        syn::UseTree::Name(name) => names.push(name.ident.to_string()),
        syn::UseTree::Rename(_) | syn::UseTree::Glob(_) => {}
    }
}

/// Reads the lines of a committed `table.rs`: signature and life of each function.
#[must_use]
pub fn table(text: &str) -> BTreeMap<String, (String, Life)> {
    text.lines().filter_map(line).collect()
}

/// `    fn cuInit(Flags: core::ffi::c_uint) -> CUresult = 2000;`
fn line(text: &str) -> Option<(String, (String, Life))> {
    let text = text.trim().strip_prefix("fn ")?.strip_suffix(';')?;
    let (text, life) = text.rsplit_once(" = ")?;
    let mut numbers = life.split(", ").map(str::parse);
    let since = numbers.next()?.ok()?;
    let until = numbers.next().transpose().ok()?;
    let file = syn::parse_str::<syn::ForeignItemFn>(&format!("fn {text};")).ok()?;
    let function = crate::unit::read_function(&file);
    Some((
        function.name.clone(),
        (function.signature(), Life { since, until }),
    ))
}

/// What a local toolkit's runtime has beside what is committed as common to all majors.
///
/// A definition that the common file has with the same text is left to it; of
/// an enumeration, the values that it lacks are added. A function that the
/// common table has with the same signature is left to that.
#[must_use]
pub fn beside(
    local: &Unit,
    version: u32,
    common: &Unit,
    shared: &BTreeMap<String, (String, Life)>,
) -> (Share, String) {
    let mut share = Share::default();
    let mut more = String::new();
    for name in &local.order {
        let definition = &local.definitions[name];
        match common.definitions.get(name) {
            Some(known) if normal(&known.text) == normal(&definition.text) => {
                let new = definition
                    .values
                    .iter()
                    .filter(|(value, _)| !known.values.iter().any(|(known, _)| known == value));
                let lines: Vec<String> = new
                    .map(|(value, number)| {
                        format!("    pub const {value}: Self = Self({number});\n")
                    })
                    .collect();
                if !lines.is_empty() {
                    more.push_str(&format!("impl {name} {{\n{}}}\n", lines.concat()));
                }
            }
            _ => {
                share.order.push(name.clone());
                share.definitions.insert(name.clone(), definition.clone());
            }
        }
    }
    let own: std::collections::BTreeSet<&str> = share.order.iter().map(String::as_str).collect();
    for (name, function) in &local.functions {
        let signature = function.signature();
        let known = shared.get(name);
        let same = known.is_some_and(|(known, _)| *known == signature);
        if !same || crate::history::mentions(&signature, &own) {
            let life = known.map_or(
                Life {
                    since: version,
                    until: None,
                },
                |(_, life)| *life,
            );
            share.functions.insert(
                name.clone(),
                (
                    function.clone(),
                    Life {
                        until: None,
                        ..life
                    },
                ),
            );
        }
    }
    (share, more)
}

/// Functions of a local unit with the lives that are committed; what is new begins with `version`.
#[must_use]
pub fn with_lives(
    functions: &BTreeMap<String, Function>,
    version: u32,
    committed: &BTreeMap<String, (String, Life)>,
) -> BTreeMap<String, (Function, Life)> {
    let lives = functions.iter().map(|(name, function)| {
        let life = committed.get(name).map_or(
            Life {
                since: version,
                until: None,
            },
            |(_, life)| *life,
        );
        (
            name.clone(),
            (
                function.clone(),
                Life {
                    until: None,
                    ..life
                },
            ),
        )
    });
    lives.collect()
}

/// The text without what a formatter may add or leave out.
fn normal(text: &str) -> String {
    let tokens = match syn::parse_str::<Item>(text) {
        Ok(item) => item.to_token_stream().to_string(),
        Err(_) => text.to_owned(),
    };
    let dense: String = tokens
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    dense
        .replace(",}", "}")
        .replace(",)", ")")
        .replace(",>", ">")
}

#[cfg(test)]
mod tests {
    use super::{line, normal};

    #[test]
    fn a_line_of_a_table_is_read_back() {
        let (name, (signature, life)) =
            line("    fn cuOld(Flags: core::ffi::c_uint) -> CUresult = 11070, 11080;").unwrap();
        assert_eq!(
            (name.as_str(), signature.as_str()),
            ("cuOld", "(core::ffi::c_uint) -> CUresult")
        );
        assert_eq!((life.since, life.until), (11070, Some(11080)));
    }

    #[test]
    fn formatting_does_not_make_a_difference() {
        assert_eq!(
            normal("pub struct A { pub a : u8 }"),
            normal("pub struct A {\n    pub a: u8,\n}")
        );
        assert_ne!(
            normal("pub struct A { pub a : u8 }"),
            normal("pub struct A { pub a : u16 }")
        );
    }
}
