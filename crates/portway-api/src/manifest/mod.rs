//! Reading manifests with exact positions.
