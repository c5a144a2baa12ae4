//! Just enough PTX to know a program's variables and functions.

/// A variable of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) size: usize,
    /// Initial bytes; the rest is zero.
    pub(crate) initial: Vec<u8>,
    pub(crate) managed: bool,
    /// In constant memory.
    pub(crate) constant: bool,
}

/// A program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) variables: Vec<Variable>,
    pub(crate) functions: Vec<String>,
}

/// Reads the directives outside of function bodies.
pub(crate) fn parse(text: &str) -> Option<Program> {
    let text = without_comments(text);
    let mut program = Program::default();
    let mut rest = text.as_str();
    let mut has_version = false;
    if text.matches('{').count() != text.matches('}').count() {
        return None;
    }
    while let Some((statement, body, behind)) = next_statement(rest) {
        rest = behind;
        if statement.matches('(').count() != statement.matches(')').count() {
            return None;
        }
        let words: Vec<&str> = statement.split_ascii_whitespace().collect();
        has_version |= words.contains(&".version");
        if words.first() == Some(&".target")
            && !words.get(1).is_some_and(|target| is_known_target(target))
        {
            return None;
        }
        if let Some(name) = entry_name(statement) {
            program.functions.push(name);
        } else if let Some(space) = words
            .iter()
            .position(|word| matches!(*word, ".global" | ".const"))
        {
            let declared = words.get(space + 1..)?.join(" ");
            if !words.contains(&".extern") {
                let mut found = variable(&declared, body)?;
                found.constant = words.get(space) == Some(&".const");
                program.variables.push(found);
            }
        }
    }
    has_version.then_some(program)
}

/// `sm_` and a number that a driver for CUDA 13 has heard of, with the letters that newer ones carry.
fn is_known_target(word: &str) -> bool {
    const NEWEST: u32 = 121;
    let number = word
        .split(',')
        .next()
        .unwrap_or_default()
        .trim_start_matches("sm_");
    number
        .trim_end_matches(char::is_alphabetic)
        .parse::<u32>()
        .is_ok_and(|number| number <= NEWEST)
}

fn without_comments(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('/') {
        clean.push_str(&rest[..at]);
        let here = &rest[at..];
        rest = if here.starts_with("//") {
            here.find('\n').map_or("", |end| &here[end..])
        } else if here.starts_with("/*") {
            here.find("*/").map_or("", |end| &here[end + 2..])
        } else {
            clean.push('/');
            &here[1..]
        };
    }
    clean.push_str(rest.trim_end_matches('\0'));
    clean
}

/// One statement up to `;`, or up to a balanced `{…}`; `.version`, `.target` and `.address_size` end with their line.
fn next_statement(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.trim_start();
    if text.is_empty() {
        return None;
    }
    if [".version", ".target", ".address_size", ".file"]
        .iter()
        .any(|word| text.starts_with(word))
    {
        let end = text.find('\n').unwrap_or(text.len());
        return Some((&text[..end], "", &text[end..]));
    }
    let stop = text.find([';', '{'])?;
    if text[stop..].starts_with(';') {
        return Some((&text[..stop], "", &text[stop + 1..]));
    }
    let mut depth = 0usize;
    for (at, letter) in text[stop..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let end = stop + at + 1;
            let behind = text[end..].trim_start();
            return Some((
                &text[..stop],
                &text[stop + 1..end - 1],
                behind.strip_prefix(';').unwrap_or(behind),
            ));
        }
    }
    None
}

