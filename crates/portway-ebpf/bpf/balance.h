/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Choosing an endpoint for a new flow. */
#pragma once

#include "flow.h"
#include "route.h"

/* Source ports that are tried for a flow that needs another than its client's. */
#define PORTS_TRIED 16

static __always_inline __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0xff51afd7ed558ccdULL;
	return hash ^ hash >> 32;
}

/* The same on every node, so that a flow that comes to another one finds the same endpoint there. */
static __always_inline __u64 hash_of(const struct tuple *tuple, __u32 service_flags)
{
	const __u32 *words = tuple->source.words;
	__u64 hash = mix(0, (__u64)words[0] << 32 | words[1]);

	hash = mix(hash, (__u64)words[2] << 32 | words[3]);
	if (!(service_flags & SERVICE_SOURCE_AFFINITY))
		hash = mix(hash,
			   (__u64)tuple->source_port << 32 | (__u64)tuple->destination_port << 8 | tuple->protocol);
	return mix(hash, 0);
}

static __always_inline __u32 choose_endpoint(const struct service *service, __u64 hash)
{
	__u32 zero = 0, id = service->id, slot = (__u32)(hash % MAGLEV_SLOTS);
	void *table = bpf_map_lookup_elem(&tables, &id);
	struct maglev *maglev;

	if (!table)
		return ENDPOINT_REFUSE;
	maglev = bpf_map_lookup_elem(table, &zero);
	/* So that the compiler keeps the comparison, without which the verifier does not believe it. */
	barrier_var(slot);
	if (!maglev || slot >= MAGLEV_SLOTS)
		return ENDPOINT_REFUSE;
	return maglev->endpoints[slot];
}

/* Makes the entry for the replies of scratch->entry, under a tuple that no other flow has; false: there is none left. Two flows would
 * have the same one when a client uses one port for two listeners that lead to the same endpoint. */
static __always_inline bool add_replies(const struct settings *settings, struct scratch *scratch, bool masquerade,
					__u64 hash)
{
	struct tuple *tuple = &scratch->other;
	struct flow *replies = &scratch->entry;
	__u32 port = (__u32)(hash >> 32);
	__u32 ports = settings->masquerade_ports;
	int i;

	if (!ports)
		return false;
	for (i = 0; i < PORTS_TRIED; i++) {
		struct flow *known;

		if (masquerade || i > 0)
			tuple->destination_port =
				bpf_htons((__u16)(settings->masquerade_first_port + (port + (__u32)i) % ports));
		known = find_flow(tuple);
		/* Left over from this same flow, whose other entry was driven out. */
		if (known && same_tuple(&known->other, &replies->other))
			return !bpf_map_update_elem(&new_flows, tuple, replies, BPF_ANY);
		if (!known && !bpf_map_update_elem(&new_flows, tuple, replies, BPF_NOEXIST))
			return true;
	}
	return false;
}

/* Whether another node has sent a packet here. */
static __always_inline bool comes_from_node(struct __sk_buff *skb)
{
	struct link_address from = {};

	return bpf_skb_load_bytes(skb, ETH_ALEN, from.octets, ETH_ALEN) || bpf_map_lookup_elem(&neighbour_nodes, &from);
}

/* Whether an endpoint would answer its client by a link that both are on, where we do not see it: pods at one bridge.
 * scratch->other is the tuple of the replies. */
static __noinline bool answers_past_node(struct __sk_buff *skb, struct scratch *scratch)
{
	const struct packet *packet = &scratch->packet;
	struct tuple *to = &scratch->to;
	struct hop hop;

	reverse(to, &scratch->other);
	if (find_route(skb, packet, to, &to->destination, &hop) != PROCEED || hop.interface != skb->ingress_ifindex)
		return false;
	*to = scratch->other;
	if (find_route(skb, packet, to, &to->destination, &hop) != PROCEED || hop.interface != skb->ingress_ifindex)
		return false;
	return is_next_hop(&hop, &to->destination);
}

/* Makes scratch->other the tuple of the replies that do not keep their client's address; false: the node has none. */
static __always_inline bool hide_client(const struct settings *settings, struct scratch *scratch,
					const struct endpoint *endpoint)
{
	struct address *node = &scratch->other.destination;

	*node = endpoint->source;
	if (is_unspecified(node))
		*node = scratch->packet.is_ipv6 ? settings->node_ipv6 : settings->node_ipv4;
	return !is_unspecified(node);
}

/* Makes the entry for the replies to a new flow out of scratch->entry. Returns PROCEED or a reason to drop. */
static __always_inline __u32 begin_replies(struct __sk_buff *skb, const struct settings *settings,
					   struct scratch *scratch, const struct endpoint *endpoint, __u64 hash)
{
	const struct tuple *tuple = &scratch->packet.tuple;
	bool is_elsewhere = endpoint->flags & ENDPOINT_ON_NEIGHBOUR;
	bool masquerade = is_elsewhere || (endpoint->flags & ENDPOINT_MASQUERADE);
	struct tuple *other = &scratch->other;

	reverse(other, tuple);
	if (is_elsewhere && !comes_from_node(skb)) {
		scratch->via = endpoint->node;
		/* Only where the client is behind this node do they come by here. */
		return bpf_map_update_elem(&new_flows, other, &scratch->entry, BPF_ANY) ? DROP_FLOW_TABLE : PROCEED;
	}
	other->source = endpoint->address;
	other->source_port = endpoint->port;
	/* A pod that is sent to itself would answer itself, and we would not see it. */
	if (same_address(&endpoint->address, &tuple->source))
		masquerade = true;
	else if (!masquerade && !(endpoint->flags & ENDPOINT_ON_NODE))
		masquerade = answers_past_node(skb, scratch);
	if (masquerade && !hide_client(settings, scratch, endpoint))
		return DROP_NO_SOURCE_PORT;
	return add_replies(settings, scratch, masquerade, hash) ? PROCEED : DROP_NO_SOURCE_PORT;
}

/* Makes the two entries of a new flow out of scratch->entry. Returns PROCEED or a reason to drop. */
static __always_inline __u32 add_flow(struct __sk_buff *skb, const struct settings *settings, struct scratch *scratch,
				      const struct endpoint *endpoint, __u64 hash)
{
	const struct packet *packet = &scratch->packet;
	struct flow *flow = &scratch->entry;
	struct tuple *other = &scratch->other;
	__u32 reason;

	flow->direction = FLOW_FROM_ENDPOINT;
	flow->other = packet->tuple;
	reason = begin_replies(skb, settings, scratch, endpoint, hash);
	if (reason != PROCEED)
		return reason;
	flow->direction = FLOW_FROM_CLIENT;
	flow->other = *other;
	flow->packets = 1;
	flow->bytes = packet->end - packet->network;
	if (bpf_map_update_elem(&new_flows, &packet->tuple, flow, BPF_ANY))
		return DROP_FLOW_TABLE;
	return PROCEED;
}
