//! The matches under one hostname, found by path.

use std::collections::BTreeMap;
use std::iter::once_with;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use crate::conditions::{Conditions, ValueTest};
use crate::grpc;
use crate::path::{GrpcTest, PathTest};
use crate::prefix_index::PrefixIndex;
use crate::request::Request;
use crate::router::{RuleId, index};

/// A compiled match: its rule, and its index there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MatchId(RuleId, u32);

/// A compiled match of a rule. Hostnames and listeners of its route share it.
#[derive(Debug)]
pub(crate) struct CompiledMatch {
    pub(crate) rule: RuleId,
    /// Index in the rule's `matches`.
    pub(crate) match_index: u32,
    pub(crate) path: PathTest,
    /// Boxed since most matches have none.
    pub(crate) conditions: Option<Box<Conditions>>,
}

impl CompiledMatch {
    pub(crate) fn id(&self) -> MatchId {
        MatchId(self.rule, self.match_index)
    }

    /// Whether `request` meets all its conditions (the hostname is no part of them).
    pub(crate) fn passes<R: Request + ?Sized>(&self, request: &R) -> bool {
        self.path.passes(request.path())
            && self.conditions.as_ref().is_none_or(|it| it.unmet(request).is_none())
    }
}

/// The matches under one hostname.
///
/// The stages stand in the order of [`crate::PathRank`], so the first match that passes wins. What a
/// stage finds for a path are candidates, and each still answers for itself whether it passes.
#[derive(Debug)]
pub(crate) struct PathTable {
    /// Of all stages, one after another; those of a node in their order of precedence.
    matches: Box<[Arc<CompiledMatch>]>,
    /// Exact paths, among them gRPC matches with exact service and method. Sorted.
    exact: Box<[Node]>,
    /// Other gRPC matches with an exact service, by that. Sorted.
    services: Box<[Node]>,
    /// gRPC matches with an expression or without service.
    grpc_patterns: Span,
    expressions: Span,
    prefixes: PrefixIndex<Span>,
    any_grpc: Span,
}

/// Part of `PathTable::matches`.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

#[derive(Debug)]
struct Node {
    text: Arc<str>,
    span: Span,
}

impl PathTable {
    /// Builds the table of the matches `sorted`, which stand in their order of precedence.
    pub(crate) fn new<'m>(sorted: impl Iterator<Item = &'m Arc<CompiledMatch>>) -> Self {
        let mut stages = Stages::default();
        sorted.for_each(|it| stages.add(it));
        stages.finish()
    }

    /// The match with the highest precedence of those that `request` passes.
    pub(crate) fn find<R: Request + ?Sized>(&self, request: &R) -> Option<&Arc<CompiledMatch>> {
        self.candidates(request.path()).find(|it| it.passes(request))
    }

    /// All matches that may match `path`, in their order of precedence. What is costly to find is
    /// looked for only when the stages before it have no winner.
    pub(crate) fn candidates(&self, path: &str) -> impl Iterator<Item = &Arc<CompiledMatch>> {
        let grpc = if self.has_grpc() { grpc::split(path) } else { None };
        let service = grpc.into_iter().flat_map(|(service, _)| self.node(&self.services, service));
        let grpc_patterns = grpc.into_iter().flat_map(|_| self.span(self.grpc_patterns));
        let prefixes = once_with(|| self.prefixes.find(path)).flatten().flat_map(|&span| self.span(span));
        let any_grpc = grpc.into_iter().flat_map(|_| self.span(self.any_grpc));
        self.node(&self.exact, path)
            .chain(service)
            .chain(grpc_patterns)
            .chain(self.span(self.expressions))
            .chain(prefixes)
            .chain(any_grpc)
    }

    /// Whether a match wants the parts of a gRPC request's path. Most tables have none.
    fn has_grpc(&self) -> bool {
        !(self.services.is_empty() && self.grpc_patterns.is_empty() && self.any_grpc.is_empty())
    }

    fn node(&self, nodes: &[Node], text: &str) -> slice::Iter<'_, Arc<CompiledMatch>> {
        let found = nodes.binary_search_by(|node| (*node.text).cmp(text)).ok();
        self.span(found.and_then(|at| nodes.get(at)).map(|node| node.span).unwrap_or_default())
    }

    fn span(&self, span: Span) -> slice::Iter<'_, Arc<CompiledMatch>> {
        let range: Range<usize> = span.start as usize..span.end as usize;
        self.matches.get(range).unwrap_or_default().iter()
    }
}

/// The matches of a table that is being built, by stage.
#[derive(Default)]
struct Stages {
    exact: BTreeMap<Arc<str>, Vec<Arc<CompiledMatch>>>,
    services: BTreeMap<Arc<str>, Vec<Arc<CompiledMatch>>>,
    grpc_patterns: Vec<Arc<CompiledMatch>>,
    expressions: Vec<Arc<CompiledMatch>>,
    prefixes: BTreeMap<Arc<str>, Vec<Arc<CompiledMatch>>>,
    any_grpc: Vec<Arc<CompiledMatch>>,
}

impl Stages {
    fn add(&mut self, it: &Arc<CompiledMatch>) {
        let stage = match &it.path {
            PathTest::Exact(path) => self.exact.entry(Arc::clone(path)).or_default(),
            PathTest::Regex(_) => &mut self.expressions,
            PathTest::Prefix(prefix) => self.prefixes.entry(Arc::clone(prefix)).or_default(),
            PathTest::Grpc(test) => match &**test {
                GrpcTest { service: None, method: None } => &mut self.any_grpc,
                GrpcTest {
                    service: Some(ValueTest::Exact(service)),
                    method: Some(ValueTest::Exact(method)),
                } => self.exact.entry(format!("/{service}/{method}").into()).or_default(),
                GrpcTest { service: Some(ValueTest::Exact(service)), .. } => {
                    self.services.entry(Arc::clone(service)).or_default()
                }
                _ => &mut self.grpc_patterns,
            },
        };
        stage.push(Arc::clone(it));
    }

    fn finish(self) -> PathTable {
        let mut matches = Vec::new();
        let mut span = |stage: Vec<Arc<CompiledMatch>>| {
            let start = index(matches.len());
            matches.extend(stage);
            Span { start, end: index(matches.len()) }
        };
        let mut nodes = |stage: BTreeMap<Arc<str>, Vec<_>>| {
            stage.into_iter().map(|(text, matches)| Node { text, span: span(matches) }).collect()
        };
        let (exact, services) = (nodes(self.exact), nodes(self.services));
        let prefixes = self.prefixes.into_iter().map(|(prefix, matches)| (prefix, span(matches))).collect();
        PathTable {
            exact,
            services,
            prefixes: PrefixIndex::new(prefixes),
            grpc_patterns: span(self.grpc_patterns),
            expressions: span(self.expressions),
            any_grpc: span(self.any_grpc),
            matches: matches.into(),
        }
    }
}
