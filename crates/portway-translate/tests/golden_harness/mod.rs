//! Runs the golden tests of a directory.

mod manifests;
mod report;

use std::net::{IpAddr, Ipv4Addr};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portway_api::gateway::{GatewayStatusAddress, IP_ADDRESS};
use portway_api::portway_parameters::TransportProtocol;
use portway_api::{ObjectKey, Snapshot};
use portway_translate::{AddressOutcome, Controllers, Options, translate};

/// The moment of every golden translation.
const NOW: &str = "2026-01-01T00:00:00Z";

/// Where Gateways without addresses are served, unless a case says otherwise.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// One file: manifests with the options to translate them with.
///
/// | line | means |
/// | --- | --- |
/// | `#! controllers: NAME...` | only classes of these controllers are ours (default: each is) |
/// | `#! default-addresses: IP...` | where Gateways without addresses are served (default: 192.0.2.1) |
/// | `#! cluster: NAMESPACE/NAME OUTCOME; OUTCOME...` | in a cluster, where this became of the addresses of a Gateway: `assigned IP [ROUTABILITY]`, `awaited WORDS`, `unusable WORDS` or `none WORDS` |
/// | `#! taken: NAMESPACE/NAME PORT WORDS` | in a cluster, where another Gateway has this TCP port at the address of this one |
/// | `#! lacks-trust-bundles` | in a cluster whose API server has no ClusterTrustBundles |
/// | `#! declared-namespaces-only` | a namespace that no manifest declares does not exist |
/// | `#! with: FILE...` | more manifests, relative to this one |
#[derive(Debug)]
struct Case {
    rule: String,
    snapshot: Snapshot,
    options: Options,
}

impl Case {
    fn read(path: &Path) -> Self {
        let text = read(path);
        let rule = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let rule = rule.unwrap_or_else(|| panic!("{}: the first line must say which rule", path.display()));
        let mut case = Self {
            rule: rule.to_owned(),
            snapshot: Snapshot::default(),
            options: Options {
                controllers: Controllers::Any,
                now: NOW.parse::<Timestamp>().unwrap(),
                implied_namespaces: true,
                trusted_hops: 0,
                default_addresses: vec![ADDRESS],
                cluster: None,
            },
        };
        case.insert(path, &text);
        for directive in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
            case.apply(path, directive);
        }
        case
    }

    fn apply(&mut self, path: &Path, directive: &str) {
        let (name, values) = directive.split_once(':').unwrap_or((directive, ""));
        let values = values.split_whitespace();
        match name.trim() {
            "controllers" => {
                self.options.controllers = Controllers::Named(values.map(str::to_owned).collect());
            }
            "default-addresses" => {
                self.options.default_addresses = values.map(|it| it.parse().unwrap()).collect();
            }
            "cluster" => {
                let (gateway, outcomes) = outcomes(directive);
                self.options.cluster.get_or_insert_default().addresses.insert(gateway, outcomes);
            }
            "taken" => {
                let words: Vec<_> = values.collect();
                let (namespace, name) = words[0].split_once('/').unwrap();
                let (gateway, port) = (ObjectKey::new(namespace, name), words[1].parse().unwrap());
                let ports = &mut self.options.cluster.get_or_insert_default().taken_ports;
                ports
                    .entry(gateway)
                    .or_default()
                    .insert((TransportProtocol::Tcp, port), words[2..].join(" "));
            }
            "lacks-trust-bundles" => {
                self.options.cluster.get_or_insert_default().lacks_trust_bundles = true;
            }
            "declared-namespaces-only" => self.options.implied_namespaces = false,
            "with" => {
                for file in values {
                    let path = path.with_file_name(file);
                    self.insert(&path, &read(&path));
                }
            }
            other => panic!("{}: there is no option {other}", path.display()),
        }
    }

    fn insert(&mut self, path: &Path, text: &str) {
        for object in manifests::objects(&path.display().to_string(), text) {
            let name = object.object_ref();
            assert!(!self.snapshot.insert(object), "{}: {name} is there twice", path.display());
        }
    }
}

fn outcomes(directive: &str) -> (ObjectKey, Vec<AddressOutcome>) {
    let (_, text) = directive.split_once(": ").unwrap();
    let (gateway, outcomes) = text.split_once(' ').unwrap();
    let (namespace, name) = gateway.split_once('/').unwrap();
    let outcome = |text: &str| {
        let (what, words) = text.trim().split_once(' ').unwrap();
        let (value, routability) = words.split_once(' ').unwrap_or((words, ""));
        let refused = |is_unusable| AddressOutcome::Refused {
            is_unusable,
            message: words.to_owned(),
            help: "ask for another".to_owned(),
        };
        match what {
            "assigned" => AddressOutcome::Assigned(GatewayStatusAddress {
                kind: Some(IP_ADDRESS.to_owned()),
                value: value.to_owned(),
                routability: Some(routability.to_owned()),
            }),
            "awaited" => AddressOutcome::Awaited(words.to_owned()),
            "unusable" => refused(true),
            "none" => refused(false),
            other => panic!("{directive}: there is no outcome {other}"),
        }
    };
    (ObjectKey::new(namespace, name), outcomes.split(';').map(outcome).collect())
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Translates every file of `tests/golden/NAME` and compares with its snapshot.
pub(crate) fn check_directory(name: &str) {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|it| is_yaml(it))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", directory.display());
    let failed: Vec<_> =
        files.iter().filter(|file| catch_unwind(|| check(&directory, file)).is_err()).collect();
    assert!(failed.is_empty(), "{} of {} cases differ: {failed:#?}", failed.len(), files.len());
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "yaml")
}

fn check(directory: &Path, file: &Path) {
    let case = Case::read(file);
    let translation = translate(&case.snapshot, &case.options);
    for configuration in translation.configurations.values() {
        let (_, refused) = portway_route::Router::compile(configuration);
        assert!(refused.is_empty(), "{}: the matcher cannot serve {refused:?}", file.display());
    }
    let report = report::Report::new(&translation);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(directory);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(&case.rule);
    let name = file.file_stem().unwrap().to_str().unwrap();
    settings.bind(|| insta::assert_yaml_snapshot!(name, report));
}
