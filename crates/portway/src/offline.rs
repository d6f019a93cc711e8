//! Manifests, read and translated once: what `check` and `explain` ask.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use portway_api::manifest::{self, FieldPath, Origin, Problem, Reading, Severity, Source};
use portway_api::{Object, ObjectKey, Snapshot};
use portway_translate::{Controllers, Finding, FindingCode, Options, Translation, translate};

use crate::endpoints;
use crate::issue::{self, Issue, Origins};

/// Manifests with what they mean.
#[derive(Debug)]
pub(crate) struct Offline {
    /// Number of files.
    pub(crate) files: usize,
    /// The first of them.
    pub(crate) first_source: Option<Source>,
    /// Number of objects that can be used.
    pub(crate) objects: usize,
    pub(crate) origins: Origins,
    pub(crate) snapshot: Snapshot,
    pub(crate) translation: Translation,
    /// Of reading and of translation, not sorted yet.
    pub(crate) issues: Vec<Issue>,
}

impl Offline {
    /// Reads and translates.
    pub(crate) fn read(paths: &[PathBuf], now: Timestamp) -> Self {
        let loaded = manifest::load(paths);
        let Reading { objects, refused, problems } = loaded.read();
        let faulty = faulty_fields(&problems);
        let mut issues: Vec<_> = problems.into_iter().map(Issue::from).collect();
        let (mut snapshot, mut origins) = (Snapshot::default(), Origins::default());
        let count = objects.len();
        origins.note_errors(&issues);
        for (object, origin) in objects {
            origins.insert(object.object_ref(), origin);
            snapshot.insert(object);
        }
        let translation = translate(&snapshot, &options(now));
        let findings =
            translation.findings.iter().filter(|finding| !is_left_to_a_cluster(finding, &snapshot));
        issues.extend(findings.map(|finding| Issue::found(finding, &origins)));
        issues.extend(of_refused(refused, &snapshot, &faulty, now));
        let first_source = loaded.texts.first().map(|text| text.source.clone());
        let files = loaded.texts.len();
        Self { files, first_source, objects: count, origins, snapshot, translation, issues }
    }
}

/// The fields in which reading has found errors, of each object.
type FaultyFields = BTreeMap<String, Vec<FieldPath>>;

fn faulty_fields(problems: &[Problem]) -> FaultyFields {
    let mut fields = FaultyFields::new();
    for problem in problems.iter().filter(|it| it.severity == Severity::Error) {
        if let Some((object, field)) = problem.object.as_ref().zip(problem.field.as_ref()) {
            fields.entry(issue::with_namespace(object)).or_default().push(field.clone());
        }
    }
    fields
}

/// What else is wrong with objects that are left out because of errors, as if they were not: who mends one mistake wants no
/// second surprise. What was told of a field is not told again.
fn of_refused(
    refused: Vec<(Object, Origin)>,
    snapshot: &Snapshot,
    faulty: &FaultyFields,
    now: Timestamp,
) -> Vec<Issue> {
    if refused.is_empty() {
        return Vec::new();
    }
    let (mut snapshot, mut origins) = (snapshot.clone(), Origins::default());
    for (object, origin) in refused {
        origins.insert(object.object_ref(), origin);
        snapshot.insert(object);
    }
    let is_told = |finding: &Finding| {
        let field = finding.field.parse::<FieldPath>().unwrap_or_default();
        let told = faulty
            .get(&issue::with_namespace(&finding.object.to_string()))
            .map(Vec::as_slice)
            .unwrap_or_default();
        told.iter().any(|it| it.starts_with(&field) || field.starts_with(it))
    };
    let findings = translate(&snapshot, &options(now)).findings;
    let new = findings.iter().filter(|finding| origins.start(&finding.object).is_some() && !is_told(finding));
    new.filter(|finding| !is_left_to_a_cluster(finding, &snapshot))
        .map(|finding| Issue::found(finding, &origins))
        .collect()
}

/// Whether a finding would be gone in a cluster, which finds the endpoints of a selector by itself. That manifests name
/// none is as it should be; `portway run`, without a cluster, tells of it.
fn is_left_to_a_cluster(finding: &Finding, snapshot: &Snapshot) -> bool {
    if finding.code != FindingCode::NoEndpoints {
        return false;
    }
    let key =
        ObjectKey::new(finding.object.namespace.clone().unwrap_or_default(), finding.object.name.clone());
    let selector = snapshot.services.get(&key).and_then(|it| it.spec.as_ref()?.selector.as_ref());
    selector.is_some_and(|selector| !selector.is_empty()) && !endpoints::has_endpoints(snapshot, &key)
}

/// As `portway run` translates by default.
fn options(now: Timestamp) -> Options {
    Options {
        controllers: Controllers::Any,
        now,
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        cluster: None,
    }
}
