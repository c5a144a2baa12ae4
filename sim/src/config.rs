//! What is simulated: read from the one variable `CUWHY_SIM`.
//!
//! The variable holds `key=value` pairs, separated by commas or line ends; `@FILE` names a file that holds them, and
//! after a comma there may be more.
//! A word that is not understood is said on stderr and otherwise ignored, because a driver has no better way.
//!
//! | key | value | meaning |
//! | --- | --- | --- |
//! | `devices` | 0 to 64 (default 1) | how many devices |
//! | `profile` | `h200` (default), `gtx980`; `a+b` for one per device | which device they are |
//! | `memory` | bytes, or with `KiB`, `MiB`, `GiB` | memory of each device (default: the profile's) |
//! | `peers` | `all` (default), `none`, or pairs `0-1+1-2` | who may reach whom |
//! | `hmm` | `on`, `off` (default) | devices reach pageable memory |
//! | `registered` | `same` (default), `elsewhere` | the address that devices use for registered memory |
//! | `driver` | `13.0` (default) … | the CUDA version of the driver |
//! | `fail` | `FUNCTION:N:CODE`, several with `+` | the N-th call of a function answers CODE; N = `*` for every call |
//! | `oom` | bytes | out of memory beyond so many bytes per device |
//! | `quiet` | `on`, `off` (default) | no lines on stderr about what is not simulated |

use crate::model::code::{Code, Outcome};
use crate::profile::{self, Profile};

/// One device as configured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceConfig {
    pub(crate) profile: &'static Profile,
    pub(crate) memory: usize,
}

/// Who may reach whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peers {
    All,
    Pairs(Vec<(usize, usize)>),
}

impl Peers {
    pub(crate) fn allows(&self, from: usize, to: usize) -> bool {
        match self {
            Self::All => true,
            Self::Pairs(pairs) => pairs.contains(&(from, to)) || pairs.contains(&(to, from)),
        }
    }
}

/// A call that is to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) function: String,
    /// Counted from 1; nothing for every call.
    pub(crate) nth: Option<u32>,
    pub(crate) code: u32,
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) devices: Vec<DeviceConfig>,
    pub(crate) peers: Peers,
    pub(crate) hmm: bool,
    /// Registered memory has another address on devices.
    pub(crate) registered_elsewhere: bool,
    pub(crate) driver: u32,
    pub(crate) failures: Vec<Failure>,
    pub(crate) out_of_memory_at: Option<usize>,
    pub(crate) quiet: bool,
    /// `CUDA_VISIBLE_DEVICES` as it was.
    pub(crate) chosen: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let device = DeviceConfig {
            profile: &profile::H200,
            memory: profile::H200.memory,
        };
        Self {
            devices: vec![device],
            peers: Peers::All,
            hmm: false,
            registered_elsewhere: false,
            driver: 13000,
            failures: Vec::new(),
            out_of_memory_at: None,
            quiet: false,
            chosen: None,
        }
    }
}

impl Config {
    /// Reads the environment.
    pub(crate) fn from_environment() -> Self {
        let text = std::env::var("CUWHY_SIM").unwrap_or_default();
        let text = match text.strip_prefix('@') {
            Some(named) => {
                let (path, more) = named.split_once(',').unwrap_or((named, ""));
                let file = std::fs::read_to_string(path).unwrap_or_else(|error| {
                    crate::say(&format!(
                        "CUWHY_SIM names {path}, which cannot be read: {error}"
                    ));
                    String::new()
                });
                format!("{file}\n{more}")
            }
            None => text,
        };
        let (mut config, complaints) = Self::parse(&text);
        for complaint in complaints {
            crate::say(&format!("CUWHY_SIM: {complaint}"));
        }
        config.chosen = std::env::var("CUDA_VISIBLE_DEVICES").ok();
        config
    }

    /// Reads `key=value` pairs; also answers what was not understood.
    pub(crate) fn parse(text: &str) -> (Self, Vec<String>) {
        let mut config = Self::default();
        let mut count = 1;
        let mut profiles = vec![&profile::H200];
        let mut memory = None;
        let mut complaints = Vec::new();
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        for pair in lines
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "on"));
            let (key, value) = (key.trim(), value.trim());
            let understood = match key {
                "devices" => number(value).filter(|&n| n <= 64).map(|n| count = n),
                "profile" => value
                    .split('+')
                    .map(profile::by_name)
                    .collect::<Option<Vec<_>>>()
                    .map(|all| profiles = all),
                "memory" => bytes(value).map(|n| memory = Some(n)),
                "peers" => peers(value).map(|all| config.peers = all),
                "hmm" => switch(value).map(|on| config.hmm = on),
                "registered" => match value {
                    "same" => Some(false),
                    "elsewhere" => Some(true),
                    _ => None,
                }
                .map(|moved| config.registered_elsewhere = moved),
                "driver" => version(value).map(|n| config.driver = n),
                "fail" => failures(value).map(|all| config.failures.extend(all)),
                "oom" => bytes(value).map(|n| config.out_of_memory_at = Some(n)),
                "quiet" => switch(value).map(|on| config.quiet = on),
                _ => None,
            };
            if understood.is_none() {
                complaints.push(format!("\"{pair}\" is not understood"));
            }
        }
        config.devices = profiles
            .iter()
            .cycle()
            .take(count)
            .map(|profile| DeviceConfig {
                profile,
                memory: memory.unwrap_or(profile.memory),
            })
            .collect();
        (config, complaints)
    }

    /// The devices that the program may see, with their numbers, in its order. A device named twice is an error; the
    /// first word that names none hides the rest.
    pub(crate) fn visible(&self) -> Outcome<Vec<(usize, DeviceConfig)>> {
        let all: Vec<_> = self.devices.iter().copied().enumerate().collect();
        let Some(chosen) = &self.chosen else {
            return Ok(all);
        };
        let mut seen: Vec<(usize, DeviceConfig)> = Vec::new();
        for word in chosen.split(',').map(str::trim) {
            let Some(device) = all.iter().find(|(number, _)| named(word, *number)) else {
                break;
            };
            if seen.iter().any(|(number, _)| *number == device.0) {
                return Err(Code::INVALID_DEVICE);
            }
            seen.push(*device);
        }
        Ok(seen)
    }
}