fn entry_name(statement: &str) -> Option<String> {
    let (_, behind) = statement.split_once(".entry")?;
    let name = behind
        .trim_start()
        .split(|letter: char| letter == '(' || letter.is_whitespace())
        .next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// `.align 4 .b8 name[256]`, `.u32 name = 5`, with the text between braces in `body`.
fn variable(declared: &str, body: &str) -> Option<Variable> {
    let (left, value) = match declared.split_once('=') {
        Some((left, value)) => (left.trim(), value.trim()),
        None => (declared.trim(), ""),
    };
    let managed = left.contains(".attribute(.managed)");
    let left = left.replace(".attribute(.managed)", " ");
    let mut unit = 0;
    let mut vector = 1;
    let mut named = String::new();
    let mut words = left.split_ascii_whitespace();
    while let Some(word) = words.next() {
        match word {
            ".align" => drop(words.next()?),
            ".v2" => vector = 2,
            ".v4" => vector = 4,
            kind if kind.starts_with('.') => unit = bytes_of(kind)?,
            name => named.push_str(name),
        }
    }
    let (name, shape) = named
        .split_once('[')
        .map_or((named.as_str(), ""), |(name, shape)| (name, shape));
    let values: Vec<&str> = body
        .split(',')
        .map(|value| value.trim_matches(['{', '}', ' ', '\t', '\n', '\r']))
        .collect();
    let values: Vec<&str> = if body.is_empty() { vec![value] } else { values };
    let values: Vec<&str> = values
        .into_iter()
        .filter(|value| !value.is_empty())
        .collect();
    let mut count = 1usize;
    for side in shape.split('[').filter(|side| !side.is_empty()) {
        let side = side.trim_end_matches(']').trim();
        count = count.checked_mul(if side.is_empty() {
            values.len()
        } else {
            side.parse().ok()?
        })?;
    }
    let mut initial = Vec::new();
    for value in values {
        initial.extend_from_slice(number(value).to_le_bytes().get(..unit)?);
    }
    (!name.is_empty() && unit > 0).then(|| Variable {
        name: name.to_owned(),
        size: unit * vector * count,
        initial,
        managed,
        constant: false,
    })
}

/// A literal; names and expressions that need an address are left as zero.
fn number(text: &str) -> u64 {
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |digits| (true, digits));
    let value = if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        u64::from_str_radix(hex.trim_end_matches('U'), 16)
    } else if let Some(float) = digits
        .strip_prefix("0f")
        .or_else(|| digits.strip_prefix("0d"))
    {
        u64::from_str_radix(float, 16)
    } else {
        digits.trim_end_matches('U').parse()
    };
    let value = value.unwrap_or(0);
    if negative {
        value.wrapping_neg()
    } else {
        value
    }
}

fn bytes_of(kind: &str) -> Option<usize> {
    match kind {
        ".b8" | ".u8" | ".s8" => Some(1),
        ".b16" | ".u16" | ".s16" | ".f16" => Some(2),
        ".b32" | ".u32" | ".s32" | ".f32" => Some(4),
        ".b64" | ".u64" | ".s64" | ".f64" => Some(8),
        ".texref" | ".samplerref" | ".surfref" => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_sizes_and_contents() {
        let program = parse(
            "// a comment; with a semicolon\n.version 8.0\n.target sm_80\n.address_size 64\n\n\
             .visible .global .align 4 .b8 table[256];\n.global .u32 five = 5;\n\
             .visible .const .align 8 .f64 pair[2] = {0d3FF0000000000000, 0d0000000000000000};\n\
             .visible .entry run(\n .param .u64 p\n)\n{\n .reg .b32 %r<4>; { ret; } \n}\n",
        )
        .unwrap();
        assert_eq!(program.functions, ["run"]);
        let sizes: Vec<_> = program
            .variables
            .iter()
            .map(|v| (v.name.as_str(), v.size))
            .collect();
        assert_eq!(sizes, [("table", 256), ("five", 4), ("pair", 16)]);
        assert_eq!(program.variables[1].initial, [5, 0, 0, 0]);
        assert_eq!(program.variables[2].initial[7], 0x3f);
    }

    #[test]
    fn text_that_is_no_program_is_refused() {
        assert_eq!(parse("hello {"), None);
        assert_eq!(parse(""), None);
    }
}
