//! From documents to typed objects that keep the API's rules.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    decode::Decoded,
    default, each_document,
    field_path::{FieldPath, Segment},
    kind::Kind,
    load::{Loaded, Text},
    origin::{Document, Origin},
    position::Source,
    problem::{Problem, ProblemCode, Severity},
    validate::validate,
};
use crate::{Object, object::ObjectRef};

/// The objects that manifests hold.
#[derive(Debug, Default)]
pub struct Reading {
    /// The objects that can be used, in the order of the manifests, with what an API server would fill in.
    pub objects: Vec<(Object, Origin)>,
    /// The objects that have an error and are left out of these, as far as all of their fields fit their types. They are not
    /// for use, but for telling what else is wrong with them.
    pub refused: Vec<(Object, Origin)>,
    /// Everything that is wrong or worth a note, in the order of the manifests.
    pub problems: Vec<Problem>,
}

/// Reads the objects of one text.
pub fn read(source: &Source, text: &str) -> Reading {
    Reading::of([(source, text)], Vec::new())
}

impl Loaded {
    /// Reads the objects of all texts.
    pub fn read(&self) -> Reading {
        let texts = self.texts.iter().map(|Text { source, text }| (source, text.as_str()));
        Reading::of(texts, self.problems.clone())
    }
}

impl Reading {
    /// Reads the objects of texts, one after the other; `problems` are known already.
    ///
    /// An object with an error is left out, as an API server would refuse it. The one exception is a field that its
    /// kind does not have: that is an error too (`kubectl apply` refuses it by default), but the object is kept
    /// without it, so that what else is to be said of it can be said at once.
    fn of<'t>(texts: impl IntoIterator<Item = (&'t Source, &'t str)>, problems: Vec<Problem>) -> Self {
        let mut reading = Self { problems, ..Self::default() };
        let mut first = BTreeMap::new();
        for (source, text) in texts {
            let mut problems = each_document(source, text, |document| reading.take(document, &mut first));
            reading.problems.append(&mut problems);
        }
        sort_by_place(&mut reading.problems);
        reading
    }

    /// Whether there is an error among the problems: then an API server would have refused something.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Takes a document. `first` knows where each object was defined.
    fn take(&mut self, mut document: Document, first: &mut BTreeMap<ObjectRef, Origin>) {
        let kind = match Kind::of(&document) {
            Ok(kind) => kind,
            Err(problem) => return self.problems.push(*problem),
        };
        let Decoded { object, left_out, mut problems } = kind.decode(&mut document);
        if let Some(mut object) = object {
            let is_distorted = |problem: &Problem| {
                let field = problem.field.as_ref();
                field.is_some_and(|field| left_out.iter().any(|path| distorts(path, field)))
            };
            problems
                .extend(validate(&object, &document).into_iter().filter(|problem| !is_distorted(problem)));
            default::fill_in(&mut object);
            problems.extend(defined_before(&object, &document, first));
            if left_out.is_empty() {
                let is_usable = problems.iter().all(is_bearable);
                // Of two objects with one name, the second stands for nothing.
                let is_second = problems.iter().any(|it| it.code == ProblemCode::DuplicateObject);
                match (is_usable, is_second) {
                    (true, _) => self.objects.push((object, document.origin)),
                    (false, false) => self.refused.push((object, document.origin)),
                    (false, true) => {}
                }
            }
        }
        self.problems.append(&mut problems);
    }
}

/// Whether a problem with `field` may come only of something that does not fit and was left out, or names a wrong place
/// for that reason.
fn distorts(left_out: &FieldPath, field: &FieldPath) -> bool {
    // Behind an item that is missing, the others are counted wrongly.
    let is_item = matches!(left_out.segments().last(), Some(Segment::Index(_)));
    is_item || left_out.starts_with(field) || field.starts_with(left_out)
}

/// Puts problems in the order of the text; the texts themselves stay in the order in which they were read.
fn sort_by_place(problems: &mut [Problem]) {
    let mut order = BTreeMap::new();
    for source in problems.iter().filter_map(|problem| problem.position.as_ref()).map(|at| &at.source) {
        let next = order.len();
        order.entry(source.clone()).or_insert(next);
    }
    problems.sort_by_key(|problem| {
        problem.position.as_ref().map(|at| (order.get(&at.source).copied(), at.line, at.column))
    });
}

/// Whether an object with this problem can still be used.
fn is_bearable(problem: &Problem) -> bool {
    problem.severity != Severity::Error || problem.code == ProblemCode::UnknownField
}

/// The problem that the same object stands at two places, in whatever version of its kind.
fn defined_before(
    object: &Object,
    document: &Document,
    first: &mut BTreeMap<ObjectRef, Origin>,
) -> Option<Problem> {
    let reference = object.object_ref();
    if reference.name.is_empty() {
        return None;
    }
    let Some(earlier) = first.get(&reference) else {
        first.insert(reference, document.origin.clone());
        return None;
    };
    let message = format!("this object is defined already at {}", earlier.start());
    let problem = Problem::error(ProblemCode::DuplicateObject, message).of(Some(reference.to_string()));
    Some(
        problem
            .at(document.origin.start())
            .help("remove one of the two, or give it another name or namespace"),
    )
}
