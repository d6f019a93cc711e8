//! Each match against one request.

use portway_config::request_match::RequestMatch;
use portway_config::{HttpRule, L4Rule, Listener, Route};

use super::Loss;
use crate::candidate::Candidate;
use crate::conditions::{Conditions, Unmet};
use crate::criterion::Ranked;
use crate::match_key::MatchKey;
use crate::path_table::CompiledMatch;
use crate::place::{self, HostnamePlace};
use crate::request::Request;
use crate::router::{L4RuleEntry, ListenerId, Router, RuleEntry};
use crate::{header, query};

/// All matches of a router before a request.
pub(super) struct Rivals<'a, R: ?Sized> {
    pub(super) router: &'a Router,
    /// The listener that takes the request.
    pub(super) listener: Option<ListenerId>,
    pub(super) request: &'a R,
    /// The server name of a TLS connection.
    pub(super) server_name: &'a str,
    /// Whether the request is answered before routes are looked at.
    pub(super) answered: bool,
}

/// What became of a match: its key when it passes, else the first question that it failed.
pub(super) type Verdict<'a> = Result<Ranked<'a>, Box<Loss>>;

impl<'a, R: Request + ?Sized> Rivals<'a, R> {
    /// All matches and what became of them, in the order of the configuration.
    pub(super) fn judge(&self) -> Vec<(Candidate, Verdict<'a>)> {
        let mut rules: Vec<_> = self.router.rules().iter().map(|(_, entry)| entry).collect();
        rules.sort_by(|a, b| (&a.route.key, a.position).cmp(&(&b.route.key, b.position)));
        let matches = rules.into_iter().flat_map(|entry| entry.matches.iter().map(move |it| (entry, it)));
        let http = matches.filter_map(|(entry, compiled)| {
            let (rule, match_index) = (entry.rule(), compiled.match_index as usize);
            let verdict = self.verdict(entry, rule, compiled, rule.matches.get(match_index)?);
            Some((Candidate::of_http(&entry.route, rule, Some(match_index)), verdict))
        });
        let streams = self.router.l4_rules().iter().map(|entry| {
            let rule = entry.rule();
            (Candidate::of_stream(&entry.route, rule), self.stream_verdict(entry, rule))
        });
        http.chain(streams).collect()
    }

    /// Asks a match all questions in their order.
    fn verdict(
        &self,
        entry: &'a RuleEntry,
        rule: &'a HttpRule,
        compiled: &CompiledMatch,
        request_match: &'a RequestMatch,
    ) -> Verdict<'a> {
        let HostnamePlace { hostname, route_hostname } = self.place(&entry.route, self.request.host())?;
        if self.answered {
            return Err(Loss::AnsweredBefore.into());
        }
        if !compiled.path.passes(self.request.path()) {
            let (wanted, had) = (request_match.path.clone(), self.request.path().to_owned());
            return Err(Loss::Path { wanted, had }.into());
        }
        if let Some(loss) = compiled.conditions.as_ref().and_then(|it| self.unmet(it, request_match)) {
            return Err(loss.into());
        }
        let order = (rule.index, compiled.match_index as usize);
        let key = MatchKey::new(hostname, route_hostname, &entry.route, order, request_match);
        Ok(Ranked { key, request_match: Some(request_match) })
    }

    fn stream_verdict(&self, entry: &'a L4RuleEntry, rule: &L4Rule) -> Verdict<'a> {
        let HostnamePlace { hostname, route_hostname } = self.place(&entry.route, self.server_name)?;
        let key = MatchKey::of_stream(hostname, route_hostname, &entry.route, rule.index);
        Ok(Ranked { key, request_match: None })
    }

    /// The most specific hostname at which a route serves `host` at the listener.
    fn place(&self, route: &'a Route, host: &str) -> Result<HostnamePlace<'a>, Box<Loss>> {
        let attached =
            |it: &&Listener| route.attachments.iter().any(|attachment| attachment.listener == it.key);
        let listener = self.listener.map(|id| &**self.router.listener(id)).filter(attached);
        let Some(listener) = listener.filter(|it| place::carries(&it.protocol, route.key.kind)) else {
            let listeners = route.attachments.iter().map(|it| it.listener.clone()).collect();
            return Err(Loss::AttachedElsewhere { listeners }.into());
        };
        let places = place::hostnames(route, listener);
        let fitting = places.iter().filter(|it| it.hostname.matches(host));
        let best = fitting.min_by_key(|it| (it.hostname, it.route_hostname)).copied();
        best.ok_or_else(|| {
            let wanted = places.iter().map(|it| it.hostname.clone()).collect();
            Loss::Hostname { wanted, had: host.to_owned() }.into()
        })
    }

    fn unmet(&self, conditions: &Conditions, wanted: &RequestMatch) -> Option<Loss> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match conditions.unmet(self.request)? {
            Unmet::Method => {
                Some(Loss::Method { wanted: wanted.method.clone()?, had: self.request.method().to_owned() })
            }
            Unmet::Header(index) => wanted.headers.get(index).map(|it| Loss::Header {
                name: it.name.clone(),
                wanted: it.value.clone(),
                had: header::value(self.request, &it.name).map(text),
            }),
            Unmet::QueryParam(index) => wanted.query_params.get(index).map(|it| Loss::QueryParam {
                name: it.name.clone(),
                wanted: it.value.clone(),
                had: query::value(self.request.query(), &it.name).map(text),
            }),
        }
    }
}
