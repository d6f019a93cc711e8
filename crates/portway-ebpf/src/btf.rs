//! Reads from the type information of an object (BTF) what its structures look like.
//!
//! The format is described in the kernel's `Documentation/bpf/btf.rst`. Only what [`crate::layout`] asks for is read.

/// The type information of an object.
#[derive(Clone, Debug)]
pub struct Btf {
    types: Vec<Type>,
}

/// A structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Bytes.
    pub size: u32,
    /// Its fields, in their order.
    pub fields: Vec<Field>,
}

/// A field of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// Its length, in bytes.
    pub size: usize,
}

impl Structure {
    /// Offset and size of a field, in bytes.
    pub fn field(&self, name: &str) -> Option<(usize, usize)> {
        let field = self.fields.iter().find(|it| it.name == name)?;
        Some((field.offset, field.size))
    }
}

/// What is kept of a type.
#[derive(Clone, Debug)]
enum Type {
    /// Of a size in bytes: integers, enumerations, floats.
    Sized(u32),
    Structure {
        name: String,
        size: u32,
        members: Vec<Member>,
    },
    Array {
        of: u32,
        length: u32,
    },
    /// Another name or qualifier for a type.
    Alias(u32),
    Pointer,
    /// Functions, variables and the like, which have no size.
    Other,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    of: u32,
    /// In bytes.
    offset: u32,
}

/// Bytes of a pointer of an eBPF program.
const POINTER: usize = 8;
/// Aliases, arrays and structures in each other, at most.
const DEPTH: usize = 16;

impl Btf {
    /// Reads the section `.BTF`, which is in the byte order of this machine.
    ///
    /// # Errors
    ///
    /// It is not BTF, or it is cut short.
    pub fn parse(section: &[u8]) -> Result<Self, BtfError> {
        let mut header = Reader { bytes: section };
        if header.u16()? != 0xeb9f {
            return Err(BtfError::NotBtf);
        }
        header.u16()?;
        let header_length = header.u32()? as usize;
        let (types_at, types_length) = (header.u32()? as usize, header.u32()? as usize);
        let (strings_at, strings_length) = (header.u32()? as usize, header.u32()? as usize);
        let part = |at: usize, length: usize| {
            let rest = section.get(header_length..)?.get(at..)?;
            rest.get(..length)
        };
        let strings = part(strings_at, strings_length).ok_or(BtfError::CutShort)?;
        let mut reader = Reader { bytes: part(types_at, types_length).ok_or(BtfError::CutShort)? };
        // Type 0 is `void`.
        let mut types = vec![Type::Other];
        while !reader.bytes.is_empty() {
            types.push(reader.read_type(strings)?);
        }
        Ok(Self { types })
    }

    /// The structure of that name.
    ///
    /// # Errors
    ///
    /// A field of it has no size.
    pub fn structure(&self, wanted: &str) -> Result<Option<Structure>, BtfError> {
        let found = self.types.iter().find_map(|it| match it {
            Type::Structure { name, size, members } if name == wanted => Some((*size, members)),
            _ => None,
        });
        let Some((size, members)) = found else {
            return Ok(None);
        };
        let field = |member: &Member| {
            let size = self.size(member.of, DEPTH).ok_or_else(|| BtfError::NoSize(member.name.clone()))?;
            Ok(Field { name: member.name.clone(), offset: member.offset as usize, size })
        };
        let fields = members.iter().map(field).collect::<Result<_, BtfError>>()?;
        Ok(Some(Structure { size, fields }))
    }

    fn size(&self, id: u32, depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        match self.types.get(id as usize)? {
            Type::Sized(size) | Type::Structure { size, .. } => Some(*size as usize),
            Type::Array { of, length } => self.size(*of, depth)?.checked_mul(*length as usize),
            Type::Alias(of) => self.size(*of, depth),
            Type::Pointer => Some(POINTER),
            Type::Other => None,
        }
    }

    /// Gives a field another name, for tests of what finds that out.
    #[cfg(test)]
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        for it in &mut self.types {
            if let Type::Structure { members, .. } = it {
                members.iter_mut().filter(|it| it.name == from).for_each(|it| to.clone_into(&mut it.name));
            }
        }
    }
}

