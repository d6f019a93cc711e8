//! Walking an object and noting what is wrong with its fields.

use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive};

use super::syntax::Form;
use crate::manifest::{
    field_path::{FieldPath, Segment},
    limits,
    origin::Document,
    problem::{Problem, ProblemCode, Severity},
    wording::{did_you_mean, excerpt, listed},
};

/// A type whose values have rules beyond their shape.
pub(super) trait Validate {
    /// Notes every rule that the value breaks.
    fn validate(&self, check: &mut Check<'_>);
}

/// Where in which object the walk is, and what it found.
pub(super) struct Check<'d> {
    document: &'d Document,
    path: FieldPath,
    problems: Vec<Problem>,
}

impl<'d> Check<'d> {
    pub(super) fn new(document: &'d Document) -> Self {
        Self { document, path: FieldPath::root(), problems: Vec::new() }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// The document's version, such as `v1alpha2`.
    pub(super) fn version(&self) -> &'d str {
        let api_version = self.document.api_version().unwrap_or_default();
        api_version.rsplit('/').next().unwrap_or(api_version)
    }

    /// Walks into a field or item.
    pub(super) fn within(&mut self, segment: impl Into<Segment>, check: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        check(self);
        self.path.pop();
    }

    /// Notes a problem of the value that the walk is at.
    pub(super) fn note(&mut self, severity: Severity, message: impl Into<String>, help: Option<String>) {
        if self.problems.len() >= limits::MAX_VALIDATION_PROBLEMS {
            return;
        }
        let problem = Problem::new(severity, ProblemCode::InvalidValue, message)
            .of(self.document.label())
            .field(self.path.clone())
            .at(self.document.origin.value_position(&self.path));
        self.problems.push(Problem { help, ..problem });
    }

    /// Notes that the value that the walk is at is wrong.
    pub(super) fn refuse(&mut self, message: impl Into<String>) {
        self.note(Severity::Error, message, None);
    }

    /// Notes that a field is wrong, and what to do about it.
    pub(super) fn refuse_field(
        &mut self,
        segment: impl Into<Segment>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.within(segment, |check| check.note(Severity::Error, message, Some(help.into())));
    }

    /// Notes that a field is missing for a reason other than its type.
    pub(super) fn require(&mut self, field: &'static str, message: impl Into<String>) {
        let before = self.problems.len();
        self.within(field, |check| check.refuse(message));
        for problem in &mut self.problems[before..] {
            problem.code = ProblemCode::MissingField;
        }
    }

    pub(super) fn value(&mut self, field: &'static str, value: &impl Validate) {
        self.within(field, |check| value.validate(check));
    }

    pub(super) fn optional(&mut self, field: &'static str, value: Option<&impl Validate>) {
        if let Some(value) = value {
            self.value(field, value);
        }
    }

    /// Checks how many items a list has, and each of them.
    pub(super) fn list(&mut self, field: &'static str, items: &[impl Validate], size: RangeInclusive<usize>) {
        self.items(field, items, size, |check, item| item.validate(check));
    }

    /// Checks how many texts a list has, and the form of each.
    pub(super) fn texts(
        &mut self,
        field: &'static str,
        items: &[String],
        size: RangeInclusive<usize>,
        form: &Form,
    ) {
        self.items(field, items, size, |check, item| check.form(item, form));
    }

    /// Checks how many items a list has, and each of them by the way given; of those too many none.
    pub(super) fn items<T>(
        &mut self,
        field: &'static str,
        items: &[T],
        size: RangeInclusive<usize>,
        mut each: impl FnMut(&mut Self, &T),
    ) {
        let (least, most) = size.into_inner();
        if items.len() < least {
            let items = if least == 1 { "item" } else { "items" };
            self.require(field, format!("at least {least} {items} must stand here"));
        }
        self.within(field, |check| {
            if items.len() > most {
                check.refuse(format!("{} items are too many: at most {most} may stand here", items.len()));
            }
            for (index, item) in items.iter().take(most).enumerate() {
                check.within(index, |check| each(check, item));
            }
        });
    }

    /// Checks that no two items have the same key.
    pub(super) fn unique<T, K: Ord + Display>(
        &mut self,
        field: &'static str,
        key_name: &str,
        items: &[T],
        key: impl Fn(&T) -> K,
    ) {
        let mut first = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            let key = key(item);
            if let Some(first) = first.get(&key) {
                let message = format!("the {key_name} {key} stands here twice: see item [{first}]");
                self.within(field, |check| check.within(index, |check| check.refuse(message)));
            } else {
                first.insert(key, index);
            }
        }
    }

    pub(super) fn text(&mut self, field: &'static str, text: &str, form: &Form) {
        self.within(field, |check| check.form(text, form));
    }

    pub(super) fn optional_text(&mut self, field: &'static str, text: Option<&String>, form: &Form) {
        if let Some(text) = text {
            self.text(field, text, form);
        }
    }

    /// Checks the text that the walk is at.
    pub(super) fn form(&mut self, text: &str, form: &Form) {
        let length = text.chars().count();
        if length > form.longest {
            self.refuse(format!("{length} characters are too many: at most {} may stand here", form.longest));
        } else if !(form.fits)(text) {
            let message = format!("\"{}\" is not {}", excerpt(text), form.name);
            self.note(Severity::Error, message, Some(format!("allowed is: {}", form.looks)));
        }
    }

    /// Checks that a text is one of those allowed.
    pub(super) fn one_of(&mut self, text: &str, allowed: &[&str]) {
        if allowed.contains(&text) {
            return;
        }
        let before = self.problems.len();
        let message = format!("\"{}\" is not allowed here; allowed are {}", excerpt(text), listed(allowed));
        self.note(Severity::Error, message, did_you_mean(text, allowed));
        for problem in &mut self.problems[before..] {
            problem.code = ProblemCode::UnknownValue;
        }
    }

    pub(super) fn number(&mut self, field: &'static str, number: impl Into<i64>, range: RangeInclusive<i64>) {
        let number = number.into();
        if !range.contains(&number) {
            let message = match (*range.start(), *range.end()) {
                (least, i64::MAX) => format!("{number} is out of range: at least {least}"),
                (least, most) => format!("{number} is out of range: from {least} to {most}"),
            };
            self.within(field, |check| check.refuse(message));
        }
    }

    pub(super) fn port(&mut self, field: &'static str, port: Option<i32>) {
        if let Some(port) = port {
            self.number(field, port, 1..=65_535);
        }
    }

    /// Checks a union: of the fields, the one that `type` names must be there, and no other.
    pub(super) fn union(&mut self, chosen: &str, cases: &[(&str, &'static str, bool)]) {
        for &(case, field, is_set) in cases {
            if case == chosen && !is_set {
                self.require(field, format!("the type is {chosen}, so the field `{field}` is required"));
            } else if case != chosen && is_set {
                let message = format!("the type is {chosen}, so the field `{field}` means nothing here");
                self.refuse_field(field, message, format!("remove it, or choose the type {case}"));
            }
        }
    }

    /// Checks the entries of a map: how many there are, their keys and their values.
    pub(super) fn map(
        &mut self,
        field: &'static str,
        entries: &BTreeMap<String, String>,
        most: usize,
        key: Option<&Form>,
        value: &Form,
    ) {
        self.within(field, |check| {
            if entries.len() > most {
                check
                    .refuse(format!("{} entries are too many: at most {most} may stand here", entries.len()));
            }
            for (name, text) in entries.iter().take(most) {
                check.within(name.clone(), |check| {
                    if let Some(form) = key {
                        check.form(name, form);
                    }
                    check.form(text, value);
                });
            }
        });
    }
}
