use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use super::SUPPORTED;

/// Features that we do not claim, with the reason.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("GatewayAddressRoutabilityCluster", "needs a provisioner that can ask for a ClusterIP"),
    ("GatewayInfrastructure", "needs a provisioner that creates labelled objects"),
];

/// `status.supportedFeatures` takes no more (CRD, maxItems).
const MAX_FEATURES: usize = 64;

#[test]
fn the_list_is_sorted_and_fits_into_the_status() {
    assert!(SUPPORTED.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(SUPPORTED.len() <= MAX_FEATURES);
}

/// Every feature that the API knows is either claimed, or listed here with the reason why it is not.
#[test]
fn every_feature_of_the_api_is_decided_upon() {
    let known = features_of_the_api();
    let decided: BTreeSet<_> = SUPPORTED
        .iter()
        .copied()
        .chain(UNSUPPORTED.iter().map(|(name, _)| *name))
        .map(str::to_owned)
        .collect();
    assert_eq!(decided, known);
}

/// The names in the Go source of the API, mesh left out: `Name FeatureName = "Name"`.
fn features_of_the_api() -> BTreeSet<String> {
    let directory = go_module_cache().join("sigs.k8s.io/gateway-api@v1.7.0/pkg/features");
    let files = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make deps`", directory.display()));
    let mut names = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("Support")) {
            let name = line.split('"').nth(1).filter(|name| !name.starts_with("Mesh"));
            names.extend(name.map(str::to_owned));
        }
    }
    assert!(names.contains("HTTPRoute"), "no features found in {}", directory.display());
    names
}

fn go_module_cache() -> PathBuf {
    if let Some(cache) = std::env::var_os("GOMODCACHE") {
        return cache.into();
    }
    if let Ok(output) = Command::new("go").args(["env", "GOMODCACHE"]).output() {
        let cache = String::from_utf8(output.stdout).unwrap();
        if !cache.trim().is_empty() {
            return cache.trim().into();
        }
    }
    PathBuf::from(std::env::var_os("HOME").unwrap()).join("go/pkg/mod")
}
