//! Metrics, as they are told to Prometheus and as pages list them.

use std::collections::{BTreeMap, BTreeSet};

use crate::rows;

/// Type and labels of a family of metrics.
pub type Family = (String, BTreeSet<String>);

/// The families of an answer in Prometheus' text form, or in that of OpenMetrics, by the names of their samples. `le`, which all
/// histograms have, is left out of the labels.
pub fn families(exposition: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in exposition.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' ')) {
            // OpenMetrics leaves the ending of counters out here.
            let is_bare = kind == "counter" && !name.ends_with("_total");
            let name = if is_bare { format!("{name}_total") } else { name.to_owned() };
            families.entry(name).or_insert_with(|| (kind.to_owned(), BTreeSet::new()));
        } else if let Some((sample, rest)) = line.split_once('{')
            && let Some((_, labels)) = families.get_mut(sample.trim_end_matches("_bucket"))
        {
            let pairs = rest.split_once('}').unwrap_or_default().0.split(',');
            let names = pairs.filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            labels.extend(names.filter(|name| name != "le"));
        }
    }
    families
}

/// The same by the rows of a page: name, type, labels.
pub fn documented_families(text: &str) -> BTreeMap<String, Family> {
    let family = |row: Vec<String>| {
        let mut cells = row.into_iter();
        let (name, kind) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let labels = cells.next().unwrap_or_default();
        let labels = labels.split(", ").map(|label| label.trim_matches('`').to_owned());
        (name, (kind, labels.filter(|label| !label.is_empty()).collect()))
    };
    rows(text).into_iter().map(family).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_and_an_answer_that_say_the_same_are_equal() {
        let told = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 3\n\
                    # TYPE b counter\nb_total 1\n\
                    # TYPE c histogram\nc_bucket{x=\"1\",le=\"0.5\"} 3\nc_sum 3\n";
        let page = "| name | type | labels |\n| `a_total` | counter | `x`, `y` | A. |\n\
                    | `b_total` | counter | |\n| `c` | histogram | `x` | C. |\n";
        assert_eq!(families(told), documented_families(page));
        assert_eq!(families(told).len(), 3);
        assert_eq!(families(told)["a_total"].1.len(), 2);
    }
}
