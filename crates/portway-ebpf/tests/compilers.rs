//! The kernel's verifier accepts what the oldest and the newest supported compiler make of the programs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;

use aya::EbpfLoader;
use aya::programs::SchedClassifier;
use portway_ebpf::kernel::{EGRESS, INGRESS, SEND};
use portway_ebpf::policy::{ENTER, FROM_POD, LEAVE, TO_POD};

fn verifier_accepts_what_comes_of(compiler: &str) {
    accepts(compiler, "portway.bpf.c", &[INGRESS, EGRESS, SEND]);
    accepts(compiler, "policy.bpf.c", &[FROM_POD, TO_POD, ENTER, LEAVE]);
}

fn accepts(compiler: &str, source: &str, names: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("programs.o");
    let headers = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(compiler)
        .args([
            "-std=gnu11",
            "-O2",
            "-g",
            "-mcpu=v3",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-target",
            "bpf",
            &headers,
        ])
        .args(["-c", &format!("bpf/{source}"), "-o"])
        .arg(&object)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}; `tools/setup test` installs it"));
    assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr));
    let mut programs = EbpfLoader::new().load_file(&object).unwrap();
    for name in names {
        let program: &mut SchedClassifier = programs.program_mut(name).unwrap().try_into().unwrap();
        program.load().unwrap_or_else(|error| panic!("{name} by {compiler}: {error:?}"));
    }
}

#[test]
fn clang_14() {
    verifier_accepts_what_comes_of("clang-14");
}

#[test]
fn clang_19() {
    verifier_accepts_what_comes_of("clang-19");
}
