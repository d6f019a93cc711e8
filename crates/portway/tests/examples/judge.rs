//! Holds what came of a request against what was expected.

use std::thread;
use std::time::{Duration, Instant};

use crate::backend::{Backend, Backends};
use crate::running::curl::Answer;
use crate::script::Expectation;

/// A copy that a gateway sends on the side may arrive after the answer.
const TIME_TO_ARRIVE: Duration = Duration::from_secs(2);
const TIME_NOT_TO_ARRIVE: Duration = Duration::from_millis(500);
/// By how many points a share may be off.
const SHARE_TOLERANCE: usize = 5;

/// Fails with what is wrong, if an expectation does not hold of the answers.
pub(crate) fn judge(
    expectation: &Expectation,
    answers: &[Answer],
    backends: &Backends,
) -> Result<(), String> {
    match expectation {
        Expectation::Share { percent, text } => judge_share(*percent, text, answers),
        Expectation::Received { service, text } => wait_for(find(backends, service)?, text, TIME_TO_ARRIVE)
            .then_some(())
            .ok_or_else(|| format!("{service} has not")),
        Expectation::NotReceived { service, text } => {
            let received = wait_for(find(backends, service)?, text, TIME_NOT_TO_ARRIVE);
            if received { Err(format!("{service} has")) } else { Ok(()) }
        }
        _ => answers.iter().try_for_each(|answer| {
            holds(expectation, answer).then_some(()).ok_or_else(|| format!("the answer is {answer:#?}"))
        }),
    }
}

fn holds(expectation: &Expectation, answer: &Answer) -> bool {
    if let Expectation::Fails = expectation {
        return answer.failure.is_some();
    }
    let has_header = |wanted: &str, value: Option<&str>| {
        answer.headers.iter().any(|(name, found)| {
            name.eq_ignore_ascii_case(wanted) && value.is_none_or(|value| value == found)
        })
    };
    answer.failure.is_none()
        && match expectation {
            Expectation::Status(status) => answer.status == *status,
            Expectation::Header { name, value } => has_header(name, value.as_deref()),
            Expectation::NoHeader { name } => !has_header(name, None),
            Expectation::Body(text) => answer.body.contains(text),
            Expectation::NoBody(text) => !answer.body.contains(text),
            Expectation::Took { least, most } => (least..=most).contains(&&answer.took),
            Expectation::Fails
            | Expectation::Share { .. }
            | Expectation::Received { .. }
            | Expectation::NotReceived { .. } => false,
        }
}

fn judge_share(percent: usize, text: &str, answers: &[Answer]) -> Result<(), String> {
    let count = answers.iter().filter(|answer| answer.body.contains(text)).count();
    let share = count * 100 / answers.len().max(1);
    if share.abs_diff(percent) <= SHARE_TOLERANCE {
        Ok(())
    } else {
        Err(format!("{count} of {} answers hold it", answers.len()))
    }
}

fn find<'backends>(backends: &'backends Backends, service: &str) -> Result<&'backends Backend, String> {
    backends.get(service).map(AsRef::as_ref).ok_or_else(|| format!("no `backend` line starts {service}"))
}

fn wait_for(backend: &Backend, text: &str, at_most: Duration) -> bool {
    let began = Instant::now();
    loop {
        if backend.has_received(text) {
            return true;
        }
        if began.elapsed() > at_most {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
