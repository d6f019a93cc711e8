//! Metrics, as a scrape is answered.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// All of these in the text form of OpenMetrics, of the same media type as a controller's ([`portway_controller::metrics::CONTENT_TYPE`]).
pub(crate) fn exposition(counted: impl IntoIterator<Item = Box<dyn Collector>>) -> String {
    let mut registry = Registry::default();
    counted.into_iter().for_each(|it| registry.register_collector(it));
    let mut text = String::new();
    // Writing to a String cannot fail, and no collector fails by itself.
    let _ = text::encode(&mut text, &registry);
    text
}
