/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Flows as each pod's interface sees them, so that replies are known and a verdict is not sought for every packet. */
#pragma once

#include "judge.h"
#include "report.h"

static __always_inline bool policy_flow_is_closed(__u32 state)
{
	__u32 both = POLICY_FLOW_FIN | POLICY_FLOW_REPLY_FIN;

	return (state & POLICY_FLOW_RESET) || (state & both) == both;
}

static __always_inline __u64 policy_flow_timeout(const struct policy_settings *settings, __u8 protocol, __u32 state)
{
	if (protocol != IPPROTO_TCP)
		return state & POLICY_FLOW_REPLIED ? settings->udp_replied_timeout : settings->udp_timeout;
	if (policy_flow_is_closed(state))
		return settings->tcp_closed_timeout;
	if (!(state & POLICY_FLOW_ESTABLISHED) || (state & (POLICY_FLOW_FIN | POLICY_FLOW_REPLY_FIN)))
		return settings->tcp_transitory_timeout;
	return settings->tcp_established_timeout;
}

/* The flow of scratch->key, unless it is over. */
static __noinline struct policy_flow *find_policy_flow(struct policy_scratch *scratch)
{
	const struct policy_settings *settings = find_policy_settings();
	struct policy_flow *flow = bpf_map_lookup_elem(&policy_flows, &scratch->key);

	if (!flow)
		flow = bpf_map_lookup_elem(&policy_newflows, &scratch->key);
	if (!flow || !settings)
		return NULL;
	if (scratch->now > flow->last_seen &&
	    scratch->now - flow->last_seen > policy_flow_timeout(settings, scratch->key.tuple.protocol, flow->state)) {
		bpf_map_delete_elem(&policy_flows, &scratch->key);
		bpf_map_delete_elem(&policy_newflows, &scratch->key);
		return NULL;
	}
	return flow;
}

static __always_inline struct policy_flow *find_begun(struct policy_scratch *scratch, const struct tuple *tuple,
						      __u32 interface, __u32 kind)
{
	scratch->key.tuple = *tuple;
	scratch->key.interface = interface;
	scratch->key.kind = kind;
	return find_policy_flow(scratch);
}

static __always_inline struct policy_flow *find_answered(struct policy_scratch *scratch, const struct tuple *tuple,
							 __u32 interface, __u32 kind)
{
	reverse(&scratch->key.tuple, tuple);
	scratch->key.interface = interface;
	scratch->key.kind = kind;
	return find_policy_flow(scratch);
}

/* Judges a flow by scratch->question, and notes in it what has come of that. */
static __noinline int judge_flow(struct policy_scratch *scratch, struct policy_flow *flow)
{
	const struct policy_settings *settings = find_policy_settings();
	struct policy_question *question = &scratch->question;
	__u32 verdict = 0;

	if (is_denied(scratch, question->rules))
		verdict = POLICY_FLOW_DENIED;
	else if (is_denied(scratch, question->rehearsed))
		verdict = POLICY_FLOW_REHEARSED;
	flow->revision = settings ? settings->revision : 0;
	flow->rules = question->rules;
	flow->rehearsed = question->rehearsed;
	flow->gateway = question->gateway;
	flow->policy = question->policy;
	if (verdict && !(flow->state & verdict))
		count_outcome(scratch, verdict == POLICY_FLOW_DENIED ? POLICY_DENIED : POLICY_REHEARSED, 1);
	else if (verdict == POLICY_FLOW_DENIED)
		count_outcome(scratch, POLICY_DENIED, 0);
	flow->state =
		(flow->state & ~(__u32)(POLICY_FLOW_DENIED | POLICY_FLOW_REHEARSED | POLICY_FLOW_DEFERRED)) | verdict;
	return verdict != POLICY_FLOW_DENIED;
}

/* Notes a packet in its flow, which moves to the map of established ones with the first answer to a reply. */
static __always_inline void track_policy_flow(struct policy_scratch *scratch, struct policy_flow *flow, bool is_reply)
{
	const struct packet *packet = &scratch->packet;
	__u32 before = flow->state, after = before;

	if (is_reply)
		after |= POLICY_FLOW_REPLIED;
	else if ((before & POLICY_FLOW_REPLIED) && !(packet->tcp_flags & TCP_SYN))
		after |= POLICY_FLOW_ESTABLISHED;
	if (packet->tcp_flags & TCP_FIN)
		after |= is_reply ? POLICY_FLOW_REPLY_FIN : POLICY_FLOW_FIN;
	if (packet->tcp_flags & TCP_RST)
		after |= POLICY_FLOW_RESET;
	flow->last_seen = scratch->now;
	if (after == before)
		return;
	__sync_fetch_and_or(&flow->state, after);
	if ((after & ~before) & POLICY_FLOW_ESTABLISHED) {
		scratch->entry = *flow;
		bpf_map_update_elem(&policy_flows, &scratch->key, &scratch->entry, BPF_NOEXIST);
		bpf_map_delete_elem(&policy_newflows, &scratch->key);
	}
}

