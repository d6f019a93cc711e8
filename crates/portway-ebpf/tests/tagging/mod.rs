//! Programs that tag packets, compiled for the tests that need them.

use std::path::Path;
use std::process::Command;

use aya::{Ebpf, EbpfLoader};

pub(crate) fn load() -> Ebpf {
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("tagging.o");
    let headers = format!("-I/usr/include/{}-linux-gnu", std::env::consts::ARCH);
    let status = Command::new("clang-19")
        .args(["-std=gnu11", "-O2", "-g", "-mcpu=v3", "-target", "bpf", &headers])
        .args(["-c", "tests/tagging/tagging.bpf.c", "-o"])
        .arg(&object)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status();
    assert!(status.unwrap().success(), "clang-19: `tools/setup test` installs it");
    EbpfLoader::new().load_file(&object).unwrap()
}
