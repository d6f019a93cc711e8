/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ICMP errors about packets of a flow (RFC 5508, section 4): whoever sent the packet gets the error, in terms of what it
 * had sent. Path MTU discovery rests on it. */
#pragma once

#include "flow.h"
#include "rewrite.h"
#include "route.h"

/* A 16-bit checksum that what it covers has changed by `difference` under (RFC 1624). */
static __always_inline __u16 changed_checksum(__u16 sum, __s64 difference)
{
	__u64 folded = (__u16)~sum + ((__u64)difference & 0xffffffff);

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return (__u16)~folded;
}

/* Changes a checksum within the quoted packet, and adds to `difference` what that changes in the ICMP message. */
static __always_inline bool change_quoted_checksum(struct __sk_buff *skb, __u32 offset, __s64 covered,
						   __s64 *difference)
{
	/* In words of 32 bits, as the kernel sums them up. */
	__u16 before[2] = {}, after[2] = {};

	if (bpf_skb_load_bytes(skb, offset, before, sizeof(before[0])))
		return false;
	after[0] = changed_checksum(before[0], covered);
	if (bpf_skb_store_bytes(skb, offset, after, sizeof(after[0]), 0))
		return false;
	*difference = bpf_csum_diff((__be32 *)before, 4, (__be32 *)after, 4, (__u32)*difference);
	return true;
}

/* Gives the quoted packet the addresses and ports `to`; in `difference`, what that changes in the ICMP message. */
static __always_inline bool rewrite_quoted(struct __sk_buff *skb, const struct packet *quoted, const struct tuple *to,
					   __s64 *difference)
{
	__s64 addresses = address_difference(&quoted->tuple, to);
	__s64 both =
		bpf_csum_diff((__be32 *)&quoted->tuple.source_port, 4, (__be32 *)&to->source_port, 4, (__u32)addresses);
	bool is_udp = quoted->tuple.protocol == IPPROTO_UDP;
	__u32 checksum = quoted->transport + (is_udp ? UDP_CHECKSUM : TCP_CHECKSUM);
	__u16 sum = 0;

	*difference = both;
	if (!quoted->is_ipv6 && !change_quoted_checksum(skb, quoted->network + IPV4_CHECKSUM, addresses, difference))
		return false;
	/* Of TCP, it is quoted by senders that quote more than they must. */
	if (checksum + sizeof(sum) <= quoted->end) {
		if (bpf_skb_load_bytes(skb, checksum, &sum, sizeof(sum)))
			return false;
		if (sum && !change_quoted_checksum(skb, checksum, both, difference))
			return false;
	}
	if (bpf_skb_store_bytes(skb, quoted->transport, &to->source_port, 4, 0))
		return false;
	return !store_addresses(skb, quoted, to);
}

/* Gives an error the addresses `to`, after its quoted packet has changed by `difference`. */
static __always_inline bool rewrite_error(struct __sk_buff *skb, const struct packet *packet, const struct tuple *to,
					  __s64 difference)
{
	__s64 addresses = address_difference(&packet->tuple, to);
	__u32 checksum = packet->transport + ICMP_CHECKSUM;

	/* That of ICMPv6 covers a pseudo-header (RFC 4443, section 2.3), that of ICMP does not. */
	if (packet->is_ipv6 && update_pseudo_header(skb, packet, checksum, addresses, 0))
		return false;
	if (bpf_l4_csum_replace(skb, checksum, 0, (__u64)difference, 0))
		return false;
	if (!packet->is_ipv6 && bpf_l3_csum_replace(skb, packet->network + IPV4_CHECKSUM, 0, (__u64)addresses, 0))
		return false;
	return !store_addresses(skb, packet, to);
}

/* Reads the packet that an error is about, as far as its ports; false: it is not of a flow. */
static __always_inline bool read_quoted(struct __sk_buff *skb, const struct packet *packet, struct packet *quoted)
{
	if (!read_network(skb, quoted, packet->is_ipv6, packet->transport + ICMP_HEADER, QUOTED_PACKET))
		return false;
	if (quoted->fragment == LATER_FRAGMENT)
		return false;
	if (quoted->tuple.protocol != IPPROTO_TCP && quoted->tuple.protocol != IPPROTO_UDP)
		return false;
	/* Errors go to whoever sent what they are about. */
	return same_address(&quoted->tuple.source, &packet->tuple.destination) && read_ports(skb, quoted);
}

static __noinline int forward_icmp_error(struct __sk_buff *skb, struct scratch *scratch, __u32 to_stack)
{
	const struct packet *packet = &scratch->packet;
	struct packet *quoted = &scratch->quoted;
	struct tuple *sent = &scratch->other, *to = &scratch->to;
	struct flow *flow;
	struct hop hop;
	__s64 difference;
	__u32 reason;

	if (!read_quoted(skb, packet, quoted))
		return PASS;
	/* What is quoted has been rewritten: its reverse is how packets of the other direction arrive. */
	reverse(to, &quoted->tuple);
	flow = find_flow(to);
	if (!flow)
		return PASS;
	/* What the sender of the quoted packet had sent. */
	*sent = flow->other;
	if (flow->direction == FLOW_FROM_CLIENT) {
		__u32 id = flow->endpoint;
		struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &id);

		to_stack |= endpoint && (endpoint->flags & ENDPOINT_ON_NODE);
		if (endpoint && is_left_to_neighbour(flow, to))
			scratch->via = endpoint->node;
	}
	*to = packet->tuple;
	to->destination = sent->source;
	/* An endpoint is hidden behind its listener in errors too; a router on the way is shown. */
	if (same_address(&packet->tuple.source, &quoted->tuple.destination))
		to->source = sent->destination;
	if (!to_stack) {
		/* Errors about errors are not sent (RFC 1122, section 3.2.2). */
		reason = find_way(skb, packet, to, &scratch->via, &hop);
		if (reason != PROCEED)
			return drop(reason);
	}
	/* Of a flow that is left to another node as it is, so are errors. */
	if (!same_tuple(sent, &quoted->tuple) &&
	    (!rewrite_quoted(skb, quoted, sent, &difference) || !rewrite_error(skb, packet, to, difference)))
		return drop(DROP_REWRITE);
	if (to_stack)
		return PASS;
	tag_rewritten(skb, 0);
	return leave(skb, packet, &hop);
}
