//! Numbers that are chosen here (docs/limits.md).

/// So many identities that nobody has any more are kept, so that pods that come back need no new rules.
pub const DEPARTED_IDENTITIES: usize = 1_024;

/// Every limit by the name that docs/limits.md has for it.
pub fn all() -> Vec<(&'static str, String)> {
    vec![("departed_identities", DEPARTED_IDENTITIES.to_string())]
}
