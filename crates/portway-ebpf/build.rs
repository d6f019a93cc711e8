//! Compiles the eBPF programs. What comes of it is a part of the binary (src/object.rs).

#![allow(clippy::panic, reason = "how a build script says what is missing")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names under which distributions install clang, the one without a version first. Any from 14 on will do.
const COMPILERS: [&str; 8] =
    ["clang", "clang-14", "clang-15", "clang-16", "clang-17", "clang-18", "clang-19", "clang-20"];

const MISSING: &str = "
The eBPF programs of Portway are compiled by clang (14 or later), which is not here. Install it, and what they include:

    tools/setup run
    # or, on Debian and Ubuntu: sudo apt-get install clang libbpf-dev libc6-dev
    # or, on Fedora: sudo dnf install clang libbpf-devel kernel-headers

PORTWAY_CLANG=PATH names a clang that is elsewhere.
";

fn main() {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=PORTWAY_CLANG");
    let compiler = compiler().unwrap_or_else(|| panic!("{MISSING}"));
    compile(&compiler, "portway");
    compile(&compiler, "policy");
}

/// Makes an object of `bpf/NAME.bpf.c`.
fn compile(compiler: &str, name: &str) {
    let source = format!("bpf/{name}.bpf.c");
    let object = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(format!("{name}.bpf.o"));
    let output = Command::new(compiler)
        .args(["-std=gnu11", "-O2", "-g", "-mcpu=v3", "-Wall", "-Wextra", "-Werror"])
        .args(target())
        .args(["-c", &source, "-o"])
        .arg(&object)
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            panic!(
                "{compiler} does not compile {source}:\n{}{MISSING}",
                String::from_utf8_lossy(&output.stderr)
            )
        }
        Err(error) => panic!("cannot run {compiler}: {error}"),
    }
}

fn compiler() -> Option<String> {
    if let Ok(named) = env::var("PORTWAY_CLANG") {
        return Some(named);
    }
    let runs =
        |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success());
    COMPILERS.iter().find(runs).map(|it| (*it).to_owned())
}

/// The byte order of the machine that it is for, and where Debian keeps the headers of its architecture (`asm/`).
fn target() -> Vec<String> {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let is_little = env::var("CARGO_CFG_TARGET_ENDIAN").is_ok_and(|it| it == "little");
    let target = if is_little { "bpfel" } else { "bpfeb" };
    let mut arguments = vec!["-target".to_owned(), target.to_owned()];
    let headers = format!("/usr/include/{architecture}-linux-gnu");
    if Path::new(&headers).is_dir() {
        arguments.push(format!("-I{headers}"));
    }
    arguments
}
