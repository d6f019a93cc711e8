//! The deserializer that knows where it is.

use std::{cell::RefCell, iter::Enumerate, slice};

use serde::{
    Deserializer, de,
    de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, map};

use super::{
    FieldPath,
    error::{Expected, Found, Mismatch, Reason},
};

/// A field that its type does not have.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) path: FieldPath,
    /// The fields that the type has.
    pub(super) known: &'static [&'static str],
}

/// A value and its place in the whole.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'w, 'v> {
    value: &'v Value,
    step: Step<'w>,
    /// The fields that stand beside this one, where the type of the mapping tells them.
    siblings: &'static [&'static str],
    left_out: &'w [FieldPath],
    unknown: &'w RefCell<Vec<Unknown>>,
}

/// One step of a path, linked to those before it; so nothing is allocated unless there is something to report.
#[derive(Clone, Copy)]
enum Step<'w> {
    Root,
    Key(&'w Step<'w>, &'w str),
    Index(&'w Step<'w>, usize),
}

impl Step<'_> {
    fn path(&self) -> FieldPath {
        match self {
            Self::Root => FieldPath::root(),
            Self::Key(parent, key) => parent.path().child((*key).to_owned()),
            Self::Index(parent, index) => parent.path().child(*index),
        }
    }
}

impl<'w, 'v> Cursor<'w, 'v> {
    /// At the whole value. What is in `left_out` is passed over; unknown fields go to `unknown`.
    pub(super) fn root(
        value: &'v Value,
        left_out: &'w [FieldPath],
        unknown: &'w RefCell<Vec<Unknown>>,
    ) -> Self {
        Self { value, step: Step::Root, siblings: &[], left_out, unknown }
    }

    fn mismatch(&self, expected: Expected) -> Mismatch {
        let reason = Reason::Type { found: Found::from(self.value), expected };
        Mismatch { path: Some(self.step.path()), reason }
    }

    /// Adds the place to an error that has none: it arose right here.
    fn located<T>(&self, result: Result<T, Mismatch>) -> Result<T, Mismatch> {
        result.map_err(|mismatch| Mismatch {
            path: mismatch.path.or_else(|| Some(self.step.path())),
            reason: mismatch.reason,
        })
    }

    fn is_left_out(&self) -> bool {
        !self.left_out.is_empty() && self.left_out.contains(&self.step.path())
    }

    fn text<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::String(text) => self.located(visitor.visit_borrowed_str(text)),
            _ => Err(self.mismatch(Expected::Text)),
        }
    }

    fn integer<V: Visitor<'v>>(self, least: i128, most: i128, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Number(number) = self.value else {
            return Err(self.mismatch(Expected::Integer { least, most }));
        };
        let value = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        match value {
            None => Err(self.mismatch(Expected::Integer { least, most })),
            Some(value) if value < least || value > most => {
                self.located(Err(Mismatch::from(Reason::Range { found: number.to_string(), least, most })))
            }
            Some(_) => self.any(visitor),
        }
    }

    fn list<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Array(items) => {
                self.located(visitor.visit_seq(Items { list: self, rest: items.iter().enumerate() }))
            }
            _ => Err(self.mismatch(Expected::List)),
        }
    }

    fn mapping<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Object(entries) => self.located(visitor.visit_map(Entries {
                mapping: self,
                fields,
                rest: entries.iter(),
                next: None,
            })),
            _ => Err(self.mismatch(Expected::Mapping)),
        }
    }

    fn any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::Null => self.located(visitor.visit_unit()),
            Value::Bool(value) => self.located(visitor.visit_bool(*value)),
            Value::Number(number) => self.located(match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            }),
            Value::String(text) => self.located(visitor.visit_borrowed_str(text)),
            Value::Array(_) => self.list(visitor),
            Value::Object(_) => self.mapping(&[], visitor),
        }
    }
}

/// Implements the methods for integers, each with the range of its type.
macro_rules! integers {
    ($($method:ident: $type:ty,)+) => {
        $(
            fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
                self.integer(<$type>::MIN as i128, <$type>::MAX as i128, visitor)
            }
        )+
    };
}

impl<'v> Deserializer<'v> for Cursor<'_, 'v> {
    type Error = Mismatch;

    integers! {
        deserialize_i8: i8,
        deserialize_i16: i16,
        deserialize_i32: i32,
        deserialize_i64: i64,
        deserialize_i128: i64,
        deserialize_u8: u8,
        deserialize_u16: u16,
        deserialize_u32: u32,
        deserialize_u64: u64,
        deserialize_u128: u64,
    }

    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.any(visitor)
    }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.value.is_boolean() { self.any(visitor) } else { Err(self.mismatch(Expected::Boolean)) }
    }

    fn deserialize_f32<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.value.is_number() { self.any(visitor) } else { Err(self.mismatch(Expected::Number)) }
    }

    fn deserialize_char<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.text(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.located(if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) })
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.value.is_null() { self.any(visitor) } else { Err(self.mismatch(Expected::Nothing)) }
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.located(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.mapping(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.mapping(fields, visitor)
    }

    /// Enums of Kubernetes are texts; unions are structs with a field for each case.
    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.value {
            Value::String(text) => {
                let text: de::value::StrDeserializer<'_, Mismatch> = text.as_str().into_deserializer();
                self.located(visitor.visit_enum(text))
            }
            _ => Err(self.mismatch(Expected::Text)),
        }
    }

    fn deserialize_identifier<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.text(visitor)
    }

    /// The type has no use for this value: it does not know the field.
    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.unknown.borrow_mut().push(Unknown { path: self.step.path(), known: self.siblings });
        self.located(visitor.visit_unit())
    }
}

/// The items of a list.
struct Items<'w, 'v> {
    list: Cursor<'w, 'v>,
    rest: Enumerate<slice::Iter<'v, Value>>,
}

impl<'v> SeqAccess<'v> for Items<'_, 'v> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        for (index, value) in self.rest.by_ref() {
            let step = Step::Index(&self.list.step, index);
            let item = Cursor { value, step, siblings: &[], ..self.list };
            if !item.is_left_out() {
                return item.located(seed.deserialize(item)).map(Some);
            }
        }
        Ok(None)
    }

    /// Lets lists be exactly as long as they are: one that grows by itself has room for four items, and most have one.
    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The entries of a mapping.
struct Entries<'w, 'v> {
    mapping: Cursor<'w, 'v>,
    /// The fields of the mapping's type; empty where it has none.
    fields: &'static [&'static str],
    rest: map::Iter<'v>,
    next: Option<(&'v str, &'v Value)>,
}

impl<'v> MapAccess<'v> for Entries<'_, 'v> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        for (key, value) in self.rest.by_ref() {
            let is_absent = value.is_null() && self.fields.contains(&key.as_str());
            let entry =
                Cursor { value, step: Step::Key(&self.mapping.step, key), siblings: &[], ..self.mapping };
            if is_absent || entry.is_left_out() {
                continue;
            }
            self.next = Some((key, value));
            let key: de::value::BorrowedStrDeserializer<'v, Mismatch> =
                de::value::BorrowedStrDeserializer::new(key);
            return entry.located(seed.deserialize(key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Mismatch> {
        let Some((key, value)) = self.next.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let step = Step::Key(&self.mapping.step, key);
        let entry = Cursor { value, step, siblings: self.fields, ..self.mapping };
        entry.located(seed.deserialize(entry))
    }
}
