//! The public functions of the two layers, read from their sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cuwhy_tests::{House, house};
use proc_macro2::TokenTree;
use quote::ToTokens as _;
use syn::{Attribute, Block, FnArg, ImplItem, Item, Meta, Signature, TraitItem, Visibility};

use crate::Case;

/// A public function.
#[derive(Debug)]
pub(crate) struct Function {
    /// `room Type::function`, as rows call it.
    pub(crate) name: String,
    /// Whether it returns a `Result`.
    pub(crate) fails: bool,
    /// The names and types of its parameters.
    parameters: Vec<(String, String)>,
    /// The C functions that its documentation says it calls, or that of its type.
    pub(crate) says: Vec<String>,
    /// The C names under which it is found.
    aliases: Vec<String>,
    /// The C functions that stand in its body.
    pub(crate) calls: BTreeSet<String>,
}

impl Function {
    /// The cases that its parameters ask for.
    pub(crate) fn asks(&self) -> BTreeSet<Case> {
        let mut cases = BTreeSet::new();
        for (name, of) in &self.parameters {
            let raw = ["Address", "c_void", "Copy2d", "Copy3d"];
            if raw.iter().any(|word| of.contains(word)) {
                cases.extend([Case::Null, Case::Dangling]);
            }
            if of == "usize" || of == "Bytes" {
                cases.extend([Case::Zero, Case::Beyond]);
            }
            if of.contains("[T]") || of.contains("[u8]") {
                cases.insert(Case::Zero);
            }
            if name == "ordinal" {
                cases.insert(Case::Ordinal);
            }
        }
        cases
    }

    /// Whether it is found by one of the C functions that it calls.
    pub(crate) fn has_alias(&self) -> bool {
        let same = |alias: &String| {
            self.calls.iter().any(|call| {
                call == alias
                    || call
                        .strip_prefix(alias.as_str())
                        .is_some_and(|rest| rest.starts_with("_v"))
            })
        };
        self.aliases.iter().any(same)
    }
}

/// All public functions of a layer; nothing where the sources are not there.
pub(crate) fn functions(layer: &str) -> Option<Vec<Function>> {
    let House::Workspace(root) = house() else {
        return None;
    };
    let mut found = Vec::new();
    let source = root.join(layer).join("src");
    walk(&source, &mut |file| {
        let inner = file.strip_prefix(&source).expect("it lies inside");
        let text = fs::read_to_string(file).expect("a source file");
        let parsed = syn::parse_file(&text).expect("it compiles");
        let first = inner.components().next().expect("a name").as_os_str();
        let room = Path::new(first).file_stem().and_then(|name| name.to_str());
        let stem = file.file_stem().and_then(|name| name.to_str());
        let (room, stem) = (room.expect("a room"), stem.expect("a name"));
        let room = if room == "context" { "device" } else { room };
        read(&parsed.items, room, stem.starts_with("raw"), &mut found);
    });
    Some(found)
}

fn walk(folder: &Path, run: &mut dyn FnMut(&PathBuf)) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, run);
        } else {
            run(&path);
        }
    }
}

