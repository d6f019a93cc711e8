/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The kernel data plane of Portway: what tcx runs for each packet at the interfaces of a node.
 *
 * A packet is of a known flow, or of a new one for a listener, or not ours and passed on untouched. Ours gets the
 * addresses and ports of the other side and is sent straight to where the routing table says, past the node's own
 * stack.
 */
#include <linux/if_packet.h>

#include "announce.h"
#include "balance.h"
#include "flow.h"
#include "icmp_error.h"
#include "packet.h"
#include "refuse.h"
#include "rewrite.h"
#include "route.h"
#include "verdict.h"

enum hook {
	INGRESS,
	EGRESS,
};

/* Rewrites a packet to the reverse of scratch->other, unless it is left to another node, and sends it on. */
static __noinline int forward(struct __sk_buff *skb, struct scratch *scratch, __u32 to_stack)
{
	const struct packet *packet = &scratch->packet;
	struct tuple *to = &scratch->to;
	struct hop hop;
	__u32 reason;
	bool as_it_is;

	reverse(to, &scratch->other);
	as_it_is = same_tuple(to, &packet->tuple);
	if (to_stack)
		return as_it_is || rewrite(skb, packet, to) ? PASS : drop(DROP_REWRITE);
	reason = find_way(skb, packet, to, &scratch->via, &hop);
	if (reason != PROCEED)
		return refuse(skb, scratch, reason, hop.mtu);
	if (!as_it_is && !rewrite(skb, packet, to))
		return drop(DROP_REWRITE);
	tag_rewritten(skb, scratch->gateway);
	return leave(skb, packet, &hop);
}

/* The ports of a later fragment are those of the first. */
static __always_inline bool recall_fragment(struct packet *packet)
{
	struct fragment_key key = {};
	struct fragment *first;

	key.source = packet->tuple.source;
	key.destination = packet->tuple.destination;
	key.identification = packet->fragment_identification;
	key.protocol = packet->tuple.protocol;
	first = bpf_map_lookup_elem(&fragments, &key);
	if (!first)
		return false;
	packet->tuple.source_port = first->source_port;
	packet->tuple.destination_port = first->destination_port;
	return true;
}

static __always_inline void remember_fragment(const struct packet *packet)
{
	struct fragment_key key = {};
	struct fragment first;

	key.source = packet->tuple.source;
	key.destination = packet->tuple.destination;
	key.identification = packet->fragment_identification;
	key.protocol = packet->tuple.protocol;
	first.source_port = packet->tuple.source_port;
	first.destination_port = packet->tuple.destination_port;
	bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
}

/* A packet of a known flow. PROCEED: it begins a new one under the same tuple. */
static __always_inline int follow(struct __sk_buff *skb, struct scratch *scratch, struct flow *flow, __u64 now,
				  enum hook hook)
{
	const struct packet *packet = &scratch->packet;
	__u32 to_stack = hook == EGRESS;

	scratch->other = flow->other;
	if (flow->direction == FLOW_FROM_CLIENT) {
		bool begins = packet->tuple.protocol == IPPROTO_TCP && (packet->tcp_flags & TCP_SYN);
		__u32 id = flow->endpoint;
		struct endpoint *endpoint = bpf_map_lookup_elem(&endpoints, &id);

		if (!endpoint || (begins && may_begin_anew(flow, &packet->tuple))) {
			forget(&packet->tuple, &scratch->other);
			if (packet->tuple.protocol == IPPROTO_TCP && !begins)
				return refuse(skb, scratch, DROP_ENDPOINT_GONE, 0);
			return PROCEED;
		}
		to_stack |= endpoint->flags & ENDPOINT_ON_NODE;
		scratch->gateway = endpoint->gateway;
		if (is_left_to_neighbour(flow, &packet->tuple))
			scratch->via = endpoint->node;
	}
	track(scratch, flow, now);
	if (packet->fragment == FIRST_FRAGMENT)
		remember_fragment(packet);
	return forward(skb, scratch, to_stack);
}

