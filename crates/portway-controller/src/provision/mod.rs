//! The objects that serve a Gateway.
