//! The limits on what is read. They bound memory and time on hostile input and are far above what real manifests need.

/// The largest source, in bytes. The API server takes objects of 1.5 MiB; a source may hold many.
pub const MAX_SOURCE_BYTES: usize = 16 * 1024 * 1024;

/// How deep mappings and lists may nest. A Deployment reaches about 15.
pub const MAX_DEPTH: usize = 128;

/// How many values (mappings, lists, scalars) one source may hold, those that aliases repeat included.
pub const MAX_NODES: usize = 2_000_000;

/// How many values the anchors and aliases of one source may copy, against alias bombs.
pub const MAX_ALIAS_NODES: usize = 200_000;

/// How many bytes of text the anchors and aliases of one source may copy, against bombs of few, long scalars.
pub const MAX_ALIAS_BYTES: usize = 16 * 1024 * 1024;

/// How many problems of syntax are reported for one source.
pub const MAX_SYNTAX_PROBLEMS: usize = 100;

/// How many values of a wrong type are reported for one document.
pub const MAX_TYPE_PROBLEMS: usize = 20;

/// How many broken rules are reported for one object.
pub const MAX_VALIDATION_PROBLEMS: usize = 50;
