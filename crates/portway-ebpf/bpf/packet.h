/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading headers. A packet that cannot be understood is not ours: it is passed on, and the stack drops it. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"

enum fragment_place {
	NOT_A_FRAGMENT,
	FIRST_FRAGMENT,
	LATER_FRAGMENT,
};

/* Bits of the octet with the flags of a TCP header (RFC 9293, section 3.1). */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

/* Extension headers that are looked over before a packet is not ours. A sender has no reason for more than one of
 * each kind (RFC 8200, section 4.1). */
#define IPV6_EXTENSION_HEADERS 6

/* Type, code, checksum and four bytes more, in ICMP of both families; what an error is about follows. */
#define ICMP_HEADER 8
#define ICMP_CHECKSUM 2

struct packet {
	/* Of an ICMP message and of a later fragment without known first, the ports are zero. */
	struct tuple tuple;
	/* Where headers begin, and the end of the IP packet, in bytes from the start of the frame. */
	__u32 network;
	__u32 transport;
	__u32 end;
	__u32 fragment_identification;
	__u8 is_ipv6;
	__u8 fragment;
	__u8 may_be_fragmented;
	__u8 hop_limit;
	__u8 traffic_class;
	__u8 tcp_flags;
	/* Bytes of the transport header. */
	__u8 transport_header;
	/* Zero: it is no ICMP error. */
	__u8 icmp_type;
};

static __always_inline void from_ipv4(struct address *address, __be32 ipv4)
{
	address->words[0] = 0;
	address->words[1] = 0;
	address->words[2] = bpf_htonl(0xffff);
	address->words[3] = ipv4;
}

static __always_inline bool same_address(const struct address *a, const struct address *b)
{
	return a->words[3] == b->words[3] && a->words[2] == b->words[2] && a->words[1] == b->words[1] &&
	       a->words[0] == b->words[0];
}

static __always_inline bool is_unspecified(const struct address *address)
{
	return !(address->words[0] | address->words[1] | address->words[3]);
}

static __always_inline bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return same_address(&a->source, &b->source) && same_address(&a->destination, &b->destination) &&
	       a->source_port == b->source_port && a->destination_port == b->destination_port &&
	       a->protocol == b->protocol;
}

static __always_inline void reverse(struct tuple *to, const struct tuple *from)
{
	to->source = from->destination;
	to->destination = from->source;
	to->source_port = from->destination_port;
	to->destination_port = from->source_port;
	to->protocol = from->protocol;
	__builtin_memset(to->reserved, 0, sizeof(to->reserved));
}

/* Whether the packet that an ICMP error carries is being read: it may be cut short. */
enum completeness {
	WHOLE_PACKET,
	QUOTED_PACKET,
};

static __always_inline bool read_ipv4(struct __sk_buff *skb, struct packet *packet, enum completeness completeness)
{
	struct iphdr header;
	__u32 length, fragment;

	if (bpf_skb_load_bytes(skb, packet->network, &header, sizeof(header)))
		return false;
	if (header.version != 4 || header.ihl < 5)
		return false;
	packet->transport = packet->network + header.ihl * 4U;
	length = bpf_ntohs(header.tot_len);
	/* Longer than its header can say: segments that were joined on reception. */
	if (!length && skb->gso_size)
		length = skb->len - packet->network;
	packet->end = packet->network + length;
	if (packet->transport > packet->end)
		return false;
	if (packet->end > skb->len) {
		if (completeness == WHOLE_PACKET)
			return false;
		packet->end = skb->len;
	}
	from_ipv4(&packet->tuple.source, header.saddr);
	from_ipv4(&packet->tuple.destination, header.daddr);
	packet->tuple.protocol = header.protocol;
	packet->hop_limit = header.ttl;
	packet->traffic_class = header.tos;
	fragment = bpf_ntohs(header.frag_off);
	packet->may_be_fragmented = !(fragment & IPV4_DONT_FRAGMENT);
	packet->fragment_identification = header.id;
	if (fragment & IPV4_FRAGMENT_OFFSET)
		packet->fragment = LATER_FRAGMENT;
	else if (fragment & IPV4_MORE_FRAGMENTS)
		packet->fragment = FIRST_FRAGMENT;
	return true;
}

/* The header that hop-by-hop options, destination options and routing have in common (RFC 8200, section 4). */
struct ipv6_extension {
	__u8 next;
	__u8 length;
	__u8 routing_type;
	__u8 segments_left;
};

struct ipv6_fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 identification;
};

