//! How the command behaves towards shells and pipes, with the real binary.

use std::fs::File;
use std::process::{Command, Stdio};

use assert_cmd::prelude::*;

fn cuwhy(arguments: &[&str]) -> Command {
    let mut command = Command::new(cuwhy_tests::executable("cuwhy-cli", "cuwhy"));
    command.args(arguments);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn a_wrong_argument_is_2_and_leaves_the_data_empty() {
    for wrong in [
        &["no-such-thing"][..],
        &["completions"],
        &["--no-such"],
        &[],
    ] {
        cuwhy(wrong).assert().code(2).stdout("");
    }
}

#[test]
fn help_and_version_are_data() {
    for right in ["--help", "--version"] {
        cuwhy(&[right]).assert().code(0).stderr("");
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let mut child = cuwhy(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_full_disk_is_5() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    cuwhy(&["completions", "bash"])
        .stdout(full)
        .assert()
        .code(5);
}

#[test]
fn colour_obeys_the_environment() {
    let escapes = |variables: &[(&str, &str)]| {
        let output = cuwhy(&["--help"])
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!escapes(&[]), "a pipe gets no colour");
    assert!(escapes(&[("CLICOLOR_FORCE", "1")]));
    assert!(!escapes(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!escapes(&[("TERM", "dumb")]));
}

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = cuwhy(&["completions", shell]).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("cuwhy"));
    }
}

#[test]
fn the_manual_is_a_page_and_a_folder_of_pages() {
    let output = cuwhy(&["man"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains(".TH cuwhy 1"));
    cuwhy(&["man", "--folder", "/proc/no-such-folder"])
        .assert()
        .code(5);
}
