//! A request on its way through the filters, before it is sent.

use http::{HeaderMap, Method, Request, Version};

use super::authority::Authority;
use super::body::RequestBody;
use super::normalise::BadPath;
use super::target::Target;
use crate::upstream::BackendId;

/// A request on its way through the filters.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    /// What was asked for; filters change `headers` only.
    pub(super) authority: Authority,
    pub(super) target: Target,
    /// Length of the prefix that the rule has matched by.
    pub(super) prefix_len: Option<u32>,
    pub(super) body: RequestBody,
    /// Where copies go.
    pub(super) mirrors: Vec<BackendId>,
}

impl Draft {
    /// The request for the backend, in origin form.
    pub(super) fn into_request(self) -> Result<Request<RequestBody>, BadPath> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target.into_uri()?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers;
        Ok(request)
    }
}

impl portway_route::Request for Draft {
    fn host(&self) -> &str {
        self.authority.host()
    }

    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.target.path()
    }

    fn query(&self) -> Option<&str> {
        self.target.query()
    }

    fn any_header(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.headers.get_all(name).iter().any(|value| each(value.as_bytes()))
    }
}
