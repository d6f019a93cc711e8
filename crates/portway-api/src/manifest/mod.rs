//! Reading manifests, with the exact place of every field.
//!
//! Text becomes [`Document`]s: YAML in several documents or JSON in a stream, `kind: List` taken apart. A mistake in
//! one document does not hide the others. Everything that is wrong is a [`Problem`] with file, line and column.

pub mod decode;
mod default;
mod fault;
mod field_path;
mod json;
mod kind;
pub mod limits;
mod list;
pub mod load;
mod origin;
mod places;
mod position;
mod problem;
mod reading;
mod split;
#[cfg(test)]
mod tests;
mod validate;
mod wording;
mod yaml;

pub use self::{
    decode::decode,
    field_path::{FieldPath, FieldPathError, Segment},
    load::{Loaded, Text, load},
    origin::{Document, Origin},
    position::{Position, Source},
    problem::{Problem, ProblemCode, Severity},
    reading::{Reading, read},
};
use self::{
    fault::{Budget, Fault},
    origin::Node,
    position::Place,
    split::Chunk,
};

/// What a text holds.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The objects, in the order of the text.
    pub documents: Vec<Document>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Reads a text of YAML or JSON as objects that are not typed yet. Documents without content are passed over.
pub fn parse(source: &Source, text: &str) -> Parsed {
    let mut documents = Vec::new();
    let problems = each_document(source, text, |document| documents.push(document));
    Parsed { documents, problems }
}

/// Hands out the objects of a text one by one, so that they need not all be in memory. Returns what could not be read.
fn each_document(source: &Source, text: &str, mut take: impl FnMut(Document)) -> Vec<Problem> {
    let mut problems = Vec::new();
    if text.len() > limits::MAX_SOURCE_BYTES {
        let mib = limits::MAX_SOURCE_BYTES / (1024 * 1024);
        let problem =
            Problem::error(ProblemCode::LimitExceeded, format!("the file is larger than {mib} MiB"));
        return vec![problem.at(Place::START.within(source)).help("split the file")];
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((before, _)) = text.split_once('\0') {
        // To the parser it would be the end.
        let problem = Problem::error(ProblemCode::Syntax, "a NUL character stands in the text");
        let place = Place::end_of(before).within(source);
        return vec![
            problem.at(place).help("this may be no text at all; if it is one, remove the character"),
        ];
    }
    let mut budget = Budget::of_a_source();
    for chunk in split::chunks(text) {
        let (nodes, faults) = read_chunk(source, chunk, &mut budget);
        problems.extend(faults.into_iter().map(|fault| fault.into_problem(source)));
        let mut objects = Vec::new();
        for node in nodes {
            list::flatten(node, &mut objects);
        }
        for node in objects {
            match &node.value {
                serde_json::Value::Object(_) => take(node.into_document(source)),
                // A document of comments, or one that a template left empty.
                serde_json::Value::Null => {}
                _ => problems.push(no_object(source, &node)),
            }
        }
        if problems.len() >= limits::MAX_SYNTAX_PROBLEMS {
            give_up(&mut problems);
            break;
        }
    }
    problems
}

/// Reads a chunk as what it is or, failing that, as what it may be.
fn read_chunk(source: &Source, chunk: Chunk<'_>, budget: &mut Budget) -> (Vec<Node>, Vec<Fault>) {
    let is_json_file = source.as_str().ends_with(".json");
    if !is_json_file && !json::looks_like_json(chunk) {
        return yaml::read(chunk, budget);
    }
    let untouched = *budget;
    let as_json = json::read(chunk, budget);
    if as_json.1.is_empty() || is_json_file {
        return as_json;
    }
    // Braces and quotes are YAML too, which allows comments, commas at the end and more.
    let after_json = std::mem::replace(budget, untouched);
    let as_yaml = yaml::read(chunk, budget);
    if as_yaml.1.is_empty() {
        return as_yaml;
    }
    *budget = after_json;
    as_json
}

fn no_object(source: &Source, node: &Node) -> Problem {
    let message = "a Kubernetes object is a mapping with `apiVersion`, `kind` and `metadata`";
    let place = node.places.value(node.spot).within(source);
    Problem::error(ProblemCode::NotAnObject, message).at(place)
}

/// Says that the rest of the text was not looked at.
fn give_up(problems: &mut Vec<Problem>) {
    let most = limits::MAX_SYNTAX_PROBLEMS;
    problems.truncate(most);
    let last = problems.last().and_then(|problem| problem.position.clone());
    let message = format!("there are more than {most} problems; the rest of the file was not read");
    problems.push(Problem { position: last, ..Problem::error(ProblemCode::LimitExceeded, message) });
}
