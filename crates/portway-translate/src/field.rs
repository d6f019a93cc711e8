//! Paths to fields, as Kubernetes writes them: `spec.rules[0].backendRefs[1].name`.

use std::fmt;

/// A path that lives on the stack and is written out only where something is wrong, so that a route
/// without mistakes costs no text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    parent: Option<&'a Field<'a>>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> Field<'a> {
    /// `spec`.
    pub(crate) const SPEC: Field<'static> = Field { parent: None, name: "spec", index: None };

    /// The field `name` of this object.
    pub(crate) fn field(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), name, index: None }
    }

    /// The entry `index` of the list `name` of this object.
    pub(crate) fn item(&'a self, name: &'a str, index: usize) -> Self {
        Self { parent: Some(self), name, index: Some(index) }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_kubernetes_does() {
        let rule = Field::SPEC.item("rules", 0);
        let backend = rule.item("backendRefs", 1);
        assert_eq!(backend.field("name").to_string(), "spec.rules[0].backendRefs[1].name");
    }
}