/* A packet without a flow. If it is for a listener, it begins one. */
static __always_inline int begin(struct __sk_buff *skb, struct scratch *scratch, const struct settings *settings,
				 __u64 now)
{
	const struct packet *packet = &scratch->packet;
	struct flow *flow = &scratch->entry;
	struct service_key key = {};
	struct service_counters *count;
	struct service *service;
	struct endpoint *endpoint;
	__u64 hash;
	__u32 reason;

	key.address = packet->tuple.destination;
	key.port = packet->tuple.destination_port;
	key.protocol = packet->tuple.protocol;
	service = bpf_map_lookup_elem(&services, &key);
	/* Nor is it known whose a later fragment is, without its first. */
	if (!service || packet->fragment == LATER_FRAGMENT)
		return PASS;
	if ((service->flags & SERVICE_BESIDE_PROXY) && packet->tuple.protocol == IPPROTO_TCP &&
	    (packet->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return PASS;
	if (!packet->transport_header)
		return drop(DROP_HEADER_CUT_SHORT);
	__builtin_memset(flow, 0, sizeof(*flow));
	hash = hash_of(&packet->tuple, service->flags);
	flow->service = service->id;
	flow->endpoint = choose_endpoint(service, hash);
	endpoint = bpf_map_lookup_elem(&endpoints, &flow->endpoint);
	if (!endpoint)
		return refuse(skb, scratch, DROP_NO_ENDPOINT, 0);
	flow->last_seen = now;
	flow->told_other = now;
	scratch->gateway = endpoint->gateway;
	reason = add_flow(skb, settings, scratch, endpoint, hash);
	if (reason != PROCEED)
		return drop(reason);
	count = bpf_map_lookup_elem(&counters, &flow->service);
	if (count) {
		count->flows += 1;
		count->packets_from_client += 1;
		count->bytes_from_client += packet->end - packet->network;
	}
	if (packet->fragment == FIRST_FRAGMENT)
		remember_fragment(packet);
	return forward(skb, scratch, endpoint->flags & ENDPOINT_ON_NODE);
}

/* Reads a packet as far as its flow needs; false: it is not ours. */
static __always_inline bool read_packet(struct __sk_buff *skb, struct packet *packet)
{
	bool is_ipv6 = skb->protocol == bpf_htons(ETH_P_IPV6);

	/* It belongs to another interface than this. */
	if (skb->vlan_present)
		return false;
	if (!is_ipv6 && skb->protocol != bpf_htons(ETH_P_IP))
		return false;
	if (!read_network(skb, packet, is_ipv6, ETH_HLEN, WHOLE_PACKET))
		return false;
	if (is_ipv6 ? packet->tuple.protocol == IPPROTO_ICMPV6 : packet->tuple.protocol == IPPROTO_ICMP)
		return packet->fragment == NOT_A_FRAGMENT && read_icmp(skb, packet);
	if (packet->tuple.protocol != IPPROTO_TCP && packet->tuple.protocol != IPPROTO_UDP)
		return false;
	if (packet->fragment == LATER_FRAGMENT)
		return recall_fragment(packet);
	if (!read_ports(skb, packet))
		return false;
	/* Zero marks a header that is cut short; whether that matters is known once it is known whose packet it is. */
	if (packet->tuple.protocol == IPPROTO_TCP ? !read_tcp(skb, packet) : !read_udp(packet))
		packet->transport_header = 0;
	return true;
}

static __always_inline int balance(struct __sk_buff *skb, enum hook hook)
{
	const struct settings *settings = find_settings();
	struct scratch *scratch = find_scratch();
	struct packet *packet;
	struct flow *flow;
	__u64 now;
	int verdict;

	if (!settings || !scratch)
		return PASS;
	if (hook == INGRESS) {
		verdict = answer_neighbours(skb, scratch, settings);
		if (verdict != PASS)
			return verdict;
	}
	packet = &scratch->packet;
	__builtin_memset(&scratch->via, 0, sizeof(scratch->via));
	scratch->gateway = 0;
	if (!read_packet(skb, packet))
		return PASS;
	if (packet->icmp_type)
		return forward_icmp_error(skb, scratch, hook == EGRESS);
	now = bpf_ktime_get_coarse_ns();
	flow = find_flow(&packet->tuple);
	if (flow && hook == EGRESS && flow->direction == FLOW_FROM_CLIENT)
		return PASS;
	if (flow && !has_expired(settings, flow, packet->tuple.protocol, now)) {
		if (!packet->transport_header && packet->fragment != LATER_FRAGMENT)
			return drop(DROP_HEADER_CUT_SHORT);
		verdict = follow(skb, scratch, flow, now, hook);
		if (verdict != PROCEED)
			return verdict;
	} else if (flow) {
		scratch->other = flow->other;
		forget(&packet->tuple, &scratch->other);
	}
	return hook == INGRESS ? begin(skb, scratch, settings, now) : PASS;
}

/* For every interface that clients or endpoints are reached by. */
SEC("classifier/ingress")
int portway_ingress(struct __sk_buff *skb)
{
	untag(skb);
	/* A switch that does not know the way sends frames to all. What is for another node must not be served twice. */
	if (skb->pkt_type == PACKET_OTHERHOST)
		return PASS;
	return balance(skb, INGRESS);
}

/* For the same interfaces: replies of endpoints on the node itself, which pass no other. */
SEC("classifier/egress")
int portway_egress(struct __sk_buff *skb)
{
	if (is_rewritten(skb)) {
		untag_rewritten(skb);
		return PASS;
	}
	return balance(skb, EGRESS);
}

/* Sends the frame that it is run on by the interface whose index is its mark: gratuitous ARP and NDP of the agent, which so
 * needs no CAP_NET_RAW. */
SEC("classifier/send")
int portway_send(struct __sk_buff *skb)
{
	__u32 interface = skb->mark;

	skb->mark = 0;
	return bpf_clone_redirect(skb, interface, 0) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* The kernel lets programs under a licence that is compatible with the GPL ask its routing table. */
char _license[] SEC("license") = "Dual BSD/GPL";
