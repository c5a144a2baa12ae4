//! `CUDA_VISIBLE_DEVICES`, read as CUDA reads it.

/// What the variable asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// The entries that count, in order.
    pub entries: Vec<Entry>,
    /// The entry that cuts off itself and everything after it, as it was written.
    pub cut: Option<Cut>,
}

/// One entry of the variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A number.
    Index(u32),
    /// A UUID or the beginning of one: `GPU-…` or `MIG-…`.
    Uuid(String),
}

/// Why the rest of the list does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The place in the list, counted from 0.
    pub place: usize,
    /// The entry.
    pub entry: String,
    /// What is wrong with it.
    pub why: String,
}

impl Visible {
    /// Reads the variable's text, knowing nothing of the machine.
    ///
    /// CUDA stops at the first entry that it does not understand: everything before counts, nothing
    /// after. A number may be followed by anything, `1abc` is 1. No entry at all hides every device.
    pub fn parse(text: &str) -> Self {
        let mut visible = Self {
            entries: Vec::new(),
            cut: None,
        };
        if text.trim().is_empty() {
            return visible;
        }
        for (place, raw) in text.split(',').enumerate() {
            let entry = raw.trim();
            let cut = |why: &str| {
                Some(Cut {
                    place,
                    entry: raw.to_owned(),
                    why: why.to_owned(),
                })
            };
            if entry.starts_with("GPU-") || entry.starts_with("MIG-") {
                visible.entries.push(Entry::Uuid(entry.to_owned()));
                continue;
            }
            let digits: String = entry
                .strip_prefix('+')
                .unwrap_or(entry)
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            if digits.is_empty() {
                visible.cut = cut(if entry.starts_with('-') {
                    "a negative number ends the list"
                } else if entry.is_empty() {
                    "an empty entry ends the list"
                } else {
                    "neither a number nor a UUID"
                });
                return visible;
            }
            match digits.parse() {
                Ok(index) => visible.entries.push(Entry::Index(index)),
                Err(_) => {
                    visible.cut = cut("no such number");
                    return visible;
                }
            }
        }
        visible
    }

    /// Applies the list to a machine: which of its devices CUDA shows, as positions in `uuids`.
    ///
    /// `uuids` are the devices in the order in which CUDA counts them. An index beyond them, a UUID
    /// that fits none or several, and a device named twice end the list.
    pub fn apply(&self, uuids: &[String]) -> (Vec<usize>, Option<Cut>) {
        let mut shown = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let cut = |entry: String, why: String| Some(Cut { place, entry, why });
            let position = match entry {
                Entry::Index(index) => {
                    let position = *index as usize;
                    if position >= uuids.len() {
                        return (
                            shown,
                            cut(
                                index.to_string(),
                                format!("there are {} devices, counted from 0", uuids.len()),
                            ),
                        );
                    }
                    position
                }
                Entry::Uuid(wanted) => {
                    // The prefix alone names nothing.
                    let mut fits = uuids
                        .iter()
                        .enumerate()
                        .filter(|(_, uuid)| wanted.len() > 4 && uuid.starts_with(wanted.as_str()));
                    match (fits.next(), fits.next()) {
                        (Some((position, _)), None) => position,
                        (Some(_), Some(_)) => {
                            return (
                                shown,
                                cut(wanted.clone(), "more than one device fits".into()),
                            );
                        }
                        (None, _) => {
                            return (shown, cut(wanted.clone(), "no device has this UUID".into()));
                        }
                    }
                }
            };
            if shown.contains(&position) {
                // CUDA takes a list with a repetition for a mistake: cuInit answers 101.
                let name = match entry {
                    Entry::Index(index) => index.to_string(),
                    Entry::Uuid(uuid) => uuid.clone(),
                };
                return (
                    Vec::new(),
                    cut(
                        name,
                        "this device is named twice, for which cuInit answers 101".into(),
                    ),
                );
            }
            shown.push(position);
        }
        (shown, self.cut.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Vec<String> {
        ["GPU-aaaa-1", "GPU-aabb-2", "GPU-cccc-3"]
            .map(str::to_owned)
            .to_vec()
    }

    fn shown(text: &str) -> (Vec<usize>, Option<String>) {
        let (shown, cut) = Visible::parse(text).apply(&machine());
        (shown, cut.map(|cut| cut.entry))
    }

    #[test]
    fn numbers_and_uuids_choose_and_order() {
        assert_eq!(shown("2,0"), (vec![2, 0], None));
        assert_eq!(shown(" 1 , 2 "), (vec![1, 2], None));
        assert_eq!(shown("GPU-cc,GPU-aab"), (vec![2, 1], None));
        assert_eq!(shown("1abc"), (vec![1], None));
    }

    #[test]
    fn empty_hides_everything() {
        assert_eq!(shown(""), (vec![], None));
        assert_eq!(shown("  "), (vec![], None));
    }

    #[test]
    fn the_first_mistake_ends_the_list() {
        assert_eq!(shown("0,-1,1"), (vec![0], Some("-1".into())));
        assert_eq!(shown("-1"), (vec![], Some("-1".into())));
        assert_eq!(shown("1,7,0"), (vec![1], Some("7".into())));
        assert_eq!(shown("0,x,1"), (vec![0], Some("x".into())));
        assert_eq!(shown("0,,1"), (vec![0], Some(String::new())));
        assert_eq!(shown("0,GPU-zz,1"), (vec![0], Some("GPU-zz".into())));
        assert_eq!(shown("GPU-aa"), (vec![], Some("GPU-aa".into())));
    }

    #[test]
    fn a_device_named_twice_hides_everything() {
        assert_eq!(shown("0,0"), (vec![], Some("0".into())));
        assert_eq!(shown("0,GPU-aaaa"), (vec![], Some("GPU-aaaa".into())));
    }

    /// What a driver for CUDA 13.0 showed of two devices.
    #[test]
    fn the_reading_is_the_one_that_was_measured() {
        let pair = ["GPU-aaaa-1", "GPU-bbbb-2"].map(str::to_owned);
        for (text, expected) in [
            ("0", 1),
            ("", 0),
            ("-1", 0),
            ("0,0", 0),
            ("1", 1),
            ("0,1", 2),
            ("foo", 0),
            ("0x0", 1),
            (" 0", 1),
            ("GPU-", 0),
            ("00", 1),
            ("0,-1", 1),
            ("-1,0", 0),
            ("99", 0),
            (",0", 0),
            ("0,foo", 1),
            ("+0", 1),
            ("GPU-aa", 1),
        ] {
            let (shown, _) = Visible::parse(text).apply(&pair);
            assert_eq!(shown.len(), expected, "{text:?}");
        }
    }
}
