/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where a packet goes once it is rewritten. Asked before it is, so that a refused packet is still the sender's own. */
#pragma once

#include "rewrite.h"
#include "tag.h"
#include "verdict.h"

#define IPV4_FAMILY 2
#define IPV6_FAMILY 10

struct hop {
	__u32 interface;
	struct bpf_redir_neigh neighbour;
	/* What the way takes at once, if the packet is too big for it. */
	__u32 mtu;
	/* Nowhere: the packet goes up this node's own stack. */
	__u8 to_stack;
};

/* Bytes of the IP packets that will leave: segments that were joined on reception are parted again. */
static __always_inline __u32 leaving_length(struct __sk_buff *skb, const struct packet *packet)
{
	if (skb->gso_size)
		return packet->transport - packet->network + packet->transport_header + skb->gso_size;
	return packet->end - packet->network;
}

static __always_inline bool is_next_hop(const struct hop *hop, const struct address *address)
{
	const __u32 *ipv6 = hop->neighbour.ipv6_nh;

	if (hop->neighbour.nh_family == IPV4_FAMILY)
		return hop->neighbour.ipv4_nh == address->words[3];
	return ipv6[0] == address->words[0] && ipv6[1] == address->words[1] && ipv6[2] == address->words[2] &&
	       ipv6[3] == address->words[3];
}

static __always_inline void ask_for(struct bpf_fib_lookup *question, struct __sk_buff *skb, const struct packet *packet,
				    const struct tuple *to, const struct address *towards)
{
	__builtin_memset(question, 0, sizeof(*question));
	question->ifindex = skb->ingress_ifindex;
	question->l4_protocol = to->protocol;
	question->sport = to->source_port;
	question->dport = to->destination_port;
	question->tot_len = (__u16)leaving_length(skb, packet);
	if (packet->is_ipv6) {
		question->family = IPV6_FAMILY;
		question->flowinfo = bpf_htonl((__u32)packet->traffic_class << 20);
		__builtin_memcpy(question->ipv6_src, &to->source, sizeof(question->ipv6_src));
		__builtin_memcpy(question->ipv6_dst, towards, sizeof(question->ipv6_dst));
	} else {
		question->family = IPV4_FAMILY;
		question->tos = packet->traffic_class;
		question->ipv4_src = to->source.words[3];
		question->ipv4_dst = towards->words[3];
	}
}

/* Asks the kernel's routing table for the way `towards` an address, for a packet that becomes `to`. Returns PROCEED or a
 * reason to drop. */
static __always_inline __u32 find_route(struct __sk_buff *skb, const struct packet *packet, const struct tuple *to,
					const struct address *towards, struct hop *hop)
{
	struct bpf_fib_lookup question;
	long answer;

	__builtin_memset(hop, 0, sizeof(*hop));
	if (packet->hop_limit <= 1)
		return DROP_HOP_LIMIT;
	ask_for(&question, skb, packet, to, towards);
	answer = bpf_fib_lookup(skb, &question, sizeof(question), 0);
	switch (answer) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		break;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return DROP_FORWARDING_DISABLED;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		hop->mtu = question.mtu_result;
		/* The stack can part it, which we cannot. */
		if (!packet->may_be_fragmented)
			return DROP_TOO_BIG;
		hop->to_stack = 1;
		return PROCEED;
	default:
		return DROP_NO_ROUTE;
	}
	hop->interface = question.ifindex;
	hop->neighbour.nh_family = question.family;
	if (question.family == IPV6_FAMILY)
		__builtin_memcpy(hop->neighbour.ipv6_nh, question.ipv6_dst, sizeof(question.ipv6_dst));
	else
		hop->neighbour.ipv4_nh = question.ipv4_dst;
	return PROCEED;
}

/* The way of a packet that becomes `to`, or that is left to another node as it is. */
static __always_inline __u32 find_way(struct __sk_buff *skb, const struct packet *packet, const struct tuple *to,
				      const struct address *via, struct hop *hop)
{
	__u32 reason;

	if (is_unspecified(via))
		return find_route(skb, packet, to, &to->destination, hop);
	reason = find_route(skb, packet, to, via, hop);
	if (reason != PROCEED)
		return reason;
	/* The stack could part it, but would not know where to send it. */
	if (hop->to_stack)
		return DROP_TOO_BIG;
	/* To a router in between it would be a packet for the Gateway like any other, and come back. */
	return is_next_hop(hop, via) ? PROCEED : DROP_NO_ROUTE;
}

/* Sends a rewritten packet on its way. */
static __always_inline int leave(struct __sk_buff *skb, const struct packet *packet, struct hop *hop)
{
	if (hop->to_stack)
		return PASS;
	if (!decrement_hop_limit(skb, packet))
		return drop(DROP_REWRITE);
	return (int)bpf_redirect_neigh(hop->interface, &hop->neighbour, sizeof(hop->neighbour), 0);
}
