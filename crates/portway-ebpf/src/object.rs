//! The compiled programs, which are a part of this binary.

use object::{Object as _, ObjectSection as _};

use crate::btf::{Btf, BtfError};

/// The object, at an address that its headers may be read at.
pub(crate) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/portway.bpf.o"));

/// Its type information.
pub(crate) fn btf() -> Result<Btf, BtfError> {
    Btf::parse(&btf_section()?)
}

pub(crate) fn btf_section() -> Result<Vec<u8>, BtfError> {
    let file = object::File::parse(OBJECT).map_err(|_| BtfError::NotBtf)?;
    let section = file.section_by_name(".BTF").ok_or(BtfError::NotBtf)?;
    section.data().map(<[u8]>::to_vec).map_err(|_| BtfError::CutShort)
}
