/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Telling the sender of a packet why it goes no further. The packet itself is turned into the answer, and goes back by the
 * interface that it came in by. So it may be summed up as a whole: where the kernel has left the checksum of a packet to
 * the network card, that is a packet of a pod, and the answer does not leave the node. */
#pragma once

#include "route.h"
#include "scratch.h"

/* Answers in a second, for each processor: whoever forges addresses must not send them through us (RFC 1812, section
 * 4.3.2.8). */
#define ANSWERS 1000

#define ANSWER_HOP_LIMIT 64

static __always_inline bool may_answer(struct scratch *scratch)
{
	__u64 second = bpf_ktime_get_coarse_ns() >> 30;

	if (scratch->answer_second != second) {
		scratch->answer_second = second;
		scratch->answers = 0;
	}
	scratch->answers += 1;
	return scratch->answers <= ANSWERS;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* What a pseudo-header over `to` adds to a checksum (RFC 8200, section 8.1). */
static __always_inline __u64 pseudo_header_sum(const struct tuple *to, __u32 length, __u8 protocol)
{
	__u64 sum = (__u64)bpf_csum_diff(0, 0, (__be32 *)&to->source, 32, 0);

	/* An IPv4 address has two bytes of ones before it, which no checksum covers; but a sum of ones alone is zero. */
	return (sum & 0xffffffff) + bpf_htonl(length) + bpf_htonl(protocol);
}

/* Stores the IP header of an answer of `length` bytes after that header. */
static __always_inline bool store_network(struct __sk_buff *skb, const struct packet *packet, const struct tuple *to,
					  __u32 length, __u8 protocol)
{
	struct iphdr ipv4 = {};
	struct ipv6hdr ipv6 = {};

	if (packet->is_ipv6) {
		ipv6.version = 6;
		ipv6.payload_len = bpf_htons((__u16)length);
		ipv6.nexthdr = protocol;
		ipv6.hop_limit = ANSWER_HOP_LIMIT;
		__builtin_memcpy(&ipv6.saddr, &to->source, sizeof(ipv6.saddr));
		__builtin_memcpy(&ipv6.daddr, &to->destination, sizeof(ipv6.daddr));
		return !bpf_skb_store_bytes(skb, packet->network, &ipv6, sizeof(ipv6), 0);
	}
	ipv4.version = 4;
	ipv4.ihl = sizeof(ipv4) / 4;
	ipv4.tot_len = bpf_htons((__u16)(sizeof(ipv4) + length));
	ipv4.frag_off = bpf_htons(IPV4_DONT_FRAGMENT);
	ipv4.ttl = ANSWER_HOP_LIMIT;
	ipv4.protocol = protocol;
	ipv4.saddr = to->source.words[3];
	ipv4.daddr = to->destination.words[3];
	ipv4.check = fold((__u64)bpf_csum_diff(0, 0, (__be32 *)&ipv4, sizeof(ipv4), 0));
	return !bpf_skb_store_bytes(skb, packet->network, &ipv4, sizeof(ipv4), 0);
}

static __always_inline int send_back(struct __sk_buff *skb)
{
	__u8 ethernet[2 * ETH_ALEN], swapped[2 * ETH_ALEN];

	if (bpf_skb_load_bytes(skb, 0, ethernet, sizeof(ethernet)))
		return TC_ACT_SHOT;
	__builtin_memcpy(swapped, ethernet + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(swapped + ETH_ALEN, ethernet, ETH_ALEN);
	if (bpf_skb_store_bytes(skb, 0, swapped, sizeof(swapped), 0))
		return TC_ACT_SHOT;
	tag_rewritten(skb, 0);
	return (int)bpf_redirect(skb->ingress_ifindex, 0);
}

/* Types and codes of ICMP and of ICMPv6. */
struct icmp_kind {
	__u8 ipv4_type;
	__u8 ipv4_code;
	__u8 ipv6_type;
	__u8 ipv6_code;
};

/* An ICMP error (RFC 792, RFC 4443), in the name of the node if its address is known. */
static __always_inline int answer_by_icmp(struct __sk_buff *skb, struct scratch *scratch, struct icmp_kind kind,
					  __u32 mtu)
{
	const struct settings *settings = find_settings();
	const struct packet *packet = &scratch->packet;
	struct icmp_answer *answer = &scratch->answer;
	struct tuple *to = &scratch->to;
	__u32 header = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	__u32 quoted = packet->end - packet->network, length;
	__u8 protocol = packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	__u64 sum;

	if (quoted > QUOTED_BYTES)
		quoted = QUOTED_BYTES;
	length = ICMP_HEADER + quoted;
	__builtin_memset(answer, 0, sizeof(*answer));
	answer->type = packet->is_ipv6 ? kind.ipv6_type : kind.ipv4_type;
	answer->code = packet->is_ipv6 ? kind.ipv6_code : kind.ipv4_code;
	answer->mtu = bpf_htonl(mtu);
	barrier_var(quoted);
	if (!settings || quoted < sizeof(struct iphdr) || quoted > QUOTED_BYTES ||
	    bpf_skb_load_bytes(skb, packet->network, answer->quoted, quoted))
		return TC_ACT_SHOT;
	reverse(to, &packet->tuple);
	if (packet->is_ipv6 && !is_unspecified(&settings->node_ipv6))
		to->source = settings->node_ipv6;
	if (!packet->is_ipv6 && !is_unspecified(&settings->node_ipv4))
		to->source = settings->node_ipv4;
	sum = packet->is_ipv6 ? pseudo_header_sum(to, length, protocol) : 0;
	sum += (__u64)bpf_csum_diff(0, 0, (__be32 *)answer, sizeof(*answer), 0) & 0xffffffff;
	answer->checksum = fold(sum);
	if (bpf_skb_change_tail(skb, packet->network + quoted, 0))
		return TC_ACT_SHOT;
	if (bpf_skb_adjust_room(skb, (__s32)(header + ICMP_HEADER), BPF_ADJ_ROOM_MAC, 0))
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, packet->network + header, answer, ICMP_HEADER, 0))
		return TC_ACT_SHOT;
	return store_network(skb, packet, to, length, protocol) ? send_back(skb) : TC_ACT_SHOT;
}

