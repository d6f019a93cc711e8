/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Answering for the addresses that this node announces: ARP (RFC 826) and NDP (RFC 4861). It is done here and not in user
 * space, so that it goes on while no agent runs, and on the packets that come in alone. */
#pragma once

#include "flow.h"
#include "refuse.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ARP_ETHERNET 1

/* ARP for IPv4 over Ethernet. */
struct arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender_link[ETH_ALEN];
	__u8 sender[4];
	__u8 target_link[ETH_ALEN];
	__u8 target[4];
};

#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define TARGET_LINK_ADDRESS 2
/* NDP from beyond a router is none (RFC 4861, section 7.1). */
#define NDP_HOP_LIMIT 255
#define ADVERTISEMENT_SOLICITED 0x40000000
#define ADVERTISEMENT_OVERRIDE 0x20000000

/* A neighbour solicitation, as far as it must go, and an advertisement with its one option. */
struct neighbour_message {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 flags;
	struct address target;
};

struct neighbour_advertisement {
	struct neighbour_message message;
	__u8 option;
	/* In units of 8 bytes. */
	__u8 option_length;
	__u8 link[ETH_ALEN];
};

static __always_inline bool same_link(const __u8 *a, const __u8 *b)
{
	/* Not by memcmp, which would be a call of a function that is not there. */
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] && a[5] == b[5];
}

static __always_inline void name_announced(struct announced_key *key, struct __sk_buff *skb)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->interface = skb->ingress_ifindex;
}

/* Somebody else says that an address is theirs which this node answers for. While the agent lives it knows better, or will
 * hear of it. Without one, the other node's agent has taken it: two must not answer. */
static __always_inline void yield(const struct settings *settings, const struct announced_key *key)
{
	__u32 index = 0;
	__u64 *alive = bpf_map_lookup_elem(&announcer, &index);

	if (!alive || bpf_ktime_get_coarse_ns() > *alive + settings->announcer_silence)
		bpf_map_delete_elem(&announced, key);
}

static __always_inline int answer_arp(struct __sk_buff *skb, const struct settings *settings)
{
	struct announced_key key;
	struct announced *own;
	struct arp arp;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof(arp)))
		return PASS;
	if (arp.hardware != bpf_htons(ARP_ETHERNET) || arp.protocol != bpf_htons(ETH_P_IP) ||
	    arp.hardware_length != ETH_ALEN || arp.protocol_length != sizeof(arp.sender))
		return PASS;
	name_announced(&key, skb);
	key.address.words[2] = bpf_htonl(0xffff);
	__builtin_memcpy(&key.address.words[3], arp.sender, sizeof(arp.sender));
	own = bpf_map_lookup_elem(&announced, &key);
	if (own) {
		if (!same_link(own->link_address, arp.sender_link))
			yield(settings, &key);
		return PASS;
	}
	if (arp.operation != bpf_htons(ARP_REQUEST))
		return PASS;
	__builtin_memcpy(&key.address.words[3], arp.target, sizeof(arp.target));
	own = bpf_map_lookup_elem(&announced, &key);
	if (!own)
		return PASS;
	arp.operation = bpf_htons(ARP_REPLY);
	__builtin_memcpy(arp.target, arp.sender, sizeof(arp.target));
	__builtin_memcpy(arp.target_link, arp.sender_link, ETH_ALEN);
	__builtin_memcpy(arp.sender, &key.address.words[3], sizeof(arp.sender));
	__builtin_memcpy(arp.sender_link, own->link_address, ETH_ALEN);
	if (bpf_skb_store_bytes(skb, 0, arp.target_link, ETH_ALEN, 0) ||
	    bpf_skb_store_bytes(skb, ETH_ALEN, arp.sender_link, ETH_ALEN, 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &arp, sizeof(arp), 0))
		return PASS;
	return (int)bpf_redirect(skb->ingress_ifindex, 0);
}

/* Turns a solicitation for an address into the answer. One without a source asks whether anybody has the address, and the
 * answer is for all (RFC 4861, section 7.2.4). */