fn read(items: &[Item], room: &str, raw: bool, found: &mut Vec<Function>) {
    let mut types = Vec::new();
    for item in items {
        if let Item::Struct(item) = item {
            types.push((item.ident.to_string(), said(&item.attrs)));
        }
    }
    for item in items {
        match item {
            Item::Fn(item) if public(&item.vis) => {
                let raw = raw || (room == "copy" && item.sig.unsafety.is_some());
                let name = item.sig.ident.to_string();
                let name = if raw {
                    format!("{room} raw::{name}")
                } else {
                    format!("{room} {name}")
                };
                found.push(function(
                    name,
                    &item.sig,
                    &item.attrs,
                    Some(&item.block),
                    &[],
                ));
            }
            Item::Impl(of) => {
                let name = of.self_ty.to_token_stream().to_string();
                let name = name.split([' ', '<']).next().unwrap_or_default().to_owned();
                let from_type = types.iter().find(|(known, _)| *known == name);
                let says: &[String] = from_type.map_or(&[], |(_, says)| says);
                let name = if name == "Context" {
                    "Device".to_owned()
                } else {
                    name
                };
                for item in &of.items {
                    let ImplItem::Fn(item) = item else { continue };
                    if public(&item.vis) {
                        let name = format!("{room} {name}::{}", item.sig.ident);
                        found.push(function(
                            name,
                            &item.sig,
                            &item.attrs,
                            Some(&item.block),
                            says,
                        ));
                    }
                }
            }
            Item::Trait(of) if public(&of.vis) => {
                for item in &of.items {
                    let TraitItem::Fn(item) = item else { continue };
                    let name = format!("{room} {}::{}", of.ident, item.sig.ident);
                    found.push(function(
                        name,
                        &item.sig,
                        &item.attrs,
                        item.default.as_ref(),
                        &[],
                    ));
                }
            }
            Item::Mod(of) if public(&of.vis) => {
                if let Some((_, items)) = &of.content {
                    read(items, room, raw || of.ident == "raw", found);
                }
            }
            _ => {}
        }
    }
}

fn public(of: &Visibility) -> bool {
    matches!(of, Visibility::Public(_))
}

fn function(
    name: String,
    signature: &Signature,
    attributes: &[Attribute],
    body: Option<&Block>,
    type_says: &[String],
) -> Function {
    let parameters = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(of) => {
            let text = |tokens: &dyn quote::ToTokens| {
                tokens.to_token_stream().to_string().replace(' ', "")
            };
            Some((text(&of.pat), text(&of.ty)))
        }
        FnArg::Receiver(_) => None,
    });
    let mut says = said(attributes);
    let output = signature.output.to_token_stream().to_string();
    // A type says how it is made.
    if says.is_empty() && output.contains("Self") {
        says = type_says.to_vec();
    }
    let mut calls = BTreeSet::new();
    if let Some(body) = body {
        names(body.to_token_stream(), &mut calls);
    }
    Function {
        name,
        fails: output.contains("Result <"),
        parameters: parameters.collect(),
        says,
        aliases: aliases(attributes),
        calls,
    }
}

/// The C functions that a body calls: methods of their names.
fn names(tokens: proc_macro2::TokenStream, into: &mut BTreeSet<String>) {
    let mut method = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) => names(group.stream(), into),
            TokenTree::Ident(name) if method && is_c(&name.to_string()) => {
                into.insert(name.to_string());
            }
            _ => {}
        }
        method = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '.');
    }
}

/// Whether a word is the name of a C function.
fn is_c(word: &str) -> bool {
    let rest = word
        .strip_prefix("cuda")
        .or_else(|| word.strip_prefix("cu"));
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The documentation's lines.
fn lines(attributes: &[Attribute]) -> Vec<String> {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let syn::Expr::Lit(text) = &pair.value
            && let syn::Lit::Str(text) = &text.lit
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines
}

/// The C functions of the paragraph that says which API it is.
fn said(attributes: &[Attribute]) -> Vec<String> {
    let lines = lines(attributes);
    let begins =
        |line: &String| line.starts_with("Driver API:") || line.starts_with("Runtime API:");
    let paragraph = lines
        .iter()
        .skip_while(|line| !begins(line))
        .take_while(|line| !line.is_empty());
    let text: Vec<_> = paragraph.map(String::as_str).collect();
    let text = text.join(" ");
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| is_c(word))
        .map(str::to_owned)
        .collect()
}

/// The names of `#[doc(alias = "…")]`.
fn aliases(attributes: &[Attribute]) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in attributes {
        if let Meta::List(list) = &attribute.meta
            && list.path.is_ident("doc")
        {
            for token in list.tokens.clone() {
                if let TokenTree::Literal(text) = token {
                    found.push(text.to_string().trim_matches('"').to_owned());
                }
            }
        }
    }
    found
}
