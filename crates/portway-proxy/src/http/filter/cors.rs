//! Cross-origin resource sharing (GEP-1767).
//!
//! The gateway is the authority: a preflight request is answered here and never reaches a backend, and
//! what a backend says of cross-origin access is replaced.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use portway_config::filter::Cors;

use super::InvalidFilter;
use origin::OriginPattern;

mod origin;

/// A policy for requests from other origins.
#[derive(Clone, Debug)]
pub(crate) struct CorsPolicy {
    origins: Vec<OriginPattern>,
    allow_credentials: bool,
    allow_methods: List,
    allow_headers: List,
    expose_headers: List,
    max_age: HeaderValue,
}

/// A list of names as the value of a header.
#[derive(Clone, Debug)]
enum List {
    None,
    All,
    Some(HeaderValue),
}

/// What a request has to say of cross-origin access, kept until there is a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrossOrigin {
    origin: Option<HeaderValue>,
    request_method: Option<HeaderValue>,
    request_headers: Option<HeaderValue>,
    /// It asks whether another request may follow.
    pub(crate) preflight: bool,
}

impl CrossOrigin {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let origin = headers.get(header::ORIGIN).cloned();
        let request_method = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD).cloned();
        let preflight = *method == Method::OPTIONS && origin.is_some() && request_method.is_some();
        let request_headers = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        Self { origin, request_method, request_headers, preflight }
    }
}

/// What only the gateway may say.
const ALLOW: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

impl CorsPolicy {
    pub(crate) fn compile(cors: &Cors) -> Result<Self, InvalidFilter> {
        Ok(Self {
            origins: cors
                .allow_origins
                .iter()
                .map(|it| OriginPattern::compile(it))
                .collect::<Result<_, _>>()?,
            allow_credentials: cors.allow_credentials,
            allow_methods: List::compile(&cors.allow_methods)?,
            allow_headers: List::compile(&cors.allow_headers)?,
            expose_headers: List::compile(&cors.expose_headers)?,
            max_age: HeaderValue::from(cors.max_age),
        })
    }

    /// Writes the policy's answer into the headers of a response.
    pub(crate) fn apply(&self, request: &CrossOrigin, headers: &mut HeaderMap) {
        ALLOW.iter().for_each(|name| drop(headers.remove(name)));
        if !self.any_origin() || self.allow_credentials {
            // The response is another one for another origin, this request's being absent included.
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = request.origin.as_ref().filter(|origin| self.allows(origin)) else { return };
        let allowed = if self.any_origin() && !self.allow_credentials {
            HeaderValue::from_static("*")
        } else {
            origin.clone()
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.allow_credentials {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = self.expose_headers.answer(self.allow_credentials, None) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        if request.preflight {
            self.answer_preflight(request, headers);
        }
    }

    fn answer_preflight(&self, request: &CrossOrigin, headers: &mut HeaderMap) {
        let methods = self.allow_methods.answer(self.allow_credentials, request.request_method.as_ref());
        if let Some(methods) = methods {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        let names = self.allow_headers.answer(self.allow_credentials, request.request_headers.as_ref());
        if let Some(names) = names {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
    }

    fn any_origin(&self) -> bool {
        self.origins.iter().any(OriginPattern::is_any)
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.origins.iter().any(|it| it.matches(origin)))
    }
}

impl List {
    fn compile(names: &[std::sync::Arc<str>]) -> Result<Self, InvalidFilter> {
        if names.is_empty() {
            return Ok(Self::None);
        }
        if names.iter().any(|name| **name == *"*") {
            return Ok(Self::All);
        }
        let list = names.join(", ");
        let value = HeaderValue::from_str(&list);
        value.map(Self::Some).map_err(|_| InvalidFilter::new(format_args!("CORS list {list:?}")))
    }

    /// With credentials, browsers read `*` as a name like any other. Then what was asked for is
    /// granted, and nothing when nothing was.
    fn answer(&self, credentials: bool, asked: Option<&HeaderValue>) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::All if credentials => asked.cloned(),
            Self::All => Some(HeaderValue::from_static("*")),
            Self::Some(list) => Some(list.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