/// A number, decimal or hexadecimal, or the beginning of a UUID.
fn named(word: &str, number: usize) -> bool {
    if let Some(start) = word.strip_prefix("GPU-") {
        return !start.is_empty() && profile::uuid_text(&profile::uuid(number)).starts_with(start);
    }
    match word.strip_prefix("0x") {
        Some(digits) => usize::from_str_radix(digits, 16) == Ok(number),
        None => word.parse() == Ok(number),
    }
}

fn number(text: &str) -> Option<usize> {
    text.parse().ok()
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "on" | "1" | "true" | "yes" => Some(true),
        "off" | "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

fn bytes(text: &str) -> Option<usize> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("B", 1),
    ];
    let (digits, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))
        .unwrap_or((text, 1));
    number(digits.trim())?.checked_mul(unit)
}

fn version(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    Some(major.parse::<u32>().ok()? * 1000 + minor.parse::<u32>().ok()? * 10)
}

fn peers(text: &str) -> Option<Peers> {
    match text {
        "all" => Some(Peers::All),
        "none" => Some(Peers::Pairs(Vec::new())),
        pairs => {
            let pair = |text: &str| {
                let (a, b) = text.split_once('-')?;
                Some((number(a)?, number(b)?))
            };
            pairs
                .split('+')
                .map(pair)
                .collect::<Option<Vec<_>>>()
                .map(Peers::Pairs)
        }
    }
}

fn failures(text: &str) -> Option<Vec<Failure>> {
    let one = |text: &str| {
        let mut parts = text.split(':');
        let function = parts.next()?.to_owned();
        let nth = match parts.next()? {
            "*" => None,
            digits => Some(digits.parse().ok()?),
        };
        Some(Failure {
            function,
            nth,
            code: parts.next()?.parse().ok()?,
        })
    };
    text.split('+').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_understood() {
        let (config, complaints) = Config::parse(
            "devices=3,profile=h200+gtx980,memory=1GiB,peers=0-1,hmm=on,driver=12.4,registered=elsewhere\n\
             fail=cuMemAlloc_v2:2:2+cuInit:*:999,oom=10MiB,quiet # said twice",
        );
        assert_eq!(complaints, Vec::<String>::new());
        assert_eq!(config.devices.len(), 3);
        assert_eq!(config.devices[1].profile.key, "gtx980");
        assert_eq!(config.devices[2].memory, 1 << 30);
        assert!(config.peers.allows(1, 0) && !config.peers.allows(1, 2));
        assert_eq!(
            (config.driver, config.hmm, config.quiet),
            (12040, true, true)
        );
        assert!(config.registered_elsewhere);
        assert!(
            !Config::parse("registered=same").0.registered_elsewhere,
            "the word says so"
        );
        assert_eq!(
            config.failures[0],
            Failure {
                function: "cuMemAlloc_v2".into(),
                nth: Some(2),
                code: 2
            }
        );
        assert_eq!(config.out_of_memory_at, Some(10 << 20));
    }

    #[test]
    fn the_page_about_it_has_every_key_with_an_example_that_is_understood() {
        const KEYS: [&str; 10] = [
            "devices",
            "profile",
            "memory",
            "peers",
            "hmm",
            "registered",
            "driver",
            "fail",
            "oom",
            "quiet",
        ];
        let page = include_str!("../../docs/sim.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells: Vec<Vec<&str>> = rows.map(|row| row.split('`').collect()).collect();
        let keys: Vec<_> = cells.iter().map(|row| row[0]).collect();
        assert_eq!(keys, KEYS);
        for row in &cells {
            let example = row[row.len() - 2];
            assert!(example.starts_with(row[0]), "{example}");
            assert_eq!(Config::parse(example).1, Vec::<String>::new());
            assert_eq!(Config::parse(&format!("{}=nonsense", row[0])).1.len(), 1);
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert_eq!(
            Config::parse("devises=2").1,
            ["\"devises=2\" is not understood"]
        );
        assert_eq!(Config::parse("memory=lots").1.len(), 1);
    }

    #[test]
    fn visible_devices_are_chosen_as_cuda_does() {
        let (mut config, _) = Config::parse("devices=3");
        let mut numbers = |chosen: &str| {
            config.chosen = Some(chosen.into());
            config
                .visible()
                .map(|all| all.iter().map(|(number, _)| *number).collect::<Vec<_>>())
        };
        assert_eq!(numbers("2,0"), Ok(vec![2, 0]));
        assert_eq!(numbers("1,7,0"), Ok(vec![1]));
        assert_eq!(numbers(" 0x1, +0"), Ok(vec![1, 0]));
        assert_eq!(numbers(""), Ok(vec![]));
        assert_eq!(numbers("-1,0"), Ok(vec![]));
        assert_eq!(numbers("GPU-"), Ok(vec![]));
        assert_eq!(numbers("1,1"), Err(Code::INVALID_DEVICE));
        let name = format!("GPU-{}", profile::uuid_text(&profile::uuid(1)));
        assert_eq!(numbers(&name), Ok(vec![1]));
    }
}
