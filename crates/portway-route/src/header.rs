//! A condition on a header.
//!
//! A header that comes in several lines has the value that RFC 9110, section 5.3, gives it: the
//! lines joined by comma and space. So it makes no difference whether some proxy on the way has
//! joined them already. `Cookie` is joined by semicolon and space, as RFC 9113, section 8.2.3, has it:
//! HTTP/2 clients send each cookie in a line of its own.

use smallvec::SmallVec;

use crate::conditions::ValueTest;
use crate::pattern::Pattern;
use crate::request::Request;

/// Bytes of a header of several lines that are joined without allocating.
const JOINED_IN_PLACE: usize = 512;

/// Whether the request has header `name` (lower case) with a value that passes.
pub(crate) fn passes<R: Request + ?Sized>(request: &R, name: &str, test: &ValueTest) -> bool {
    match test {
        ValueTest::Exact(wanted) => equals(request, name, wanted.as_bytes()),
        ValueTest::Regex(pattern) => fits(request, name, pattern),
    }
}

/// The value of a header as the matcher sees it; absent when the request has none.
pub(crate) fn value<R: Request + ?Sized>(request: &R, name: &str) -> Option<Vec<u8>> {
    join(request, name).map(SmallVec::into_vec)
}

fn separator(name: &str) -> &'static [u8] {
    if name == "cookie" { b"; " } else { b", " }
}

/// Takes each line off the front of what is wanted, so that nothing needs to be joined.
fn equals<R: Request + ?Sized>(request: &R, name: &str, wanted: &[u8]) -> bool {
    let mut rest = wanted;
    let mut first = true;
    let differs = request.any_header(name, &mut |line| {
        let expected = if first { Some(rest) } else { rest.strip_prefix(separator(name)) };
        first = false;
        match expected.and_then(|expected| expected.strip_prefix(line)) {
            Some(left) => {
                rest = left;
                false
            }
            None => true,
        }
    });
    !first && !differs && rest.is_empty()
}

fn fits<R: Request + ?Sized>(request: &R, name: &str, pattern: &Pattern) -> bool {
    let mut lines = 0;
    let mut first_fits = false;
    request.any_header(name, &mut |line| {
        lines += 1;
        if lines == 1 {
            first_fits = pattern.matches(line);
        }
        lines > 1
    });
    match lines {
        0 | 1 => first_fits,
        _ => join(request, name).is_some_and(|joined| pattern.matches(&joined)),
    }
}

fn join<R: Request + ?Sized>(request: &R, name: &str) -> Option<SmallVec<[u8; JOINED_IN_PLACE]>> {
    let mut joined = None::<SmallVec<_>>;
    request.any_header(name, &mut |line| {
        match &mut joined {
            None => joined = Some(SmallVec::from_slice(line)),
            Some(joined) => {
                joined.extend_from_slice(separator(name));
                joined.extend_from_slice(line);
            }
        }
        false
    });
    joined
}

#[cfg(test)]
mod tests;
