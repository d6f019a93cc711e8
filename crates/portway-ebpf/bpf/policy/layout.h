/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the programs that enforce network policies share with user space, whose side is src/policy/layout.rs. The rules
 * of ../layout.h hold here too.
 */
#pragma once

#include "../layout.h"

enum policy_direction {
	/* What a pod gets. */
	POLICY_INGRESS = 0,
	/* What it sends. */
	POLICY_EGRESS = 1,
};

/* One entry. */
struct policy_settings {
	/* Another one whenever an address has changed hands: flows are judged again. */
	__u32 revision;
	/* The number that was given to a Gateway last. Of no meaning to the programs. */
	__u32 last_gateway;
	/* As in struct settings. */
	__u64 tcp_established_timeout;
	__u64 tcp_transitory_timeout;
	__u64 tcp_closed_timeout;
	__u64 udp_timeout;
	__u64 udp_replied_timeout;
};

/* In the place of rules: whatever comes is let through. */
#define POLICY_OPEN 0

/* A pod of this node, under the index of the interface that is its veth pair's end on the node. What its rules are changes
 * at once, with this entry. */
struct policy_pod {
	/* Unspecified: it has none of that family. */
	struct address ipv4;
	struct address ipv6;
	/* Tells it from others that had its address before. Of no meaning to the programs. */
	__u64 uid;
	__u32 identity;
	/* Rules for each direction, and those that are only rehearsed. */
	__u32 ingress;
	__u32 ingress_rehearsed;
	__u32 egress;
	__u32 egress_rehearsed;
	__u32 reserved;
};

enum policy_interface_kind {
	/* It leads out of the node, or to what is no pod. */
	POLICY_INTERFACE_OUTSIDE = 1,
	/* A bridge that pods are behind. */
	POLICY_INTERFACE_BRIDGE = 2,
};

/* An interface that is no pod's. */
struct policy_interface {
	__u32 kind;
	/* Bytes before the IP header. */
	__u32 link_header;
};

/* Bytes of NAMESPACE/NAME, which have 63 and 253 at most. */
#define POLICY_GATEWAY_NAME 320

/* A Gateway, under the number that the balancing programs give to what came through it. */
struct policy_gateway {
	/* Who its proxies are. Zero: nobody whom rules speak of. */
	__u32 identity;
	/* Filled up with zeros. Of no meaning to the programs. */
	__u8 name[POLICY_GATEWAY_NAME];
};

struct policy_class_key {
	__u32 rules;
	__u32 identity;
};

/* For maps that look up the longest prefix: how many bits count comes first. */
struct policy_network_key {
	__u32 prefix;
	__u32 rules;
	struct address address;
};

struct policy_port_key {
	__u32 prefix;
	__u32 rules;
	__u32 class;
	__u16 protocol;
	__u16 port;
};

struct policy_address_key {
	__u32 prefix;
	struct address address;
};

/* No rule speaks of it. */
#define POLICY_NO_CLASS 0

enum policy_decision {
	POLICY_PASS = 0,
	POLICY_ALLOW = 1,
	POLICY_DENY = 2,
};

struct policy_ruling {
	/* The lowest counts. */
	__u32 order;
	__u32 decision;
	__u32 policy;
};

struct policy_verdict {
	struct policy_ruling first;
	/* Where the lowest of `first` passes. */
	struct policy_ruling then;
};

enum policy_destination {
	/* An address of this node itself. */
	POLICY_DESTINATION_NODE = 1 << 0,
	/* Replies from it are given this source on this node, so none comes from outside with it. */
	POLICY_DESTINATION_TRANSLATED_HERE = 1 << 1,
	/* An address for pods of this node. */
	POLICY_DESTINATION_PODS = 1 << 2,
	/* It stands for others: what is sent there is judged where it is known to which of them it goes. */
	POLICY_DESTINATION_SERVICE = 1 << 3,
};

enum policy_flow_kind {
	/* As the pod's interface sees it. */
	POLICY_FLOW_OUT = 0,
	POLICY_FLOW_IN = 1,
	/* Sent by the pod, as it leaves the node or comes to another pod: with the address that it really goes to. */
	POLICY_FLOW_LEAVING = 2,
};

/* A flow at a pod's interface, under the tuple of those who began it. */
struct policy_flow_key {
	struct tuple tuple;
	__u32 interface;
	__u32 kind;
};

enum policy_flow_state {
	POLICY_FLOW_REPLIED = 1 << 0,
	POLICY_FLOW_ESTABLISHED = 1 << 1,
	POLICY_FLOW_FIN = 1 << 2,
	POLICY_FLOW_REPLY_FIN = 1 << 3,
	POLICY_FLOW_RESET = 1 << 4,
	POLICY_FLOW_DENIED = 1 << 5,
	/* It would be, by what is rehearsed. */
	POLICY_FLOW_REHEARSED = 1 << 6,
	/* To an address that stands for others: judged where it is known which. */
	POLICY_FLOW_DEFERRED = 1 << 7,
};

struct policy_flow {
	__u64 last_seen;
	/* What it was judged by. */
	__u32 revision;
	__u32 rules;
	__u32 rehearsed;
	__u32 state;
	/* The number of the Gateway that it came through, where the kernel has forwarded it. */
	__u32 gateway;
	/* That denied it. */
	__u32 policy;
};

enum policy_outcome {
	POLICY_DENIED = 0,
	/* Passed, since what would deny it is only rehearsed. */
	POLICY_REHEARSED = 1,
};

struct policy_counter_key {
	__u32 policy;
	__u16 direction;
	__u16 outcome;
};

struct policy_counter {
	__u64 flows;
	__u64 packets;
};

/* Events in a second, for each processor. The rest is counted alone. */
#define POLICY_EVENTS 100

/* What a log line is made of. */
struct policy_event {
	struct tuple tuple;
	/* Of the pod. */
	__u32 interface;
	__u32 policy;
	/* Of the other end. */
	__u32 identity;
	/* The number of the Gateway that it came through; zero: none. */
	__u32 gateway;
	__u16 direction;
	__u16 outcome;
};

/* Why a packet was dropped. The index of the counters. */
enum policy_drop_reason {
	POLICY_DROP_DENIED_INGRESS = 0,
	POLICY_DROP_DENIED_EGRESS = 1,
	POLICY_DROP_POD_NOT_KNOWN = 2,
	POLICY_DROP_NOT_ITS_ADDRESS = 3,
	POLICY_DROP_INTERFACE_NOT_KNOWN = 4,
	POLICY_DROP_UNREADABLE = 5,
	POLICY_DROP_NO_FIRST_FRAGMENT = 6,
	POLICY_DROP_SERVICE_ADDRESS = 7,
	POLICY_DROP_REASONS = 8,
};
