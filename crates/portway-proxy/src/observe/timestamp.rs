//! Points in time as RFC 3339 writes them, with milliseconds, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Formats points in time. The date and time to the second are kept, since most lines share them.
#[derive(Debug, Default)]
pub(super) struct TimestampFormat {
    second: u64,
    text: String,
}

impl TimestampFormat {
    pub(super) fn format(&mut self, time: SystemTime) -> &str {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = since_epoch.as_secs();
        if second != self.second || self.text.is_empty() {
            let timestamp = i64::try_from(second).ok().and_then(|it| Timestamp::from_second(it).ok());
            self.text = timestamp.unwrap_or_default().to_string();
            self.text.truncate("2026-01-01T00:00:00".len());
            self.second = second;
        }
        self.text.truncate("2026-01-01T00:00:00".len());
        let millis = since_epoch.subsec_millis();
        self.text.push('.');
        for divisor in [100, 10, 1] {
            // A digit is below 10.
            self.text.push(char::from(b'0' + (millis / divisor % 10) as u8));
        }
        self.text.push('Z');
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn milliseconds_always_have_three_digits() {
        let mut format = TimestampFormat::default();
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(format.format(at(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(format.format(at(1_795_421_286_007)), "2026-11-23T08:08:06.007Z");
        assert_eq!(format.format(at(1_795_421_286_999)), "2026-11-23T08:08:06.999Z");
        assert_eq!(format.format(at(1_795_421_287_000)), "2026-11-23T08:08:07.000Z");
    }
}
