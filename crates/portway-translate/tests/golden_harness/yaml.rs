//! Reads manifests, without positions: just enough for tests.

use std::collections::BTreeMap;

use portway_api::Object;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The objects of a YAML text of several documents.
pub(crate) fn objects(text: &str) -> Result<Vec<Object>, String> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        events.push(event.map_err(|error| error.to_string())?.0);
    }
    let mut reader = Reader { events: events.into_iter(), anchors: BTreeMap::new() };
    let mut objects = Vec::new();
    while let Some(event) = reader.events.next() {
        if matches!(event, Event::DocumentStart(_)) {
            let document = reader.next()?;
            if !document.is_null() {
                objects.push(object(document)?);
            }
        }
    }
    Ok(objects)
}

struct Reader<'a> {
    events: std::vec::IntoIter<Event<'a>>,
    anchors: BTreeMap<usize, Value>,
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Value, String> {
        let event = self.events.next().ok_or("the text ends early")?;
        self.value(event)
    }

    fn value(&mut self, event: Event<'_>) -> Result<Value, String> {
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                return self.anchors.get(&anchor).cloned().ok_or("no such anchor".to_owned());
            }
            Event::Scalar(text, style, anchor, _) => (anchor, scalar(&text, style)),
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.events.next().ok_or("a sequence does not end")? {
                        Event::SequenceEnd => break (anchor, Value::Array(items)),
                        event => items.push(self.value(event)?),
                    }
                }
            }
            Event::MappingStart(anchor, _) => {
                let mut fields = Map::new();
                loop {
                    match self.events.next().ok_or("a mapping does not end")? {
                        Event::MappingEnd => break (anchor, Value::Object(fields)),
                        Event::Scalar(name, ..) => fields.insert(name.into_owned(), self.next()?),
                        event => return Err(format!("{event:?} is no name of a field")),
                    };
                }
            }
            event => return Err(format!("{event:?} is unexpected")),
        };
        self.anchors.insert(anchor, value.clone());
        Ok(value)
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
    }
}

fn object(document: Value) -> Result<Object, String> {
    let kind = document["kind"].as_str().unwrap_or_default().to_owned();
    Ok(match kind.as_str() {
        "GatewayClass" => Object::GatewayClass(typed(document)?),
        "Gateway" => Object::Gateway(typed(document)?),
        "ListenerSet" => Object::ListenerSet(typed(document)?),
        "HTTPRoute" => Object::HttpRoute(typed(document)?),
        "GRPCRoute" => Object::GrpcRoute(typed(document)?),
        "TLSRoute" => Object::TlsRoute(typed(document)?),
        "TCPRoute" => Object::TcpRoute(typed(document)?),
        "UDPRoute" => Object::UdpRoute(typed(document)?),
        "ReferenceGrant" => Object::ReferenceGrant(typed(document)?),
        "BackendTLSPolicy" => Object::BackendTlsPolicy(typed(document)?),
        "Namespace" => Object::Namespace(typed(document)?),
        "Service" => Object::Service(typed(document)?),
        "Secret" => Object::Secret(typed(document)?),
        "ConfigMap" => Object::ConfigMap(typed(document)?),
        "ClusterTrustBundle" => Object::ClusterTrustBundle(typed(document)?),
        "EndpointSlice" => Object::EndpointSlice(typed(document)?),
        "Endpoints" => Object::Endpoints(typed(document)?),
        "Deployment" => Object::Deployment(typed(document)?),
        kind => return Err(format!("kind {kind} is unknown")),
    })
}

fn typed<T: DeserializeOwned>(document: Value) -> Result<T, String> {
    let text = document.to_string();
    serde_json::from_value(document).map_err(|error| format!("{error} in {text}"))
}
