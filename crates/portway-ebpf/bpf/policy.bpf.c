/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Network policy: what tcx runs at the interfaces of a node's pods, and at all others that pods' packets may come or leave by.
 *
 * A pod is who its interface says, whatever address its packets have. What has no entry yet gets nothing but what comes from
 * the node itself.
 */
#include "policy/flow.h"
#include "tag.h"

/* What becomes of a packet that a pod sends. */
enum sent {
	SENT_DENIED,
	SENT_JUDGED,
	/* Where it goes is not known before it leaves. */
	SENT_DEFERRED,
};

static __always_inline void ask(struct policy_scratch *scratch, const struct policy_pod *pod, __u32 direction,
				const struct address *peer, __u32 identity)
{
	struct policy_question *question = &scratch->question;

	question->address = *peer;
	question->identity = identity;
	question->direction = direction;
	question->rules = direction == POLICY_EGRESS ? pod->egress : pod->ingress;
	question->rehearsed = direction == POLICY_EGRESS ? pod->egress_rehearsed : pod->ingress_rehearsed;
	question->gateway = 0;
	question->policy = 0;
}

static __always_inline bool is_complete(const struct policy_pod *pod)
{
	return pod && pod->identity;
}

static __always_inline int drop_denied(__u32 direction)
{
	return drop_for(direction == POLICY_EGRESS ? POLICY_DROP_DENIED_EGRESS : POLICY_DROP_DENIED_INGRESS);
}

static __always_inline int drop_illegible(int legibility)
{
	return drop_for(legibility == FIRST_FRAGMENT_MISSING ? POLICY_DROP_NO_FIRST_FRAGMENT : POLICY_DROP_UNREADABLE);
}

