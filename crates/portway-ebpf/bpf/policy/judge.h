/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What rules say of a flow: the same lookups as `DirectionPolicy::decide` of the crate portway-policy. */
#pragma once

#include "read.h"

/* Who has an address: a pod of this node by its interface's entry, else by what is known of the cluster. */
static __always_inline __u32 identity_of(const struct address *address)
{
	__u32 *interface = bpf_map_lookup_elem(&policy_locals, address);
	__u32 *identity;

	if (interface) {
		__u32 index = *interface;
		struct policy_pod *pod = bpf_map_lookup_elem(&policy_pods, &index);

		return pod ? pod->identity : 0;
	}
	identity = bpf_map_lookup_elem(&policy_idents, address);
	return identity ? *identity : 0;
}

/* Who the other end is for rules. A client that is a pod has no rights of its own through a Gateway. */
static __always_inline __u32 peer_of(const struct policy_question *question)
{
	__u32 number = question->gateway;
	struct policy_gateway *gateway;

	if (!number)
		return question->identity;
	gateway = bpf_map_lookup_elem(&policy_gateways, &number);
	return gateway ? gateway->identity : 0;
}

/* Bits of enum policy_destination. */
static __always_inline __u32 destination_kind(const struct address *address)
{
	struct policy_address_key key = {};
	__u32 *kind;

	key.prefix = 128;
	key.address = *address;
	kind = bpf_map_lookup_elem(&policy_dests, &key);
	return kind ? *kind : 0;
}

static __always_inline __u32 class_of_network(__u32 rules, const struct address *address)
{
	struct policy_network_key key = {};
	__u32 *class;

	key.prefix = 32 + 128;
	key.rules = rules;
	key.address = *address;
	class = bpf_map_lookup_elem(&policy_networks, &key);
	return class ? *class : POLICY_NO_CLASS;
}

static __always_inline const struct policy_verdict *verdict_of(__u32 rules, __u32 class, __u16 protocol, __u16 port)
{
	struct policy_verdict *verdict;

	if (class != POLICY_NO_CLASS) {
		struct policy_port_key key = {};

		key.prefix = 96;
		key.rules = rules;
		key.class = class;
		key.protocol = protocol;
		key.port = port;
		verdict = bpf_map_lookup_elem(&policy_ports, &key);
		if (verdict)
			return verdict;
	}
	return bpf_map_lookup_elem(&policy_defaults, &rules);
}

static __always_inline bool lower(const struct policy_ruling *one, const struct policy_ruling *other)
{
	return other->order >= one->order;
}

/* Whether these rules deny the flow of scratch->key to or from the peer of scratch->question. */
static __noinline int is_denied(struct policy_scratch *scratch, __u32 rules)
{
	struct policy_question *question = &scratch->question;
	const struct policy_verdict *by_identity, *by_network;
	const struct policy_ruling *ruling;
	struct policy_class_key key = {};
	__u32 *class;
	__u16 protocol = scratch->key.tuple.protocol, port = scratch->key.tuple.destination_port;

	if (rules == POLICY_OPEN)
		return 0;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP) {
		protocol = 0;
		port = 0;
	}
	key.rules = rules;
	key.identity = peer_of(question);
	class = bpf_map_lookup_elem(&policy_classes, &key);
	by_identity = verdict_of(rules, class ? *class : POLICY_NO_CLASS, protocol, port);
	by_network = verdict_of(rules, class_of_network(rules, &question->address), protocol, port);
	question->policy = 0;
	/* Rules that are not whole let nothing through. */
	if (!by_identity || !by_network)
		return 1;
	ruling = lower(&by_identity->first, &by_network->first) ? &by_identity->first : &by_network->first;
	if (ruling->decision == POLICY_PASS)
		ruling = lower(&by_identity->then, &by_network->then) ? &by_identity->then : &by_network->then;
	question->policy = ruling->policy;
	return ruling->decision == POLICY_DENY;
}
