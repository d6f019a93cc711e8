//! Which addresses a Gateway gets.