/* A reset, in the listener's name (RFC 9293, section 3.5.2). */
static __always_inline int answer_by_reset(struct __sk_buff *skb, struct scratch *scratch)
{
	const struct packet *packet = &scratch->packet;
	struct tuple *to = &scratch->to;
	__u32 header = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct tcphdr tcp, reset = {};
	__u32 payload;

	/* Headers that an answer has not. */
	if (packet->transport - packet->network != header || packet->fragment != NOT_A_FRAGMENT)
		return TC_ACT_SHOT;
	/* Nobody answers a reset. */
	if (packet->tcp_flags & TCP_RST)
		return TC_ACT_SHOT;
	if (bpf_skb_load_bytes(skb, packet->transport, &tcp, sizeof(tcp)))
		return TC_ACT_SHOT;
	payload = packet->end - packet->transport - packet->transport_header;
	reverse(to, &packet->tuple);
	reset.source = to->source_port;
	reset.dest = to->destination_port;
	reset.doff = sizeof(reset) / 4;
	reset.rst = 1;
	if (packet->tcp_flags & TCP_ACK) {
		reset.seq = tcp.ack_seq;
	} else {
		reset.ack = 1;
		reset.ack_seq = bpf_htonl(bpf_ntohl(tcp.seq) + payload + tcp.syn + tcp.fin);
	}
	reset.check = fold(pseudo_header_sum(to, sizeof(reset), IPPROTO_TCP) +
			   ((__u64)bpf_csum_diff(0, 0, (__be32 *)&reset, sizeof(reset), 0) & 0xffffffff));
	if (bpf_skb_change_tail(skb, packet->transport + sizeof(reset), 0))
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, packet->transport, &reset, sizeof(reset), 0))
		return TC_ACT_SHOT;
	return store_network(skb, packet, to, sizeof(reset), IPPROTO_TCP) ? send_back(skb) : TC_ACT_SHOT;
}

/* Drops a packet that has not been changed, and tells its sender where that is of use. `mtu`: for DROP_TOO_BIG. */
static __noinline int refuse(struct __sk_buff *skb, struct scratch *scratch, __u32 reason, __u32 mtu)
{
	const struct packet *packet = &scratch->packet;
	struct icmp_kind kind;

	drop(reason);
	if (packet->fragment == LATER_FRAGMENT || !may_answer(scratch))
		return TC_ACT_SHOT;
	switch (reason) {
	case DROP_TOO_BIG:
		kind = (struct icmp_kind){3, 4, 2, 0};
		return answer_by_icmp(skb, scratch, kind, mtu);
	case DROP_HOP_LIMIT:
		kind = (struct icmp_kind){11, 0, 3, 0};
		return answer_by_icmp(skb, scratch, kind, 0);
	case DROP_NO_ENDPOINT:
	case DROP_ENDPOINT_GONE:
		if (packet->tuple.protocol == IPPROTO_TCP)
			return answer_by_reset(skb, scratch);
		/* The port is unreachable. */
		kind = (struct icmp_kind){3, 3, 1, 4};
		return answer_by_icmp(skb, scratch, kind, 0);
	default:
		return TC_ACT_SHOT;
	}
}
