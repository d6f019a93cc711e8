/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Choosing an endpoint for a new flow. */
#pragma once

#include "flow.h"

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

/* Makes the two entries of a new flow out of scratch->entry. Returns PROCEED or a reason to drop. */
static __always_inline __u32 add_flow(const struct settings *settings, struct scratch *scratch,
				      const struct endpoint *endpoint, __u64 hash)
{
	const struct packet *packet = &scratch->packet;
	struct flow *flow = &scratch->entry;
	struct tuple *other = &scratch->other;
	bool masquerade = endpoint->flags & ENDPOINT_MASQUERADE;

	reverse(other, &packet->tuple);
	other->source = endpoint->address;
	other->source_port = endpoint->port;
	/* A pod that is sent to itself would answer itself, and we would not see it. */
	if (same_address(&endpoint->address, &packet->tuple.source))
		masquerade = true;
	if (masquerade) {
		other->destination = endpoint->source;
		if (is_unspecified(&other->destination))
			other->destination = packet->is_ipv6 ? settings->node_ipv6 : settings->node_ipv4;
		if (is_unspecified(&other->destination))
			return DROP_NO_SOURCE_PORT;
	}
	flow->direction = FLOW_FROM_ENDPOINT;
	flow->other = packet->tuple;
	if (!add_replies(settings, scratch, masquerade, hash))
		return DROP_NO_SOURCE_PORT;
	flow->direction = FLOW_FROM_CLIENT;
	flow->other = *other;
	flow->packets = 1;
	flow->bytes = packet->end - packet->network;
	if (bpf_map_update_elem(&new_flows, &packet->tuple, flow, BPF_ANY))
		return DROP_FLOW_TABLE;
	return PROCEED;
}
