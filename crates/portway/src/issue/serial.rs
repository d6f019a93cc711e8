//! Reading back what was written as JSON, for types that others own and only write.

/// A file's name.
pub(crate) mod source_name {
    use portway_api::manifest::Source;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(source: &Source, serializer: S) -> Result<S::Ok, S::Error> {
        source.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
        Ok(Source::new(String::deserialize(deserializer)?))
    }
}

/// A severity.
pub(super) mod severity {
    use portway_api::manifest::Severity;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
        severity.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "error" => Ok(Severity::Error),
            "warning" => Ok(Severity::Warning),
            "note" => Ok(Severity::Note),
            other => Err(D::Error::unknown_variant(other, &["error", "warning", "note"])),
        }
    }
}

/// A position that may be absent.
pub(super) mod position {
    use portway_api::manifest::{Position, Source};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Written {
        source: String,
        line: u32,
        column: u32,
    }

    pub(crate) fn serialize<S: Serializer>(
        position: &Option<Position>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        position.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Position>, D::Error> {
        let written = Option::<Written>::deserialize(deserializer)?;
        Ok(written.map(|Written { source, line, column }| Position {
            source: Source::new(source),
            line,
            column,
        }))
    }
}
