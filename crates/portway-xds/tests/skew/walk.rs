//! Going through a JSON value.

use serde_json::Value;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
}

/// The paths of all values that `is_wanted` says, the value itself included.
pub(crate) fn places(value: &Value, is_wanted: impl Fn(&Value) -> bool + Copy) -> Vec<Vec<Step>> {
    fn walk(
        value: &Value,
        path: &mut Vec<Step>,
        is_wanted: impl Fn(&Value) -> bool + Copy,
        all: &mut Vec<Vec<Step>>,
    ) {
        if is_wanted(value) {
            all.push(path.clone());
        }
        let steps: Vec<_> = match value {
            Value::Object(fields) => fields.keys().cloned().map(Step::Field).collect(),
            Value::Array(items) => (0..items.len()).map(Step::Index).collect(),
            _ => Vec::new(),
        };
        for step in steps {
            path.push(step.clone());
            walk(at(value, &[step]).unwrap(), path, is_wanted, all);
            path.pop();
        }
    }
    let mut all = Vec::new();
    walk(value, &mut Vec::new(), is_wanted, &mut all);
    all
}

/// The paths of all fields of objects.
pub(crate) fn fields(value: &Value) -> Vec<Vec<Step>> {
    let all = places(value, |_| true);
    all.into_iter().filter(|path| matches!(path.last(), Some(Step::Field(_)))).collect()
}

/// The value at a path.
pub(crate) fn at<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Index(index) => value.get(index),
    })
}

/// The value at a path, to be changed.
pub(crate) fn at_mut<'a>(value: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match step {
        Step::Field(name) => value.get_mut(name).unwrap(),
        Step::Index(index) => value.get_mut(index).unwrap(),
    })
}

/// What the last step of a path is taken from.
pub(crate) fn parent<'a>(value: &'a mut Value, path: &[Step]) -> &'a mut Value {
    at_mut(value, &path[..path.len() - 1])
}

/// A path without its indices: `.rules.Http[].name`.
pub(crate) fn shape(path: &[Step]) -> String {
    let step = |it: &Step| match it {
        Step::Field(name) => format!(".{name}"),
        Step::Index(_) => "[]".to_owned(),
    };
    path.iter().map(step).collect()
}
