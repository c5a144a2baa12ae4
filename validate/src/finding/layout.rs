//! Lines that fit a width.

/// Breaks `text` into lines of at most `width` columns, at spaces where there are any.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(20);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let length = columns(word);
        if used > 0 && used + 1 + length > width {
            lines.push(core::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.push(line);
    lines
}

/// How many columns a text takes; wide characters are counted as two.
pub(super) fn columns(text: &str) -> usize {
    text.chars()
        .map(|letter| match u32::from(letter) {
            0x300..=0x36f | 0x200b..=0x200f => 0,
            0x1100..=0x115f
            | 0x2e80..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xfe30..=0xfe6f
            | 0xff00..=0xff60
            | 0xffe0..=0xffe6
            | 0x1f300..=0x1faff => 2,
            _ => 1,
        })
        .sum()
}

/// Replaces what a terminal would act on, and with `ascii` everything that is not ASCII.
pub(super) fn clean(text: &str, ascii: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || ascii && !letter.is_ascii() {
            clean.extend(letter.escape_default());
        } else {
            clean.push(letter);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit() {
        let lines = wrap("one two three four five six seven eight", 20);
        assert_eq!(lines, ["one two three four", "five six seven eight"]);
        assert_eq!(wrap("", 40), [""]);
        assert_eq!(wrap(&"x".repeat(50), 20).len(), 1);
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_act_on() {
        assert_eq!(clean("a\x1b[31mb\n", false), "a\\u{1b}[31mb\\n");
        assert_eq!(clean("größe", true), "gr\\u{f6}\\u{df}e");
        assert_eq!(clean("größe", false), "größe");
        assert_eq!(columns("漢字"), 4);
    }
}