/* Whether a packet of a known flow, that of scratch->key, may pass. It is judged again where what it was judged by has changed. */
static __noinline int follow_policy_flow(struct policy_scratch *scratch, struct policy_flow *flow, __u32 is_reply)
{
	const struct policy_settings *settings = find_policy_settings();
	struct policy_question *question = &scratch->question;
	bool is_judged;

	is_judged = settings && flow->revision == settings->revision && flow->rules == question->rules &&
		    flow->rehearsed == question->rehearsed;
	if (!(flow->state & POLICY_FLOW_DEFERRED) && !is_judged) {
		question->gateway = flow->gateway;
		if (!judge_flow(scratch, flow)) {
			flow->last_seen = scratch->now;
			return 0;
		}
	} else if (flow->state & POLICY_FLOW_DENIED) {
		question->policy = flow->policy;
		count_outcome(scratch, POLICY_DENIED, 0);
		flow->last_seen = scratch->now;
		return 0;
	}
	track_policy_flow(scratch, flow, is_reply);
	return 1;
}

/* Judges the first packet of the flow of scratch->key. `is_kept`: it is remembered though it is let through. */
static __noinline int begin_policy_flow(struct policy_scratch *scratch, __u32 is_kept)
{
	struct policy_flow *flow = &scratch->entry;
	int passes;

	__builtin_memset(flow, 0, sizeof(*flow));
	flow->last_seen = scratch->now;
	passes = judge_flow(scratch, flow);
	if (is_kept || !passes) {
		/* Of a connection before it, whose ports are used again. */
		bpf_map_delete_elem(&policy_flows, &scratch->key);
		bpf_map_update_elem(&policy_newflows, &scratch->key, flow, BPF_ANY);
	}
	return passes;
}

/* Judges a packet that has come by another way than its flow, that of scratch->key: through another Gateway, or past it. The flow is
 * left as it was unless the packet may pass, so that whoever forges a client's address cannot cut its flow. */
static __noinline int reroute_policy_flow(struct policy_scratch *scratch, struct policy_flow *flow)
{
	struct policy_flow *rerouted = &scratch->entry;

	*rerouted = *flow;
	if (!judge_flow(scratch, rerouted))
		return 0;
	*flow = *rerouted;
	track_policy_flow(scratch, flow, false);
	return 1;
}

/* Remembers a flow to an address that stands for others, so that their replies are known. */
static __always_inline void defer_policy_flow(struct policy_scratch *scratch)
{
	struct policy_flow *flow = &scratch->entry;

	__builtin_memset(flow, 0, sizeof(*flow));
	flow->last_seen = scratch->now;
	flow->state = POLICY_FLOW_DEFERRED;
	bpf_map_update_elem(&policy_newflows, &scratch->key, flow, BPF_ANY);
}

/* A packet that only the one who begins a connection sends. */
static __always_inline bool is_opening(const struct packet *packet)
{
	return packet->tuple.protocol == IPPROTO_TCP && (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Whether a flow that was found for replies makes its packets replies: not if it never was let through, else whoever forges
 * the address of a server could keep its answers from coming. */
static __always_inline bool takes_replies(const struct policy_flow *flow)
{
	return !(flow->state & POLICY_FLOW_DENIED) || (flow->state & POLICY_FLOW_REPLIED);
}

/* Whether the packet that an ICMP error is about is of a flow that was let through. Packets as it was one are of kind `sent`. */
static __noinline int is_about_flow(struct policy_scratch *scratch, __u32 interface, __u32 sent)
{
	struct policy_flow *flow;

	flow = find_begun(scratch, &scratch->quoted.tuple, interface, sent);
	if (!flow)
		flow = find_answered(scratch, &scratch->quoted.tuple, interface, !sent);
	return flow && !(flow->state & POLICY_FLOW_DENIED);
}
