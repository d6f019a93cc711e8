//! Cross-origin resource sharing (GEP-1767).

use std::sync::Arc;

use http::Method;
use portway_api::filter::HttpCorsFilter;
use portway_config::filter::Cors;

use super::header;
use crate::field::Field;
use crate::problem::Problems;

/// Everything: an origin, a method or a header that stands for all.
const ANY: &str = "*";

/// A CORS filter.
pub(crate) fn cors(filter: &HttpCorsFilter, field: &Field<'_>, problems: &mut Problems) -> Cors {
    let mut list = |name: &str, texts: &[String], check: fn(&str) -> Result<Arc<str>, String>| {
        let mut values = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let at = field.item(name, index);
            match check(text) {
                Ok(_) if text == ANY && texts.len() > 1 => {
                    problems.invalid(&at, "* means all and must stand alone");
                }
                Ok(value) => values.push(value),
                Err(why) => problems.invalid(&at, why),
            }
        }
        values
    };
    let allow_origins = list("allowOrigins", &filter.allow_origins, origin);
    let allow_methods = list("allowMethods", &filter.allow_methods, method);
    let allow_headers = list("allowHeaders", &filter.allow_headers, header_or_any);
    let expose_headers = list("exposeHeaders", &filter.expose_headers, header_or_any);
    let max_age = u32::try_from(filter.max_age).ok().filter(|seconds| *seconds > 0);
    if max_age.is_none() {
        problems.invalid(&field.field("maxAge"), format!("{} is not at least 1 second", filter.max_age));
    }
    Cors {
        allow_origins,
        allow_credentials: filter.allow_credentials.unwrap_or(false),
        allow_methods,
        allow_headers,
        expose_headers,
        max_age: max_age.unwrap_or_default(),
    }
}

/// `*`, or `scheme://host[:port]` where the host is `*`, or a name whose first label may be `*`.
fn origin(text: &str) -> Result<Arc<str>, String> {
    if text == ANY || is_origin(text).is_some() {
        return Ok(text.to_ascii_lowercase().into());
    }
    Err(format!("`{text}` is neither * nor an origin such as https://*.example.com:8443"))
}

fn is_origin(text: &str) -> Option<()> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"))?;
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|number| number > 0);
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    let is_host = host == ANY || name.split('.').all(is_label);
    (is_host && port.is_none_or(is_port)).then_some(())
}

fn method(text: &str) -> Result<Arc<str>, String> {
    match Method::try_from(text) {
        Ok(_) => Ok(text.into()),
        Err(_) => Err(format!("`{text}` is no HTTP method")),
    }
}

fn header_or_any(text: &str) -> Result<Arc<str>, String> {
    header::name(text)
}

#[cfg(test)]
mod tests;
