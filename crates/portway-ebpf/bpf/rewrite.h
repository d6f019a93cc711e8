/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Changing addresses and ports in place, and every checksum that covers them by the difference (RFC 1624). A wrong
 * checksum stays wrong, so that the receiver finds out. */
#pragma once

#include "packet.h"

#define IPV4_CHECKSUM (__builtin_offsetof(struct iphdr, check))
#define IPV4_ADDRESSES (__builtin_offsetof(struct iphdr, saddr))
#define IPV6_ADDRESSES (__builtin_offsetof(struct ipv6hdr, saddr))
#define TCP_CHECKSUM (__builtin_offsetof(struct tcphdr, check))
#define UDP_CHECKSUM (__builtin_offsetof(struct udphdr, check))

/* From Linux 6.16 on, and in its stable series: IPv6 has no header checksum that would make up for the addresses in
 * a sum over the whole packet that the network card took. Headers of older kernels do not name it. */
#define CHECKSUM_OF_IPV6 (1ULL << 7)

/* Both addresses at once. */
static __always_inline __s64 address_difference(const struct tuple *from, const struct tuple *to)
{
	return bpf_csum_diff((__be32 *)&from->source, 32, (__be32 *)&to->source, 32, 0);
}

/* Both ports at once. */
static __always_inline __s64 port_difference(const struct tuple *from, const struct tuple *to)
{
	return bpf_csum_diff((__be32 *)&from->source_port, 4, (__be32 *)&to->source_port, 4, 0);
}

static __always_inline long store_addresses(struct __sk_buff *skb, const struct packet *packet, const struct tuple *to)
{
	__be32 ipv4[2];

	if (packet->is_ipv6)
		return bpf_skb_store_bytes(skb, packet->network + IPV6_ADDRESSES, &to->source, 32, 0);
	ipv4[0] = to->source.words[3];
	ipv4[1] = to->destination.words[3];
	return bpf_skb_store_bytes(skb, packet->network + IPV4_ADDRESSES, ipv4, sizeof(ipv4), 0);
}

/* A checksum over a pseudo-header, when addresses in that have changed by `difference`. */
static __always_inline long update_pseudo_header(struct __sk_buff *skb, const struct packet *packet, __u32 offset,
						 __s64 difference, __u64 flags)
{
	__u64 sum = (__u64)difference;

	flags |= BPF_F_PSEUDO_HDR;
	if (packet->is_ipv6 && !bpf_l4_csum_replace(skb, offset, 0, sum, flags | CHECKSUM_OF_IPV6))
		return 0;
	return bpf_l4_csum_replace(skb, offset, 0, sum, flags);
}

/* Gives a packet of TCP or UDP the addresses and ports `to`. */
static __always_inline bool rewrite(struct __sk_buff *skb, const struct packet *packet, const struct tuple *to)
{
	__s64 addresses = address_difference(&packet->tuple, to);
	bool is_udp = packet->tuple.protocol == IPPROTO_UDP;
	__u32 checksum = packet->transport + (is_udp ? UDP_CHECKSUM : TCP_CHECKSUM);
	/* Zero is no checksum, and stays none (RFC 768). */
	__u64 flags = is_udp ? BPF_F_MARK_MANGLED_0 : 0;
	__u64 ports;

	if (packet->fragment != LATER_FRAGMENT) {
		ports = (__u64)port_difference(&packet->tuple, to);
		if (update_pseudo_header(skb, packet, checksum, addresses, flags))
			return false;
		if (bpf_l4_csum_replace(skb, checksum, 0, ports, flags))
			return false;
		if (bpf_skb_store_bytes(skb, packet->transport, &to->source_port, 4, 0))
			return false;
	}
	if (!packet->is_ipv6 && bpf_l3_csum_replace(skb, packet->network + IPV4_CHECKSUM, 0, (__u64)addresses, 0))
		return false;
	return !store_addresses(skb, packet, to);
}

static __always_inline bool decrement_hop_limit(struct __sk_buff *skb, const struct packet *packet)
{
	__u8 left = (__u8)(packet->hop_limit - 1);

	if (packet->is_ipv6)
		return !bpf_skb_store_bytes(skb, packet->network + __builtin_offsetof(struct ipv6hdr, hop_limit), &left,
					    1, BPF_F_RECOMPUTE_CSUM);
	/* The upper half of a 16-bit word of the header. */
	if (bpf_l3_csum_replace(skb, packet->network + IPV4_CHECKSUM, bpf_htons((__u16)(packet->hop_limit << 8)),
				bpf_htons((__u16)(left << 8)), 2))
		return false;
	return !bpf_skb_store_bytes(skb, packet->network + __builtin_offsetof(struct iphdr, ttl), &left, 1, 0);
}
