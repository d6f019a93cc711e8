//! `portway check`: every problem in manifests.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use portway_proxy::snapshot::GatewaySnapshot;
use serde::Serialize;

use crate::cli::{CheckArgs, Output};
use crate::issue::{self, Counts, Issue, Style};
use crate::offline::Offline;
use crate::output;
use crate::wording::counted;

/// The answer as JSON. `docs/command-line.md` describes it.
#[derive(Debug, Serialize)]
struct Report {
    counts: Counts,
    files: usize,
    objects: usize,
    problems: Vec<Issue>,
}

pub(crate) fn run(args: &CheckArgs) -> ExitCode {
    let report = Report::of(Offline::read(&args.manifests.paths, Timestamp::now()));
    output::print(&match args.output {
        Output::Text => report.text(),
        Output::Json => output::json(&report),
    });
    report.exit_code()
}

impl Report {
    fn of(offline: Offline) -> Self {
        let mut problems = offline.issues;
        if offline.objects == 0 && problems.is_empty() {
            problems.push(Issue::nothing_in(offline.first_source));
        }
        for configuration in offline.translation.configurations.into_values() {
            // No socket is opened here.
            let (_, refused) = GatewaySnapshot::build(Arc::new(configuration), Vec::new(), None);
            problems.extend(refused.iter().map(|refused| Issue::refused(refused, &offline.origins)));
        }
        problems.sort();
        problems.dedup();
        let counts = Counts::of(&problems);
        Self { counts, files: offline.files, objects: offline.objects, problems }
    }

    fn text(&self) -> String {
        let mut text = issue::render(&self.problems, Style::default());
        if !text.is_empty() {
            text.push('\n');
        }
        let (files, objects) = (counted(self.files, "file"), counted(self.objects, "object"));
        text.push_str(&format!("{} in {files} with {objects}\n", self.counts));
        text
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.counts {
            Counts { errors: 1.., .. } => 2,
            Counts { warnings: 1.., .. } => 1,
            _ => 0,
        })
    }
}
