//! Parameters of a Gateway over those of its class, field by field.

use super::{Placement, PortwayParametersSpec, ServiceParameters, Telemetry};

impl PortwayParametersSpec {
    /// These parameters, with what they leave out taken from `defaults`. Lists and maps are taken whole: an entry of a
    /// class that could not be got rid of would be a trap. A fixed number of replicas and autoscaling exclude each other,
    /// so naming either leaves out both of the defaults.
    #[must_use]
    pub fn over(self, defaults: Self) -> Self {
        let scales = self.replicas.is_some() || self.autoscaling.is_some();
        let (replicas, autoscaling) =
            if scales { (None, None) } else { (defaults.replicas, defaults.autoscaling) };
        Self {
            replicas: self.replicas.or(replicas),
            autoscaling: self.autoscaling.or(autoscaling),
            resources: self.resources.or(defaults.resources),
            service: both(self.service, defaults.service, ServiceParameters::over),
            placement: both(self.placement, defaults.placement, Placement::over),
            host_network: self.host_network.or(defaults.host_network),
            access_log: self.access_log.or(defaults.access_log),
            telemetry: both(self.telemetry, defaults.telemetry, Telemetry::over),
            trusted_hops: self.trusted_hops.or(defaults.trusted_hops),
            pod_template: self.pod_template.or(defaults.pod_template),
        }
    }
}

impl ServiceParameters {
    fn over(self, defaults: Self) -> Self {
        Self {
            kind: self.kind.or(defaults.kind),
            external_traffic_policy: self.external_traffic_policy.or(defaults.external_traffic_policy),
            internal_traffic_policy: self.internal_traffic_policy.or(defaults.internal_traffic_policy),
            load_balancer_class: self.load_balancer_class.or(defaults.load_balancer_class),
            load_balancer_source_ranges: list(
                self.load_balancer_source_ranges,
                defaults.load_balancer_source_ranges,
            ),
            node_ports: list(self.node_ports, defaults.node_ports),
            ip_family_policy: self.ip_family_policy.or(defaults.ip_family_policy),
            annotations: if self.annotations.is_empty() { defaults.annotations } else { self.annotations },
        }
    }
}

impl Placement {
    fn over(self, defaults: Self) -> Self {
        Self {
            node_selector: if self.node_selector.is_empty() {
                defaults.node_selector
            } else {
                self.node_selector
            },
            tolerations: list(self.tolerations, defaults.tolerations),
            affinity: self.affinity.or(defaults.affinity),
            topology_spread_constraints: list(
                self.topology_spread_constraints,
                defaults.topology_spread_constraints,
            ),
            priority_class_name: self.priority_class_name.or(defaults.priority_class_name),
        }
    }
}

impl Telemetry {
    fn over(self, defaults: Self) -> Self {
        Self {
            log_level: self.log_level.or(defaults.log_level),
            route_metrics: self.route_metrics.or(defaults.route_metrics),
        }
    }
}

fn both<T>(own: Option<T>, defaults: Option<T>, over: fn(T, T) -> T) -> Option<T> {
    match (own, defaults) {
        (Some(own), Some(defaults)) => Some(over(own, defaults)),
        (own, defaults) => own.or(defaults),
    }
}

fn list<T>(own: Vec<T>, defaults: Vec<T>) -> Vec<T> {
    if own.is_empty() { defaults } else { own }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::PortwayParametersSpec;

    fn over(own: Value, defaults: Value) -> Value {
        let read = |value| {
            serde_json::from_value::<PortwayParametersSpec>(value).unwrap_or_else(|error| panic!("{error}"))
        };
        serde_json::to_value(read(own).over(read(defaults))).unwrap_or_default()
    }

    #[test]
    fn the_gateway_wins_field_by_field() {
        let class = json!({
            "replicas": 3, "trustedHops": 1, "accessLog": "Text", "telemetry": {"logLevel": "info", "routeMetrics": true},
            "service": {"type": "NodePort", "externalTrafficPolicy": "Local", "annotations": {"a": "1"}},
            "placement": {"nodeSelector": {"edge": ""}, "priorityClassName": "high"},
        });
        let own = json!({
            "replicas": 5, "telemetry": {"routeMetrics": false},
            "service": {"type": "ClusterIP", "annotations": {"b": "2"}}, "placement": {"nodeSelector": {"x": "y"}},
        });
        assert_eq!(
            over(own, class),
            json!({
                "replicas": 5, "service": {"type": "ClusterIP", "externalTrafficPolicy": "Local", "annotations": {"b": "2"}},
                "placement": {"nodeSelector": {"x": "y"}, "priorityClassName": "high"}, "accessLog": "Text",
                "telemetry": {"logLevel": "info", "routeMetrics": false}, "trustedHops": 1,
            })
        );
    }

    #[test]
    fn a_number_of_replicas_and_autoscaling_exclude_each_other() {
        let (fixed, scaled) = (json!({"replicas": 3}), json!({"autoscaling": {"maxReplicas": 5}}));
        assert_eq!(over(fixed.clone(), scaled.clone()), fixed);
        assert_eq!(over(scaled.clone(), fixed), scaled);
        assert_eq!(over(json!({}), scaled.clone()), scaled);
    }
}
