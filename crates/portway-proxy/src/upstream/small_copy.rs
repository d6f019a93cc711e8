//! A copy of a request that is hardly ever needed, so made at the least cost.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body::Body;

use super::body::RequestBody;

/// Room for the fields of most requests; those of others are moved once or twice.
const USUAL_BYTES: usize = 1000;

/// A copy of a request without body that may be asked for twice. The fields stand as bytes in one piece of
/// memory: a copied `HeaderMap` would hold a reference on each value and a hash table besides.
#[derive(Debug)]
pub(super) struct SmallCopy {
    method: Method,
    uri: Uri,
    count: usize,
    /// For each field the lengths of name and value as four bytes each, the name, the value.
    fields: Vec<u8>,
}

impl SmallCopy {
    /// Absent when the request has a body, or may not be asked for twice (RFC 9110, section 9.2.2).
    pub(super) fn of(request: &Request<RequestBody>) -> Option<Self> {
        if !request.method().is_idempotent() || !request.body().is_end_stream() {
            return None;
        }
        let headers = request.headers();
        let mut fields = Vec::with_capacity(USUAL_BYTES);
        for (name, value) in headers {
            let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
            let lengths = [u32::try_from(name.len()).ok()?, u32::try_from(value.len()).ok()?];
            fields.extend_from_slice(lengths.map(u32::to_ne_bytes).as_flattened());
            fields.extend_from_slice(name);
            fields.extend_from_slice(value);
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Some(Self { method, uri, count: headers.len(), fields })
    }

    /// The request. Absent would be a copy that does not hold what was put in.
    pub(super) fn into_request(self) -> Option<Request<RequestBody>> {
        let mut headers = HeaderMap::with_capacity(self.count);
        let mut rest = &*self.fields;
        while let Some((name_length, after)) = rest.split_first_chunk() {
            let (value_length, after) = after.split_first_chunk()?;
            let (name, after) = after.split_at_checked(u32::from_ne_bytes(*name_length) as usize)?;
            let (value, after) = after.split_at_checked(u32::from_ne_bytes(*value_length) as usize)?;
            headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
            rest = after;
        }
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = headers;
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn request(method: Method, body: &'static [u8]) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::full(Bytes::from_static(body)));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_static("/a?b");
        for (name, value) in [("host", "a.example"), ("x-a", "1"), ("x-a", "2"), ("x-b", "")] {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        request.headers_mut().append("x-c", HeaderValue::from_bytes(b"\xff").unwrap());
        request
    }

    #[test]
    fn the_copy_is_the_request() {
        let request = request(Method::DELETE, b"");
        let copy = SmallCopy::of(&request).unwrap().into_request().unwrap();
        assert_eq!(copy.method(), request.method());
        assert_eq!(copy.uri(), request.uri());
        assert_eq!(copy.version(), request.version());
        assert_eq!(copy.headers(), request.headers());
        assert!(copy.body().is_end_stream());
    }

    #[test]
    fn what_may_not_be_asked_for_twice_is_not_copied() {
        assert!(SmallCopy::of(&request(Method::POST, b"")).is_none());
        assert!(SmallCopy::of(&request(Method::GET, b"x")).is_none());
    }
}
