//! External authorization (GEP-1494).

use std::sync::Arc;

use portway_api::filter::{ExternalAuthProtocol as ApiProtocol, HttpExternalAuthFilter};
use portway_config::filter::{ExternalAuth, ExternalAuthProtocol};

use super::{header, url};
use crate::backend::{self, Traffic};
use crate::context::Context;
use crate::field::Field;
use crate::problem::Problems;
use crate::reference_grant::Referrer;

/// An external authorization filter of a route or a listener. Where its server cannot be resolved,
/// the filter stays and denies every request: authorization fails closed.
pub(crate) fn external_auth(
    context: &Context<'_>,
    referrer: Referrer<'_>,
    filter: &HttpExternalAuthFilter,
    field: &Field<'_>,
    problems: &mut Problems,
) -> ExternalAuth {
    let (traffic, protocol) = match filter.protocol {
        ApiProtocol::Http => {
            unexpected(filter.grpc.is_some(), "grpc", "HTTP", field, problems);
            (Traffic::Http, http_protocol(filter, field, problems))
        }
        ApiProtocol::Grpc => {
            unexpected(filter.http.is_some(), "http", "GRPC", field, problems);
            (Traffic::Grpc, grpc_protocol(filter, field, problems))
        }
    };
    let max_body = filter.forward_body.map_or(0, |body| body.max_size);
    let max_body = u32::try_from(max_body).unwrap_or_else(|_| {
        let message = format!("{max_body} is no size in bytes");
        problems.invalid(&field.field("forwardBody").field("maxSize"), message);
        0
    });
    let at = field.field("backendRef");
    let target = backend::target(context, referrer, &filter.backend_ref, traffic, &at, problems);
    ExternalAuth { target, protocol, max_body }
}

fn unexpected(is_there: bool, name: &str, protocol: &str, field: &Field<'_>, problems: &mut Problems) {
    if is_there {
        problems
            .invalid(&field.field(name), format!("it must not be given where the protocol is {protocol}"));
    }
}

fn http_protocol(
    filter: &HttpExternalAuthFilter,
    field: &Field<'_>,
    problems: &mut Problems,
) -> ExternalAuthProtocol {
    let settings = filter.http.clone().unwrap_or_default();
    let at = field.field("http");
    let path = settings.path.unwrap_or_default();
    if let Err(why) = url::check_path(&path) {
        problems.invalid(&at.field("path"), why);
    }
    ExternalAuthProtocol::Http {
        path: if path.is_empty() { Arc::from("") } else { url::absolute(&path) },
        allowed_headers: header::names(&settings.allowed_headers, "allowedHeaders", &at, problems),
        allowed_response_headers: header::names(
            &settings.allowed_response_headers,
            "allowedResponseHeaders",
            &at,
            problems,
        ),
    }
}

fn grpc_protocol(
    filter: &HttpExternalAuthFilter,
    field: &Field<'_>,
    problems: &mut Problems,
) -> ExternalAuthProtocol {
    let settings = filter.grpc.clone().unwrap_or_default();
    let allowed_headers =
        header::names(&settings.allowed_headers, "allowedHeaders", &field.field("grpc"), problems);
    ExternalAuthProtocol::Grpc { allowed_headers }
}
