//! What somebody may have meant by a name that is none.

use strsim::damerau_levenshtein;

/// The most names that are offered.
const MOST: usize = 8;

/// The names that are like `word`, the nearest first: a few letters differ, or `related` says so.
pub(crate) fn near<'a>(
    word: &str,
    names: impl IntoIterator<Item = &'a str>,
    related: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let most = word.len().max(4) / 3;
    let mut like: Vec<(usize, &str)> = names
        .into_iter()
        .map(|name| (damerau_levenshtein(word, name), name))
        .filter(|(distance, name)| *distance <= most || related(name))
        .collect();
    like.sort_unstable();
    like.truncate(MOST);
    like.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::{MOST, near};

    #[test]
    fn the_nearest_comes_first_and_what_is_not_like_it_is_left_out() {
        let names = ["memory_used_bytes", "uuid", "memory_total_bytes"];
        let alike = near("memory_totl_bytes", names, |_| false);
        assert_eq!(alike, ["memory_total_bytes", "memory_used_bytes"]);
        assert_eq!(near("power", names, |_| false), <[&str; 0]>::default());
    }

    #[test]
    fn relatives_are_offered_and_no_more_than_a_few() {
        let names: Vec<String> = (0..20).map(|number| format!("memory_{number}")).collect();
        let names = names.iter().map(String::as_str);
        assert_eq!(
            near("memory", names, |name| name.starts_with("memory")).len(),
            MOST
        );
    }
}
