//! Issues as text for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style as Ansi};
use portway_api::manifest::{ProblemCode, Severity, Source};

use super::{Counts, Issue};

/// Of one code in one file, this many issues are printed; the rest is counted. Whoever made one mistake a
/// thousand times must still find the others.
const PRINTED_OF_A_KIND: usize = 20;

const BOLD: Ansi = Ansi::new().bold();
const HELP: Ansi = AnsiColor::Cyan.on_default();

/// What surrounds the issues.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style<'a> {
    /// Stands before each line.
    pub(crate) indent: &'a str,
}

/// Prints issues, which must be sorted: errors first, then warnings, then notes, with an empty line between.
pub(crate) fn render(issues: &[Issue], style: Style<'_>) -> String {
    let mut text = String::new();
    let mut printed = BTreeMap::<(Severity, Option<&Source>, &str), usize>::new();
    let mut severity = None;
    for issue in issues {
        if severity.is_some_and(|before| before != issue.severity) {
            push_left_out(&mut text, &printed, severity, style);
            text.push('\n');
        }
        severity = Some(issue.severity);
        let count = printed.entry(kind_of(issue)).or_default();
        *count += 1;
        if *count <= PRINTED_OF_A_KIND {
            push_issue(&mut text, issue, style);
        }
    }
    push_left_out(&mut text, &printed, severity, style);
    text
}

fn kind_of(issue: &Issue) -> (Severity, Option<&Source>, &str) {
    (issue.severity, issue.position.as_ref().map(|position| &position.source), &issue.code)
}

/// Where it is written. What could not be read has no lines.
fn place(issue: &Issue) -> Option<String> {
    let position = issue.position.as_ref()?;
    let is_without_lines = issue.code == ProblemCode::Unreadable.as_str();
    Some(if is_without_lines { position.source.to_string() } else { position.to_string() })
}

fn push_issue(text: &mut String, issue: &Issue, Style { indent }: Style<'_>) {
    text.push_str(indent);
    if let Some(place) = place(issue) {
        push(text, format_args!("{BOLD}{place}{BOLD:#}: "));
    }
    let color = color(issue.severity);
    push(text, format_args!("{color}{}[{}]{color:#}: ", issue.severity, issue.code));
    for part in [&issue.object, &issue.field].into_iter().flatten() {
        push(text, format_args!("{part}: "));
    }
    push(text, format_args!("{}\n", issue.message.replace('\n', " ")));
    if let Some(help) = &issue.help {
        let help = help.replace('\n', &format!("\n{indent}        "));
        push(text, format_args!("{indent}  {HELP}help{HELP:#}: {help}\n"));
    }
}

/// Says how many issues of one severity were left out.
fn push_left_out(
    text: &mut String,
    printed: &BTreeMap<(Severity, Option<&Source>, &str), usize>,
    severity: Option<Severity>,
    Style { indent }: Style<'_>,
) {
    for ((_, source, code), count) in printed.iter().filter(|((it, ..), _)| Some(*it) == severity) {
        if let Some(more) = count.checked_sub(PRINTED_OF_A_KIND).filter(|more| *more > 0) {
            let place = source.map(|source| format!(" in {source}")).unwrap_or_default();
            push(text, format_args!("{indent}… and {more} more of [{code}]{place}\n"));
        }
    }
}

fn color(severity: Severity) -> Ansi {
    let color = match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Blue,
    };
    color.on_default().bold()
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

/// One line, as a log has it.
impl std::fmt::Display for Issue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(place) = place(self) {
            write!(f, "{place}: ")?;
        }
        write!(f, "[{}] ", self.code)?;
        for part in [&self.object, &self.field].into_iter().flatten() {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " (help: {help})"))
    }
}

impl std::fmt::Display for Counts {
    /// As in `2 errors, 1 warning`; what there is none of is left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")];
        let words: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| crate::wording::counted(count, word))
            .collect();
        f.write_str(if words.is_empty() { "no problems" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use portway_api::manifest::Position;

    use super::*;

    fn issue(severity: Severity, line: u32, message: &str) -> Issue {
        Issue {
            severity,
            position: Some(Position { source: Source::new("a.yaml"), line, column: 3 }),
            code: "invalid-value".to_owned(),
            object: Some("Gateway a/b".to_owned()),
            field: Some("spec.x".to_owned()),
            message: message.to_owned(),
            help: None,
        }
    }

    fn plain(issues: &[Issue]) -> String {
        anstream::adapter::strip_str(&render(issues, Style::default())).to_string()
    }

    #[test]
    fn severities_stand_apart() {
        let mut issues = [
            issue(Severity::Error, 2, "bad"),
            issue(Severity::Warning, 1, "odd"),
            issue(Severity::Warning, 2, "odd again"),
        ];
        issues[1].help = Some("do\nthis".to_owned());
        issues[2].help = Some("do\nthis".to_owned());
        insta::assert_snapshot!(plain(&issues), @r"
        a.yaml:2:3: error[invalid-value]: Gateway a/b: spec.x: bad

        a.yaml:1:3: warning[invalid-value]: Gateway a/b: spec.x: odd
          help: do
                this
        a.yaml:2:3: warning[invalid-value]: Gateway a/b: spec.x: odd again
          help: do
                this
        ");
    }

    #[test]
    fn one_mistake_made_often_does_not_drown_the_others() {
        let mut issues: Vec<_> = (0..1000).map(|line| issue(Severity::Error, line, "bad")).collect();
        issues.push(issue(Severity::Note, 1, "by the way"));
        let text = plain(&issues);
        assert_eq!(text.lines().count(), PRINTED_OF_A_KIND + 3, "{text}");
        assert!(text.contains("… and 980 more of [invalid-value] in a.yaml\n\na.yaml:1:3: note"), "{text}");
        assert_eq!(Counts::of(&issues).to_string(), "1000 errors, 1 note");
    }
}
