//! Metrics, as a scrape is answered.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// The media type of [`exposition`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All of these in the text form of OpenMetrics.
pub(crate) fn exposition(counted: impl IntoIterator<Item = Box<dyn Collector>>) -> String {
    let mut registry = Registry::default();
    counted.into_iter().for_each(|it| registry.register_collector(it));
    let mut text = String::new();
    // Writing to a String cannot fail, and no collector fails by itself.
    let _ = text::encode(&mut text, &registry);
    text
}