static __always_inline bool is_own_address(const struct policy_pod *pod, const struct packet *packet,
					   const struct address *address)
{
	if (packet->is_ipv6 && (address->words[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000))
		return true;
	return same_address(address, packet->is_ipv6 ? &pod->ipv6 : &pod->ipv4) && !is_unspecified(address);
}

/* A packet that a pod sends and that is of no known flow. */
static __noinline int begin_sent(struct policy_scratch *scratch, const struct policy_pod *pod, __u32 destination)
{
	const struct packet *packet = &scratch->packet;
	/* In the middle of a connection that nobody has seen the beginning of: if this is a server's answer, remembering it as
	 * the beginning would let its client's packets in. */
	bool is_kept = packet->tuple.protocol != IPPROTO_TCP || is_opening(packet) || pod->ingress == POLICY_OPEN;

	if (destination & (POLICY_DESTINATION_NODE | POLICY_DESTINATION_SERVICE)) {
		if (is_kept)
			defer_policy_flow(scratch);
		return SENT_DEFERRED;
	}
	return begin_policy_flow(scratch, is_kept) ? SENT_JUDGED : SENT_DENIED;
}

/* A packet that a pod sends, with its own address. */
static __noinline int judge_sent(struct __sk_buff *skb, struct policy_scratch *scratch, const struct policy_pod *pod)
{
	const struct packet *packet = &scratch->packet;
	const struct tuple *tuple = &packet->tuple;
	__u32 interface = skb->ifindex, destination, identity;
	struct policy_flow *flow;

	if (packet->icmp_type && read_policy_quoted(skb, scratch) && is_about_flow(scratch, interface, POLICY_FLOW_IN))
		return SENT_JUDGED;
	identity = identity_of(&tuple->destination);
	flow = is_opening(packet) ? NULL : find_answered(scratch, tuple, interface, POLICY_FLOW_IN);
	if (flow && takes_replies(flow)) {
		ask(scratch, pod, POLICY_INGRESS, &tuple->destination, identity);
		if (follow_policy_flow(scratch, flow, 1))
			return SENT_JUDGED;
		drop_denied(POLICY_INGRESS);
		return SENT_DENIED;
	}
	ask(scratch, pod, POLICY_EGRESS, &tuple->destination, identity);
	destination = destination_kind(&tuple->destination);
	flow = find_begun(scratch, tuple, interface, POLICY_FLOW_OUT);
	if (flow && !(is_opening(packet) && policy_flow_is_closed(flow->state))) {
		if (flow->state & POLICY_FLOW_DEFERRED) {
			track_policy_flow(scratch, flow, false);
			return SENT_DEFERRED;
		}
		if (follow_policy_flow(scratch, flow, 0))
			return SENT_JUDGED;
	} else {
		int sent = begin_sent(scratch, pod, destination);

		if (sent != SENT_DENIED)
			return sent;
	}
	drop_denied(POLICY_EGRESS);
	return SENT_DENIED;
}

static __always_inline int pass_judged(struct __sk_buff *skb)
{
	skb->tc_index = TAG_JUDGED;
	return PASS;
}

/* For a pod's interface: what the pod sends. */
SEC("classifier/policy_from_pod")
int policy_from_pod(struct __sk_buff *skb)
{
	struct policy_scratch *scratch = find_policy_scratch();
	__u32 interface = skb->ifindex;
	const struct policy_pod *pod = bpf_map_lookup_elem(&policy_pods, &interface);
	const struct packet *packet;
	int legibility, sent;
	bool is_open;

	skb->tc_index = 0;
	if (skb->protocol == bpf_htons(ETH_P_ARP) && !skb->vlan_present)
		return pass_judged(skb);
	is_open = is_complete(pod) && pod->egress == POLICY_OPEN && pod->ingress == POLICY_OPEN;
	if (!scratch || !is_ip(skb))
		return is_open ? pass_judged(skb) : drop_for(POLICY_DROP_UNREADABLE);
	packet = &scratch->packet;
	scratch->now = bpf_ktime_get_coarse_ns();
	legibility = read_for_policy(skb, scratch, ETH_HLEN);
	if (legibility == OF_THE_LINK)
		return pass_judged(skb);
	if (legibility == ILLEGIBLE)
		return is_open ? pass_judged(skb) : drop_illegible(legibility);
	if (!is_complete(pod))
		return destination_kind(&packet->tuple.destination) & POLICY_DESTINATION_NODE
			       ? PASS
			       : drop_for(POLICY_DROP_POD_NOT_KNOWN);
	if (!is_own_address(pod, packet, &packet->tuple.source))
		return drop_for(POLICY_DROP_NOT_ITS_ADDRESS);
	if (is_own_address(pod, packet, &packet->tuple.destination) &&
	    same_address(&packet->tuple.source, &packet->tuple.destination))
		return pass_judged(skb);
	if (legibility == FIRST_FRAGMENT_MISSING)
		return is_open ? pass_judged(skb) : drop_illegible(legibility);
	sent = judge_sent(skb, scratch, pod);
	if (sent == SENT_DENIED)
		return TC_ACT_SHOT;
	return sent == SENT_JUDGED ? pass_judged(skb) : PASS;
}

/* Whether a pod may send what leaves by this interface, now that it is known where it goes. */
static __noinline int may_leave(struct policy_scratch *scratch, const struct policy_pod *pod, __u32 interface)
{
	const struct tuple *tuple = &scratch->packet.tuple;
	struct policy_flow *flow;

	if (pod->egress == POLICY_OPEN && pod->egress_rehearsed == POLICY_OPEN)
		return 1;
	ask(scratch, pod, POLICY_EGRESS, &tuple->destination, identity_of(&tuple->destination));
	flow = find_begun(scratch, tuple, interface, POLICY_FLOW_LEAVING);
	if (flow)
		return follow_policy_flow(scratch, flow, 0);
	return begin_policy_flow(scratch, 1);
}

/* Who has sent a packet that is about to leave by an interface. */
struct sender {
	/* The pod of this node that has, and its interface; absent: nobody whom it could be asked of. */
	const struct policy_pod *pod;
	__u32 interface;
	/* PASS, or why it goes no further. */
	int verdict;
};

/* scratch->packet is only read where it is needed; its addresses are then known. */
static __always_inline void find_sender(struct __sk_buff *skb, const struct policy_scratch *scratch, bool is_read,
					struct sender *sender)
{
	__u32 index = skb->ingress_ifindex;
	struct policy_interface *interface;
	__u32 *local;

	sender->interface = index;
	sender->verdict = PASS;
	sender->pod = bpf_map_lookup_elem(&policy_pods, &index);
	if (sender->pod) {
		if (!is_complete(sender->pod))
			sender->verdict = drop_for(POLICY_DROP_POD_NOT_KNOWN);
		return;
	}
	interface = bpf_map_lookup_elem(&policy_ifaces, &index);
	if (!interface) {
		sender->verdict = drop_for(POLICY_DROP_INTERFACE_NOT_KNOWN);
		return;
	}
	if (interface->kind != POLICY_INTERFACE_BRIDGE)
		return;
	/* Its own interface has found the address to be the pod's. */
	local = is_read ? bpf_map_lookup_elem(&policy_locals, &scratch->packet.tuple.source) : NULL;
	if (local) {
		__u32 of = *local;

		sender->interface = of;
		sender->pod = bpf_map_lookup_elem(&policy_pods, &of);
	}
	if (!is_complete(sender->pod) && !(skb->tc_index & TAG_JUDGED))
		sender->verdict = drop_for(POLICY_DROP_POD_NOT_KNOWN);
}

/* Whether a packet is let off this node or on to another pod, by who has sent it. PASS or TC_ACT_SHOT. */
static __always_inline int release(struct policy_scratch *scratch, const struct sender *sender, __u32 tag,
				   int legibility)
{
	if (sender->verdict != PASS || !sender->pod || (tag & TAG_JUDGED) || legibility == OF_THE_LINK)
		return sender->verdict;
	if (sender->pod->egress == POLICY_OPEN && sender->pod->egress_rehearsed == POLICY_OPEN)
		return PASS;
	if (legibility != LEGIBLE)
		return drop_illegible(legibility);
	return may_leave(scratch, sender->pod, sender->interface) ? PASS : drop_denied(POLICY_EGRESS);
}

/* A packet for a pod, of somebody who may send it. */
static __noinline int judge_received(struct __sk_buff *skb, struct policy_scratch *scratch,
				     const struct policy_pod *pod, __u32 identity, __u32 gateway)
{
	const struct packet *packet = &scratch->packet;
	const struct tuple *tuple = &packet->tuple;
	__u32 interface = skb->ifindex;
	struct policy_flow *flow;

	if (packet->icmp_type && read_policy_quoted(skb, scratch) && is_about_flow(scratch, interface, POLICY_FLOW_OUT))
		return PASS;
	flow = is_opening(packet) ? NULL : find_answered(scratch, tuple, interface, POLICY_FLOW_OUT);
	if (flow && takes_replies(flow)) {
		ask(scratch, pod, POLICY_EGRESS, &tuple->source, identity);
		return follow_policy_flow(scratch, flow, 1) ? PASS : drop_denied(POLICY_EGRESS);
	}
	ask(scratch, pod, POLICY_INGRESS, &tuple->source, identity);
	scratch->question.gateway = gateway;
	flow = find_begun(scratch, tuple, interface, POLICY_FLOW_IN);
	if (flow && !(is_opening(packet) && policy_flow_is_closed(flow->state))) {
		int passes = flow->gateway == gateway ? follow_policy_flow(scratch, flow, 0)
						      : reroute_policy_flow(scratch, flow);

		return passes ? PASS : drop_denied(POLICY_INGRESS);
	}
	return begin_policy_flow(scratch, 1) ? PASS : drop_denied(POLICY_INGRESS);
}

/* For a pod's interface: what the pod gets. */
SEC("classifier/policy_to_pod")
int policy_to_pod(struct __sk_buff *skb)
{
	struct policy_scratch *scratch = find_policy_scratch();
	__u32 interface = skb->ifindex, tag = skb->tc_index;
	const struct policy_pod *pod;
	struct sender sender = {};
	int legibility;
	bool is_open;

	/* Of the node itself, which runs the pod; or of the pod. */
	if (!skb->ingress_ifindex || skb->ingress_ifindex == interface)
		return PASS;
	if (skb->protocol == bpf_htons(ETH_P_ARP) && !skb->vlan_present)
		return PASS;
	pod = bpf_map_lookup_elem(&policy_pods, &interface);
	is_open = is_complete(pod) && pod->egress == POLICY_OPEN && pod->ingress == POLICY_OPEN;
	if (!scratch || !is_ip(skb))
		return is_open && (tag & TAG_JUDGED) ? PASS : drop_for(POLICY_DROP_UNREADABLE);
	scratch->now = bpf_ktime_get_coarse_ns();
	legibility = read_for_policy(skb, scratch, ETH_HLEN);
	find_sender(skb, scratch, legibility != ILLEGIBLE, &sender);
	if (release(scratch, &sender, tag, legibility) != PASS)
		return TC_ACT_SHOT;
	if (!is_complete(pod))
		return drop_for(POLICY_DROP_POD_NOT_KNOWN);
	if (legibility == OF_THE_LINK)
		return PASS;
	if (legibility != LEGIBLE)
		return is_open ? PASS : drop_illegible(legibility);
	return judge_received(skb, scratch, pod,
			      sender.pod ? sender.pod->identity : identity_of(&scratch->packet.tuple.source),
			      tag & TAG_GATEWAY);
}

/* Bytes before the IP header at an interface that is no pod's. */
static __always_inline __u32 link_header_of(__u32 index)
{
	struct policy_interface *interface = bpf_map_lookup_elem(&policy_ifaces, &index);

	return interface ? interface->link_header : ETH_HLEN;
}

/* For every other interface: what leaves by it. */
SEC("classifier/policy_leave")
int policy_leave(struct __sk_buff *skb)
{
	struct policy_scratch *scratch = find_policy_scratch();
	struct sender sender = {};
	int legibility = ILLEGIBLE;

	/* Of the node itself, or in a tunnel of its own. */
	if (!skb->ingress_ifindex)
		return PASS;
	if (!scratch)
		return drop_for(POLICY_DROP_UNREADABLE);
	scratch->now = bpf_ktime_get_coarse_ns();
	if (!(skb->tc_index & TAG_JUDGED) && is_ip(skb))
		legibility = read_for_policy(skb, scratch, link_header_of(skb->ifindex));
	find_sender(skb, scratch, legibility != ILLEGIBLE, &sender);
	return release(scratch, &sender, skb->tc_index, legibility);
}

/* For every other interface: what comes in by it. Neither a pod that is not known yet nor the name of one that is may be had from
 * outside. */
SEC("classifier/policy_enter")
int policy_enter(struct __sk_buff *skb)
{
	struct policy_scratch *scratch = find_policy_scratch();
	const struct tuple *tuple;

	skb->tc_index = 0;
	if (!scratch || !is_ip(skb))
		return PASS;
	if (!read_network(skb, &scratch->packet, skb->protocol == bpf_htons(ETH_P_IPV6), link_header_of(skb->ifindex),
			  WHOLE_PACKET))
		return PASS;
	tuple = &scratch->packet.tuple;
	if (bpf_map_lookup_elem(&policy_locals, &tuple->source))
		return drop_for(POLICY_DROP_NOT_ITS_ADDRESS);
	if (!bpf_map_lookup_elem(&policy_locals, &tuple->destination))
		return destination_kind(&tuple->destination) & POLICY_DESTINATION_PODS
			       ? drop_for(POLICY_DROP_POD_NOT_KNOWN)
			       : PASS;
	return destination_kind(&tuple->source) & POLICY_DESTINATION_TRANSLATED_HERE
		       ? drop_for(POLICY_DROP_SERVICE_ADDRESS)
		       : PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
