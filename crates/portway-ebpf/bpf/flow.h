/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Connection tracking. */
#pragma once

#include "scratch.h"
#include "verdict.h"

/* How long one direction of a flow may go on without the other's entry being told, and so kept from ageing. */
#define TELL_OTHER_AFTER 1000000000ULL

static __always_inline const struct settings *find_settings(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&node_settings, &index);
}

static __always_inline struct flow *find_flow(const struct tuple *tuple)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, tuple);

	return flow ? flow : bpf_map_lookup_elem(&new_flows, tuple);
}

static __always_inline void forget(const struct tuple *tuple, const struct tuple *other)
{
	bpf_map_delete_elem(&flows, tuple);
	bpf_map_delete_elem(&flows, other);
	bpf_map_delete_elem(&new_flows, tuple);
	bpf_map_delete_elem(&new_flows, other);
}

static __always_inline bool is_closed(__u32 state)
{
	__u32 both = FLOW_FIN_FROM_CLIENT | FLOW_FIN_FROM_ENDPOINT;

	return (state & FLOW_RESET) || (state & both) == both;
}

/* Whether packets of the client are left to another node, as they are. What that node answers does not come by here, but
 * for clients behind this one. */
static __always_inline bool is_left_to_neighbour(const struct flow *flow, const struct tuple *tuple)
{
	return flow->direction == FLOW_FROM_CLIENT && same_address(&flow->other.source, &tuple->destination);
}

/* Whether a SYN under the tuple of a flow is of another connection. */
static __always_inline bool may_begin_anew(const struct flow *flow, const struct tuple *tuple)
{
	if (is_left_to_neighbour(flow, tuple) && (flow->state & FLOW_FIN_FROM_CLIENT))
		return true;
	return is_closed(flow->state);
}

static __always_inline __u64 timeout(const struct settings *settings, __u8 protocol, __u32 state)
{
	if (protocol == IPPROTO_UDP)
		return state & FLOW_REPLIED ? settings->udp_replied_timeout : settings->udp_timeout;
	if (is_closed(state))
		return settings->tcp_closed_timeout;
	if (!(state & FLOW_ESTABLISHED) || (state & (FLOW_FIN_FROM_CLIENT | FLOW_FIN_FROM_ENDPOINT)))
		return settings->tcp_transitory_timeout;
	return settings->tcp_established_timeout;
}

static __always_inline bool has_expired(const struct settings *settings, const struct flow *flow, __u8 protocol,
					__u64 now)
{
	/* Another processor may have seen a packet after this one looked at the clock. */
	return now > flow->last_seen && now - flow->last_seen > timeout(settings, protocol, flow->state);
}

/* What a packet adds to the state of its flow. */
static __always_inline __u32 state_of(const struct packet *packet, const struct flow *flow)
{
	bool from_client = flow->direction == FLOW_FROM_CLIENT;
	__u32 state = 0;

	if (!from_client)
		state |= FLOW_REPLIED;
	else if ((flow->state & FLOW_REPLIED) && !(packet->tcp_flags & TCP_SYN))
		state |= FLOW_ESTABLISHED;
	/* Nobody here sees the answer. That the client goes on is as much as can be known. */
	else if (is_left_to_neighbour(flow, &packet->tuple) && !(packet->tcp_flags & TCP_SYN))
		state |= FLOW_REPLIED | FLOW_ESTABLISHED;
	if (packet->tcp_flags & TCP_FIN)
		state |= from_client ? FLOW_FIN_FROM_CLIENT : FLOW_FIN_FROM_ENDPOINT;
	if (packet->tcp_flags & TCP_RST)
		state |= FLOW_RESET;
	return state;
}

/* Carries what has become of one direction to the entry of the other; makes it anew where it was driven out. */
static __always_inline void tell_other(struct scratch *scratch, const struct flow *flow, __u64 now)
{
	struct flow *other = find_flow(&flow->other);
	struct flow *made = &scratch->entry;

	if (other) {
		__sync_fetch_and_or(&other->state, flow->state);
		other->last_seen = now;
		return;
	}
	*made = *flow;
	made->other = scratch->packet.tuple;
	made->direction = !flow->direction;
	made->packets = 0;
	made->bytes = 0;
	if (flow->state & FLOW_ESTABLISHED)
		bpf_map_update_elem(&flows, &scratch->other, made, BPF_ANY);
	else
		bpf_map_update_elem(&new_flows, &scratch->other, made, BPF_ANY);
}

/* Moves both directions of a flow to the map of established ones. */
static __always_inline void establish(struct scratch *scratch, const struct flow *flow)
{
	const struct tuple *tuple = &scratch->packet.tuple;
	struct flow *moved = &scratch->entry, *other;

	*moved = *flow;
	bpf_map_update_elem(&flows, tuple, moved, BPF_NOEXIST);
	other = bpf_map_lookup_elem(&new_flows, &scratch->other);
	if (other) {
		*moved = *other;
		bpf_map_update_elem(&flows, &scratch->other, moved, BPF_NOEXIST);
	}
	bpf_map_delete_elem(&new_flows, tuple);
	bpf_map_delete_elem(&new_flows, &scratch->other);
}

static __always_inline void count_for_service(const struct flow *flow, __u64 bytes)
{
	struct service_counters *count = bpf_map_lookup_elem(&counters, &flow->service);

	if (!count)
		return;
	if (flow->direction == FLOW_FROM_CLIENT) {
		count->packets_from_client += 1;
		count->bytes_from_client += bytes;
	} else {
		count->packets_from_endpoint += 1;
		count->bytes_from_endpoint += bytes;
	}
}

/* Notes a packet in its flow. */
static __always_inline void track(struct scratch *scratch, struct flow *flow, __u64 now)
{
	const struct packet *packet = &scratch->packet;
	__u64 bytes = packet->end - packet->network;
	__u32 before = flow->state, after = before | state_of(packet, flow);

	flow->last_seen = now;
	__sync_fetch_and_add(&flow->packets, 1);
	__sync_fetch_and_add(&flow->bytes, bytes);
	count_for_service(flow, bytes);
	if (after != before)
		__sync_fetch_and_or(&flow->state, after);
	if (after != before || now - flow->told_other > TELL_OTHER_AFTER) {
		flow->told_other = now;
		tell_other(scratch, flow, now);
	}
	if ((after & ~before) & FLOW_ESTABLISHED)
		establish(scratch, flow);
}