static __noinline int advertise(struct __sk_buff *skb, struct scratch *scratch, const struct announced *own)
{
	struct neighbour_advertisement answer = {};
	struct tuple *to = &scratch->to;
	struct ipv6hdr header = {};
	struct ethhdr ethernet;
	__u32 transport = ETH_HLEN + sizeof(header);

	if (!own || bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header)) ||
	    bpf_skb_load_bytes(skb, transport, &answer.message, sizeof(answer.message)))
		return PASS;
	__builtin_memset(to, 0, sizeof(*to));
	to->source = answer.message.target;
	__builtin_memcpy(&to->destination, &header.saddr, sizeof(to->destination));
	__builtin_memcpy(ethernet.h_dest, ethernet.h_source, ETH_ALEN);
	__builtin_memcpy(ethernet.h_source, own->link_address, ETH_ALEN);
	answer.message.flags = bpf_htonl(ADVERTISEMENT_OVERRIDE | ADVERTISEMENT_SOLICITED);
	if (is_unspecified(&to->destination)) {
		__u8 all[ETH_ALEN] = {0x33, 0x33, 0, 0, 0, 1};

		to->destination.words[0] = bpf_htonl(0xff020000);
		to->destination.words[3] = bpf_htonl(1);
		__builtin_memcpy(ethernet.h_dest, all, ETH_ALEN);
		answer.message.flags = bpf_htonl(ADVERTISEMENT_OVERRIDE);
	}
	answer.message.type = NEIGHBOUR_ADVERTISEMENT;
	answer.message.checksum = 0;
	answer.option = TARGET_LINK_ADDRESS;
	answer.option_length = 1;
	__builtin_memcpy(answer.link, own->link_address, ETH_ALEN);
	answer.message.checksum = fold(pseudo_header_sum(to, sizeof(answer), IPPROTO_ICMPV6) +
				       ((__u64)bpf_csum_diff(0, 0, (__be32 *)&answer, sizeof(answer), 0) & 0xffffffff));
	header.version = 6;
	header.payload_len = bpf_htons(sizeof(answer));
	header.hop_limit = NDP_HOP_LIMIT;
	__builtin_memcpy(&header.saddr, &to->source, sizeof(header.saddr));
	__builtin_memcpy(&header.daddr, &to->destination, sizeof(header.daddr));
	if (bpf_skb_change_tail(skb, transport + sizeof(answer), 0) ||
	    bpf_skb_store_bytes(skb, 0, &ethernet, sizeof(ethernet), 0) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN, &header, sizeof(header), 0) ||
	    bpf_skb_store_bytes(skb, transport, &answer, sizeof(answer), 0))
		return TC_ACT_SHOT;
	return (int)bpf_redirect(skb->ingress_ifindex, 0);
}

/* Only without extension headers, as all senders have it. A damaged question is answered like any other: that harms nobody. */
static __always_inline int answer_ndp(struct __sk_buff *skb, struct scratch *scratch, const struct settings *settings)
{
	struct neighbour_advertisement heard = {};
	struct announced_key key;
	struct announced *own;
	struct ipv6hdr header;
	__u32 length;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &header, sizeof(header)))
		return PASS;
	if (header.version != 6 || header.nexthdr != IPPROTO_ICMPV6 || header.hop_limit != NDP_HOP_LIMIT)
		return PASS;
	length = bpf_ntohs(header.payload_len);
	if (length < sizeof(heard.message) || ETH_HLEN + sizeof(header) + length > skb->len ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(header), &heard.message, sizeof(heard.message)))
		return PASS;
	if ((heard.message.type != NEIGHBOUR_SOLICITATION && heard.message.type != NEIGHBOUR_ADVERTISEMENT) ||
	    heard.message.code)
		return PASS;
	name_announced(&key, skb);
	key.address = heard.message.target;
	own = bpf_map_lookup_elem(&announced, &key);
	if (!own)
		return PASS;
	if (heard.message.type == NEIGHBOUR_SOLICITATION)
		return advertise(skb, scratch, own);
	if (length >= sizeof(heard) && !bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(header), &heard, sizeof(heard)) &&
	    heard.option == TARGET_LINK_ADDRESS && !same_link(own->link_address, heard.link))
		yield(settings, &key);
	return PASS;
}

/* PASS: it is no question about an address of ours. */
static __always_inline int answer_neighbours(struct __sk_buff *skb, struct scratch *scratch,
					     const struct settings *settings)
{
	if (skb->vlan_present)
		return PASS;
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return answer_arp(skb, settings);
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return answer_ndp(skb, scratch, settings);
	return PASS;
}
