//! Golden tests: manifests in, configurations, statuses and findings out.
//!
//! Each `tests/golden/*/*.yaml` is one rule of the specification; its first line says which, in our
//! own words. What comes out stands beside it as `NAME.snap`. After a change that is meant, look at
//! the differences and run `INSTA_UPDATE=always cargo test -p portway-translate --test golden`.
//!
//! Lines that begin with `#!` set options of the translation; see `golden_harness::Case`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod golden_harness;

use golden_harness::check_directory;

#[test]
fn listeners() {
    check_directory("listeners");
}

#[test]
fn routes() {
    check_directory("routes");
}
