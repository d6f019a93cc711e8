//! Sending copies of requests elsewhere (GEP-3171).

use portway_api::filter::HttpRequestMirrorFilter;
use portway_config::filter::Mirror;

use super::Scope;
use crate::backend;
use crate::field::Field;
use crate::problem::Problems;

/// A mirror. Where nothing is said, every request is copied.
pub(crate) fn mirror(
    scope: &Scope<'_>,
    filter: &HttpRequestMirrorFilter,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Mirror {
    let (numerator, denominator) = share(filter, field, problems).unwrap_or((0, 1));
    let at = field.field("backendRef");
    let target =
        backend::target(scope.context, scope.referrer, &filter.backend_ref, scope.traffic, &at, problems);
    Mirror { target, numerator, denominator }
}

/// The share of the requests that are copied; none where it is invalid.
fn share(filter: &HttpRequestMirrorFilter, field: &Field<'_>, problems: &mut Problems) -> Option<(u32, u32)> {
    match (filter.percent, filter.fraction) {
        (None, None) => Some((1, 1)),
        (Some(_), Some(_)) => {
            problems.invalid(field, "only one of percent and fraction may be given");
            None
        }
        (Some(percent), None) => match u32::try_from(percent) {
            Ok(percent @ 0..=100) => Some((percent, 100)),
            _ => {
                problems.invalid(&field.field("percent"), format!("{percent} is not between 0 and 100"));
                None
            }
        },
        (None, Some(fraction)) => {
            let numbers = (u32::try_from(fraction.numerator), u32::try_from(fraction.denominator));
            match numbers {
                (Ok(numerator), Ok(denominator)) if denominator > 0 && numerator <= denominator => {
                    Some((numerator, denominator))
                }
                _ => {
                    let message = format!(
                        "{}/{} is not a fraction between 0 and 1",
                        fraction.numerator, fraction.denominator
                    );
                    problems.invalid(&field.field("fraction"), message);
                    None
                }
            }
        }
    }
}