static __always_inline bool read_ipv6_extensions(struct __sk_buff *skb, struct packet *packet, __u8 next)
{
	int i;

	for (i = 0; i < IPV6_EXTENSION_HEADERS; i++) {
		if (next == IPPROTO_FRAGMENT) {
			struct ipv6_fragment fragment;

			if (bpf_skb_load_bytes(skb, packet->transport, &fragment, sizeof(fragment)))
				return false;
			packet->transport += sizeof(fragment);
			packet->fragment_identification = fragment.identification;
			if (fragment.offset & bpf_htons(0xfff8))
				packet->fragment = LATER_FRAGMENT;
			else if (fragment.offset & bpf_htons(1))
				packet->fragment = FIRST_FRAGMENT;
			next = fragment.next;
			/* What follows is in the first fragment alone. */
			if (packet->fragment == LATER_FRAGMENT)
				break;
		} else if (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING) {
			struct ipv6_extension extension;

			if (bpf_skb_load_bytes(skb, packet->transport, &extension, sizeof(extension)))
				return false;
			/* On its way to somewhere else first, whatever its destination says now. */
			if (next == IPPROTO_ROUTING && extension.segments_left)
				return false;
			packet->transport += (extension.length + 1U) * 8;
			next = extension.next;
		} else {
			break;
		}
	}
	packet->tuple.protocol = next;
	return true;
}

static __always_inline bool read_ipv6(struct __sk_buff *skb, struct packet *packet, enum completeness completeness)
{
	struct ipv6hdr header;
	__u32 length;

	if (bpf_skb_load_bytes(skb, packet->network, &header, sizeof(header)))
		return false;
	if (header.version != 6)
		return false;
	packet->transport = packet->network + sizeof(header);
	length = bpf_ntohs(header.payload_len);
	/* As in read_ipv4. */
	if (!length && skb->gso_size)
		length = skb->len - packet->transport;
	packet->end = packet->transport + length;
	if (packet->end > skb->len) {
		if (completeness == WHOLE_PACKET)
			return false;
		packet->end = skb->len;
	}
	__builtin_memcpy(&packet->tuple.source, &header.saddr, sizeof(struct address));
	__builtin_memcpy(&packet->tuple.destination, &header.daddr, sizeof(struct address));
	packet->hop_limit = header.hop_limit;
	packet->traffic_class = (__u8)(header.priority << 4 | header.flow_lbl[0] >> 4);
	return read_ipv6_extensions(skb, packet, header.nexthdr) && packet->transport <= packet->end;
}

static __always_inline bool read_network(struct __sk_buff *skb, struct packet *packet, bool is_ipv6, __u32 offset,
					 enum completeness completeness)
{
	__builtin_memset(packet, 0, sizeof(*packet));
	packet->is_ipv6 = is_ipv6;
	packet->network = offset;
	return is_ipv6 ? read_ipv6(skb, packet, completeness) : read_ipv4(skb, packet, completeness);
}

/* The ports, which TCP and UDP have in one place, source and destination in a row. */
static __always_inline bool read_ports(struct __sk_buff *skb, struct packet *packet)
{
	if (packet->transport + 4 > packet->end)
		return false;
	return !bpf_skb_load_bytes(skb, packet->transport, &packet->tuple.source_port, 4);
}

/* What is needed of a TCP header beyond the ports; false: it is cut short. */
static __always_inline bool read_tcp(struct __sk_buff *skb, struct packet *packet)
{
	/* Length of the header in the upper half, and the flags. */
	__u8 octets[2];

	if (packet->transport + sizeof(struct tcphdr) > packet->end)
		return false;
	if (bpf_skb_load_bytes(skb, packet->transport + 12, octets, sizeof(octets)))
		return false;
	packet->transport_header = (__u8)(octets[0] >> 4 << 2);
	packet->tcp_flags = octets[1];
	return packet->transport_header >= sizeof(struct tcphdr) &&
	       packet->transport + packet->transport_header <= packet->end;
}

static __always_inline bool read_udp(struct packet *packet)
{
	packet->transport_header = sizeof(struct udphdr);
	return packet->transport + sizeof(struct udphdr) <= packet->end;
}

static __always_inline bool is_icmp_error(bool is_ipv6, __u8 type)
{
	/* ICMPv6: RFC 4443, section 2.1, but for those that are not assigned. */
	if (is_ipv6)
		return type >= 1 && type <= 4;
	/* Destination unreachable, time exceeded and parameter problem. */
	return type == 3 || type == 11 || type == 12;
}

/* False: it is no ICMP error. */
static __always_inline bool read_icmp(struct __sk_buff *skb, struct packet *packet)
{
	if (packet->transport + ICMP_HEADER > packet->end)
		return false;
	packet->transport_header = ICMP_HEADER;
	if (bpf_skb_load_bytes(skb, packet->transport, &packet->icmp_type, 1))
		return false;
	return is_icmp_error(packet->is_ipv6, packet->icmp_type);
}
