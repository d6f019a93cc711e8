/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading a packet as far as policies go. Here, what cannot be read is not passed on to a pod that is isolated. */
#pragma once

#include "scratch.h"

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif

/* RFC 9260, section 3.1. */
#define SCTP_HEADER 12

#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

enum legibility {
	LEGIBLE,
	ILLEGIBLE,
	/* The fragment that has the ports has not been seen. */
	FIRST_FRAGMENT_MISSING,
	/* Neighbours and groups of the link itself, which policies do not speak of. */
	OF_THE_LINK,
};

static __always_inline void set_fragment_key(struct fragment_key *key, const struct packet *packet)
{
	key->source = packet->tuple.source;
	key->destination = packet->tuple.destination;
	key->identification = packet->fragment_identification;
	key->protocol = packet->tuple.protocol;
}

static __always_inline void remember_part(const struct packet *packet)
{
	struct fragment_key key = {};
	struct fragment first;

	set_fragment_key(&key, packet);
	first.source_port = packet->tuple.source_port;
	first.destination_port = packet->tuple.destination_port;
	bpf_map_update_elem(&policy_parts, &key, &first, BPF_ANY);
}

static __always_inline bool recall_part(struct packet *packet)
{
	struct fragment_key key = {};
	struct fragment *first;

	set_fragment_key(&key, packet);
	first = bpf_map_lookup_elem(&policy_parts, &key);
	if (!first)
		return false;
	packet->tuple.source_port = first->source_port;
	packet->tuple.destination_port = first->destination_port;
	return true;
}

/* Finding neighbours (RFC 4861: sent with the highest hop limit, which no router lets through) and groups (RFC 3810). */
static __always_inline bool is_of_the_link(const struct packet *packet, __u8 type)
{
	if (type >= 133 && type <= 136)
		return packet->hop_limit == 255;
	return ((type >= 130 && type <= 132) || type == 143) && packet->hop_limit == 1;
}

/* An echo has an identifier in the place of ports, the same in both directions. */
static __always_inline enum legibility read_policy_icmp(struct __sk_buff *skb, struct packet *packet)
{
	__u8 header[ICMP_HEADER];
	bool is_echo;

	if (packet->transport + ICMP_HEADER > packet->end ||
	    bpf_skb_load_bytes(skb, packet->transport, header, sizeof(header)))
		return ILLEGIBLE;
	if (packet->is_ipv6 && is_of_the_link(packet, header[0]))
		return OF_THE_LINK;
	if (is_icmp_error(packet->is_ipv6, header[0]))
		packet->icmp_type = header[0];
	is_echo = packet->is_ipv6 ? header[0] == ICMPV6_ECHO || header[0] == ICMPV6_ECHO_REPLY
				  : header[0] == ICMP_ECHO || header[0] == ICMP_ECHO_REPLY;
	if (is_echo) {
		__builtin_memcpy(&packet->tuple.source_port, header + 4, 2);
		packet->tuple.destination_port = packet->tuple.source_port;
	}
	return LEGIBLE;
}

static __always_inline enum legibility read_policy_transport(struct __sk_buff *skb, struct packet *packet, bool is_icmp)
{
	__u8 protocol = packet->tuple.protocol;

	if (is_icmp)
		return read_policy_icmp(skb, packet);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP)
		return LEGIBLE;
	if (!read_ports(skb, packet))
		return ILLEGIBLE;
	if (protocol == IPPROTO_TCP)
		return read_tcp(skb, packet) ? LEGIBLE : ILLEGIBLE;
	if (protocol == IPPROTO_UDP)
		return read_udp(packet) ? LEGIBLE : ILLEGIBLE;
	return packet->transport + SCTP_HEADER <= packet->end ? LEGIBLE : ILLEGIBLE;
}

static __always_inline bool is_ip(const struct __sk_buff *skb)
{
	return !skb->vlan_present && (skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6));
}

/* Reads into scratch->packet what begins after a link header of this length. */
static __noinline int read_for_policy(struct __sk_buff *skb, struct policy_scratch *scratch, __u32 link_header)
{
	struct packet *packet = &scratch->packet;
	enum legibility legibility;

	if (!read_network(skb, packet, skb->protocol == bpf_htons(ETH_P_IPV6), link_header, WHOLE_PACKET))
		return ILLEGIBLE;
	scratch->is_icmp =
		packet->is_ipv6 ? packet->tuple.protocol == IPPROTO_ICMPV6 : packet->tuple.protocol == IPPROTO_ICMP;
	if (packet->fragment == LATER_FRAGMENT)
		return recall_part(packet) ? LEGIBLE : FIRST_FRAGMENT_MISSING;
	legibility = read_policy_transport(skb, packet, scratch->is_icmp);
	if (legibility == LEGIBLE && packet->fragment == FIRST_FRAGMENT)
		remember_part(packet);
	return (int)legibility;
}

/* Reads the packet that an ICMP error is about, as far as its ports. */
static __noinline int read_policy_quoted(struct __sk_buff *skb, struct policy_scratch *scratch)
{
	const struct packet *packet = &scratch->packet;
	struct packet *quoted = &scratch->quoted;
	__u8 protocol;
	__u16 identifier;

	if (!read_network(skb, quoted, packet->is_ipv6, packet->transport + ICMP_HEADER, QUOTED_PACKET))
		return 0;
	/* Errors go to whoever sent what they are about. */
	if (quoted->fragment == LATER_FRAGMENT || !same_address(&quoted->tuple.source, &packet->tuple.destination))
		return 0;
	protocol = quoted->tuple.protocol;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP)
		return read_ports(skb, quoted);
	if (protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6)
		return 1;
	if (quoted->transport + ICMP_HEADER > quoted->end ||
	    bpf_skb_load_bytes(skb, quoted->transport + 4, &identifier, sizeof(identifier)))
		return 0;
	quoted->tuple.source_port = identifier;
	quoted->tuple.destination_port = identifier;
	return 1;
}
