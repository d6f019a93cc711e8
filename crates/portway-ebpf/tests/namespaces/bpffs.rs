//! A file system for maps and programs that outlive those who made them.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub(crate) struct Bpffs(TempDir);

impl Bpffs {
    pub(crate) fn new() -> Self {
        let it = Self(tempfile::tempdir().unwrap());
        let mounted = Command::new("mount").args(["-t", "bpf", "bpf"]).arg(it.0.path()).status();
        assert!(mounted.unwrap().success(), "a bpffs: this test needs root");
        it
    }

    pub(crate) fn pins(&self) -> PathBuf {
        Path::new(self.0.path()).join("portway")
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}
