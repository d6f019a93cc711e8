//! One stream, from its first requests to its end.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use portway_config::Revision;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

use super::connect::{Channel, ConnectError};
use super::save::Saver;
use super::store::Store;
use super::{ClientOptions, Report, Source, Update, disk, hand_over};
use crate::message::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, METHOD, Node};
use crate::refusal::{NamedRefusal, to_status};
use crate::resource::ResourceType;

/// Requests that wait to be sent. When the controller does not take them, nothing more is read from it.
const QUEUED_REQUESTS: usize = 16;

/// How a stream ended.
pub(super) struct Ended {
    pub(super) error: ConnectError,
    /// Whether the proxy was at the controller's revision at least once.
    pub(super) has_synchronized: bool,
}

/// One stream.
pub(super) struct Session<'a> {
    channel: Channel,
    store: &'a mut Store,
    updates: &'a mpsc::Sender<Update>,
    reports: &'a mut watch::Receiver<Report>,
    saver: Option<&'a Saver>,
    options: &'a ClientOptions,
    /// By type, the refusals that the controller was told of.
    told: BTreeMap<String, Vec<NamedRefusal>>,
    has_synchronized: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        channel: Channel,
        store: &'a mut Store,
        updates: &'a mpsc::Sender<Update>,
        reports: &'a mut watch::Receiver<Report>,
        saver: Option<&'a Saver>,
        options: &'a ClientOptions,
    ) -> Self {
        let told = BTreeMap::new();
        Self { channel, store, updates, reports, saver, options, told, has_synchronized: false }
    }

    /// Follows the stream to its end.
    pub(super) async fn run(&mut self) -> Ended {
        let error = match self.follow().await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        Ended { error, has_synchronized: self.has_synchronized }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, ConnectError> {
        let (requests, queued) = mpsc::channel(QUEUED_REQUESTS);
        // The responses begin when the controller has taken the token; it waits for no request with that.
        let begin = timeout(self.options.limits.admission_timeout, self.begin(Requests(queued)));
        let mut responses = begin.await.map_err(|_| ConnectError::Timeout)??;
        for request in self.first_requests() {
            send(&requests, request).await?;
        }
        tracing::info!("connected to the controller at {}", self.options.controller);
        // The responses of one revision, until they are complete.
        let mut group = Vec::new();
        loop {
            tokio::select! {
                response = responses.message() => {
                    let response = response.map_err(ConnectError::Status)?.ok_or(ConnectError::Closed)?;
                    let more = response.more;
                    group.push(response);
                    if !more {
                        self.take(std::mem::take(&mut group), &requests).await?;
                    }
                }
                changed = self.reports.changed() => {
                    changed.map_err(|_| ConnectError::Closed)?;
                    let report = self.reports.borrow_and_update().clone();
                    self.tell_of_refusals(&requests, &report).await?;
                }
            }
        }
    }

    async fn begin(&mut self, requests: Requests) -> Result<Streaming<DeltaDiscoveryResponse>, ConnectError> {
        let limits = &self.options.limits;
        let mut grpc =
            tonic::client::Grpc::with_origin(self.channel.service.clone(), self.channel.origin.clone())
                .max_decoding_message_size(limits.message_bytes)
                .max_encoding_message_size(limits.message_bytes);
        grpc.ready().await.map_err(ConnectError::Http)?;
        let mut request = Request::new(requests);
        if let Some(authorization) = &self.channel.authorization {
            let value = authorization.parse().map_err(|_| {
                ConnectError::Protocol("the token has characters that a header cannot hold".into())
            })?;
            request.metadata_mut().insert("authorization", value);
        }
        let codec = ProstCodec::<DeltaDiscoveryRequest, DeltaDiscoveryResponse>::default();
        let path = http::uri::PathAndQuery::from_static(METHOD);
        let response = grpc.streaming(request, path, codec).await.map_err(ConnectError::Status)?;
        Ok(response.into_inner())
    }

    /// What the proxy has and refuses, one request for each type.
    fn first_requests(&mut self) -> Vec<DeltaDiscoveryRequest> {
        let report = self.reports.borrow_and_update().clone();
        let mut refusals = by_type(self.store.refusals(&report.refused));
        let node = Node {
            id: self.options.pod.clone(),
            cluster: disk::json(self.store.gateway()),
            user_agent_name: "portway".to_owned(),
            user_agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut requests = Vec::new();
        for kind in ResourceType::ALL {
            let refused = refusals.remove(kind.url()).unwrap_or_default();
            requests.push(DeltaDiscoveryRequest {
                type_url: kind.url().to_owned(),
                resource_names_subscribe: vec!["*".to_owned()],
                initial_resource_versions: self.store.versions(kind),
                error_detail: to_status(&refused.iter().collect::<Vec<_>>(), &self.options.limits),
                more: true,
                ..DeltaDiscoveryRequest::default()
            });
            self.told.insert(kind.url().to_owned(), refused);
        }
        // Both are there, as there is a request for each type.
        if let Some(first) = requests.first_mut() {
            first.node = Some(node);
            first.revision = self.store.revision().0;
        }
        if let Some(last) = requests.last_mut() {
            last.more = false;
        }
        requests
    }

    /// Hands a group on, and answers to it.
    async fn take(
        &mut self,
        group: Vec<DeltaDiscoveryResponse>,
        requests: &mpsc::Sender<DeltaDiscoveryRequest>,
    ) -> Result<(), ConnectError> {
        let nonces: Vec<_> = group.iter().map(|it| (it.type_url.clone(), it.nonce.clone())).collect();
        let revision = revision_of(&group)?;
        let is_news = revision != self.store.revision()
            || group.iter().any(|it| !(it.resources.is_empty() && it.removed_resources.is_empty()));
        let report = if is_news {
            self.store.apply(revision, group);
            let report = hand_over(self.store.update(Source::Controller), self.updates, self.reports).await;
            report.ok_or(ConnectError::Closed)?
        } else {
            self.reports.borrow_and_update().clone()
        };
        self.store.put_back(&report.refused);
        self.has_synchronized = true;

        let mut refusals = by_type(self.store.refusals(&report.refused));
        // First of types that are not in the group, so that with the last nonce the controller knows all.
        let in_group = |url: &String| nonces.iter().any(|(type_url, _)| type_url == url);
        let elsewhere = refusals.extract_if(.., |url, _| !in_group(url)).collect();
        self.tell(requests, elsewhere, in_group).await?;
        for (type_url, nonce) in nonces {
            let refused = refusals.get(&type_url).cloned().unwrap_or_default();
            send(requests, self.request(&type_url, nonce, &refused)).await?;
            self.told.insert(type_url, refused);
        }
        if let Some(saver) = self.saver.filter(|_| is_news) {
            saver.save(self.store.saved());
        }
        Ok(())
    }

    /// Tells what has changed of the refusals, without having been sent anything.
    async fn tell_of_refusals(
        &mut self,
        requests: &mpsc::Sender<DeltaDiscoveryRequest>,
        report: &Report,
    ) -> Result<(), ConnectError> {
        let refusals = by_type(self.store.refusals(&report.refused));
        self.tell(requests, refusals, |_| false).await
    }

    /// Tells of all types but those that `except` says.
    async fn tell(
        &mut self,
        requests: &mpsc::Sender<DeltaDiscoveryRequest>,
        mut refusals: BTreeMap<String, Vec<NamedRefusal>>,
        except: impl Fn(&String) -> bool,
    ) -> Result<(), ConnectError> {
        for kind in ResourceType::ALL {
            let url = kind.url().to_owned();
            let refused = refusals.remove(&url).unwrap_or_default();
            if except(&url) || self.told.get(&url).is_some_and(|told| *told == refused) {
                continue;
            }
            send(requests, self.request(&url, String::new(), &refused)).await?;
            self.told.insert(url, refused);
        }
        Ok(())
    }

    fn request(&self, type_url: &str, nonce: String, refused: &[NamedRefusal]) -> DeltaDiscoveryRequest {
        DeltaDiscoveryRequest {
            type_url: type_url.to_owned(),
            response_nonce: nonce,
            error_detail: to_status(&refused.iter().collect::<Vec<_>>(), &self.options.limits),
            ..DeltaDiscoveryRequest::default()
        }
    }
}

fn revision_of(group: &[DeltaDiscoveryResponse]) -> Result<Revision, ConnectError> {
    let text = group.first().map(|it| &*it.system_version_info).unwrap_or_default();
    let number = text.parse().map_err(|_| ConnectError::Protocol(format!("`{text}` is not a revision")))?;
    Ok(Revision(number))
}

fn by_type(refusals: Vec<NamedRefusal>) -> BTreeMap<String, Vec<NamedRefusal>> {
    let mut by_type = BTreeMap::<String, Vec<_>>::new();
    for refusal in refusals {
        by_type.entry(refusal.type_url.clone()).or_default().push(refusal);
    }
    by_type
}

async fn send(
    requests: &mpsc::Sender<DeltaDiscoveryRequest>,
    request: DeltaDiscoveryRequest,
) -> Result<(), ConnectError> {
    requests.send(request).await.map_err(|_| ConnectError::Closed)
}

/// What is sent to the controller.
struct Requests(mpsc::Receiver<DeltaDiscoveryRequest>);

impl Stream for Requests {
    type Item = DeltaDiscoveryRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}
