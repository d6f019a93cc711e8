//! Request and response header modifiers.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use portway_config::filter::{Header, HeaderModifier};

use super::InvalidFilter;

/// Changes to headers, in the order: set, add, remove.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderEdits {
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

/// They frame a message or manage a connection. To change them would desynchronise the two sides.
const UNTOUCHABLE: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

impl HeaderEdits {
    pub(crate) fn compile(modifier: &HeaderModifier) -> Result<Self, InvalidFilter> {
        Ok(Self {
            set: modifier.set.iter().map(compile_header).collect::<Result<_, _>>()?,
            add: modifier.add.iter().map(compile_header).collect::<Result<_, _>>()?,
            remove: modifier.remove.iter().map(|name| compile_name(name)).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name.clone(), value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }
}

fn compile_header(header: &Header) -> Result<(HeaderName, HeaderValue), InvalidFilter> {
    let value = HeaderValue::from_str(&header.value)
        .map_err(|_| InvalidFilter::new(format_args!("value of header {}", header.name)))?;
    Ok((compile_name(&header.name)?, value))
}

fn compile_name(name: &str) -> Result<HeaderName, InvalidFilter> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if !UNTOUCHABLE.contains(&name) => Ok(name),
        Ok(name) => {
            Err(InvalidFilter::new(format_args!("header {name} frames messages and cannot be changed")))
        }
        Err(_) => Err(InvalidFilter::new(format_args!("header name {name:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.into(), value: value.into() }
    }

    #[test]
    fn set_replaces_add_appends_remove_removes() {
        let edits = HeaderEdits::compile(&HeaderModifier {
            set: vec![header("a", "new")],
            add: vec![header("b", "2")],
            remove: vec!["c".into()],
        });
        let mut headers = HeaderMap::new();
        for (name, value) in [("a", "old"), ("a", "older"), ("b", "1"), ("c", "x"), ("c", "y")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        edits.unwrap().apply(&mut headers);
        let all: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(all, [("a", "new"), ("b", "1"), ("b", "2")]);
    }

    #[test]
    fn what_would_break_a_message_is_invalid() {
        let invalid = |modifier: HeaderModifier| HeaderEdits::compile(&modifier).is_err();
        let set =
            |name: &str, value: &str| HeaderModifier { set: vec![header(name, value)], ..Default::default() };
        assert!(invalid(set("content-length", "1")));
        assert!(invalid(set("a", "b\r\nc: d")));
        assert!(invalid(set("a b", "c")));
        assert!(invalid(HeaderModifier { remove: vec!["transfer-encoding".into()], ..Default::default() }));
        assert!(!invalid(set("host", "other.example")));
    }
}
