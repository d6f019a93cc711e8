//! The compiled programs, which are a part of this binary.

use object::{Object as _, ObjectSection as _};

use crate::btf::{Btf, BtfError};

/// The object, at an address that its headers may be read at.
pub(crate) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/portway.bpf.o"));

/// The same of the programs that enforce network policies.
pub(crate) static POLICY_OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/policy.bpf.o"));

/// The type information of an object.
pub(crate) fn btf(object: &[u8]) -> Result<Btf, BtfError> {
    Btf::parse(&btf_section(object)?)
}

pub(crate) fn btf_section(object: &[u8]) -> Result<Vec<u8>, BtfError> {
    let file = object::File::parse(object).map_err(|_| BtfError::NotBtf)?;
    let section = file.section_by_name(".BTF").ok_or(BtfError::NotBtf)?;
    section.data().map(<[u8]>::to_vec).map_err(|_| BtfError::CutShort)
}