/// Takes numbers off the front.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], BtfError> {
        let (first, rest) = self.bytes.split_first_chunk().ok_or(BtfError::CutShort)?;
        self.bytes = rest;
        Ok(*first)
    }

    fn u16(&mut self) -> Result<u16, BtfError> {
        self.take().map(u16::from_ne_bytes)
    }

    fn u32(&mut self) -> Result<u32, BtfError> {
        self.take().map(u32::from_ne_bytes)
    }

    fn skip(&mut self, words: u32) -> Result<(), BtfError> {
        let length = words as usize * 4;
        self.bytes = self.bytes.get(length..).ok_or(BtfError::CutShort)?;
        Ok(())
    }

    /// `struct btf_type`, and what follows it for its kind.
    fn read_type(&mut self, strings: &[u8]) -> Result<Type, BtfError> {
        let (name, info, size_or_type) = (self.u32()?, self.u32()?, self.u32()?);
        let (length, kind) = (info & 0xffff, info >> 24 & 0x1f);
        // Of a structure: whether the offsets of its members are shared with the sizes of bit fields.
        let has_bit_fields = info >> 31 == 1;
        Ok(match kind {
            // BTF_KIND_INT
            1 => {
                self.skip(1)?;
                Type::Sized(size_or_type)
            }
            2 => Type::Pointer,
            // BTF_KIND_ARRAY
            3 => {
                let of = self.u32()?;
                self.skip(1)?;
                Type::Array { of, length: self.u32()? }
            }
            // BTF_KIND_STRUCT and BTF_KIND_UNION
            4 | 5 => {
                let mut members = Vec::new();
                for _ in 0..length {
                    let (name, of, offset) = (self.u32()?, self.u32()?, self.u32()?);
                    let bits = if has_bit_fields { offset & 0x00ff_ffff } else { offset };
                    members.push(Member { name: text(strings, name)?, of, offset: bits / 8 });
                }
                Type::Structure { name: text(strings, name)?, size: size_or_type, members }
            }
            // BTF_KIND_ENUM, and BTF_KIND_ENUM64
            6 => self.skip(length * 2).map(|()| Type::Sized(size_or_type))?,
            19 => self.skip(length * 3).map(|()| Type::Sized(size_or_type))?,
            // BTF_KIND_TYPEDEF, _VOLATILE, _CONST, _RESTRICT and _TYPE_TAG
            8..=11 | 18 => Type::Alias(size_or_type),
            // BTF_KIND_FLOAT
            16 => Type::Sized(size_or_type),
            // BTF_KIND_FWD and _FUNC
            7 | 12 => Type::Other,
            // BTF_KIND_FUNC_PROTO
            13 => self.skip(length * 2).map(|()| Type::Other)?,
            // BTF_KIND_VAR and _DECL_TAG
            14 | 17 => self.skip(1).map(|()| Type::Other)?,
            // BTF_KIND_DATASEC
            15 => self.skip(length * 3).map(|()| Type::Other)?,
            _ => return Err(BtfError::UnknownKind(kind)),
        })
    }
}

fn text(strings: &[u8], at: u32) -> Result<String, BtfError> {
    let rest = strings.get(at as usize..).ok_or(BtfError::CutShort)?;
    let text = rest.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// Why type information could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum BtfError {
    #[error("it is not BTF, or of another byte order")]
    NotBtf,
    #[error("it is cut short")]
    CutShort,
    #[error("a type is of the unknown kind {0}")]
    UnknownKind(u32),
    #[error("the field `{0}` has no size")]
    NoSize(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;

    #[test]
    fn cut_short_at_every_byte_it_is_refused() {
        let whole = object::btf_section(object::OBJECT).unwrap();
        assert!(Btf::parse(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(Btf::parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_type_within_itself_has_no_size() {
        let btf = Btf { types: vec![Type::Other, Type::Alias(1)] };
        assert_eq!(btf.size(1, DEPTH), None);
    }
}
