/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the programs and user space share: the keys and values of the maps, and the numbers in them.
 * The Rust side is src/layout.rs; it is compared with the type information of the object before that is loaded.
 *
 * No structure has padding that the compiler would choose: keys are compared byte by byte, and padding is not
 * initialised. Addresses and ports are in network byte order, all else is in the machine's.
 */
#pragma once

#include <linux/types.h>

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2): one layout for both, and the
 * same checksum difference, since the prefix cancels out. */
struct address {
	__u32 words[4];
};

/* What tells a flow from others. Source and destination follow each other as in a packet. */
struct tuple {
	struct address source;
	struct address destination;
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 reserved[3];
};

/* A listener: an address of a Gateway, with port and protocol. */
struct service_key {
	struct address address;
	__u16 port;
	__u8 protocol;
	__u8 reserved;
};

enum service_flags {
	/* The client's address alone chooses the endpoint, not its port. */
	SERVICE_SOURCE_AFFINITY = 1 << 0,
	/* Only a SYN begins a TCP flow: a connection that is under way already is one of the node's own proxy, which
	 * listens at the same address. */
	SERVICE_BESIDE_PROXY = 1 << 1,
};

struct service {
	/* Never used a second time. */
	__u32 id;
	__u32 flags;
};

/* Slots of a table that is consulted for a new flow. A prime (the Maglev paper, section 3.4). */
#define MAGLEV_SLOTS 65537
/* In a slot: new flows that come here are refused. */
#define ENDPOINT_REFUSE 0

struct maglev {
	__u32 endpoints[MAGLEV_SLOTS];
};

enum endpoint_flags {
	/* It is at an address of this node itself: packets go up the node's own network stack. */
	ENDPOINT_ON_NODE = 1 << 0,
	/* Its replies would not come through this node of themselves: packets leave with the node's address as
	 * source, and the endpoint does not see the client's. */
	ENDPOINT_MASQUERADE = 1 << 1,
	/* It is on another node, whose programs choose the same one, and which is a neighbour: packets go there as they
	 * are, and replies to the client do not come back here (direct server return). */
	ENDPOINT_ON_NEIGHBOUR = 1 << 2,
};

/* An endpoint stays here while flows may use it. Which endpoints new flows get is in the tables alone. */
struct endpoint {
	struct address address;
	__u16 port;
	__u16 flags;
	/* Whose it is: an address behind two listeners is two endpoints. */
	__u32 service;
	/* The node's address on the way to it, for packets that do not keep their client's. Unspecified: the one in
	 * the settings. */
	struct address source;
	/* The node that it is on, with ENDPOINT_ON_NEIGHBOUR. */
	struct address node;
	/* For network policy: the number of the Gateway that its clients come through (tag.h). Zero: it is the Gateway's own
	 * proxy, or nobody asks. */
	__u32 gateway;
};

/* An Ethernet address. */
struct link_address {
	__u8 octets[6];
	__u8 reserved[2];
};

enum flow_direction {
	FLOW_FROM_CLIENT = 0,
	FLOW_FROM_ENDPOINT = 1,
};

/* What has happened in a flow so far. Bits are only ever added, so that two processors cannot undo each other's. */
enum flow_state {
	FLOW_REPLIED = 1 << 0,
	/* The client has answered the reply: its address is not forged. */
	FLOW_ESTABLISHED = 1 << 1,
	FLOW_FIN_FROM_CLIENT = 1 << 2,
	FLOW_FIN_FROM_ENDPOINT = 1 << 3,
	FLOW_RESET = 1 << 4,
};

/* One direction of a flow, under the tuple that packets of this direction arrive with. Every flow has two. */
struct flow {
	/* The tuple that packets of the other direction arrive with. Reversed, it is what packets of this one leave
	 * with. */
	struct tuple other;
	/* Nanoseconds of the monotonic clock, to some milliseconds. */
	__u64 last_seen;
	/* When state and last_seen were last carried to the other direction. */
	__u64 told_other;
	__u64 packets;
	__u64 bytes;
	__u32 service;
	__u32 endpoint;
	__u32 state;
	__u32 direction;
	/* For network policy: who the client is, and the revision of the policies that admitted the flow. Zero. */
	__u32 client_identity;
	__u32 policy_revision;
};

/* What later fragments of a datagram have in common with its first, which alone names the ports. */
struct fragment_key {
	struct address source;
	struct address destination;
	__u32 identification;
	__u8 protocol;
	__u8 reserved[3];
};

struct fragment {
	__u16 source_port;
	__u16 destination_port;
};

struct service_counters {
	__u64 flows;
	__u64 packets_from_client;
	__u64 bytes_from_client;
	__u64 packets_from_endpoint;
	__u64 bytes_from_endpoint;
};

/* An address that this node announces at an interface. */
struct announced_key {
	struct address address;
	__u32 interface;
};

struct announced {
	/* The interface's own. */
	__u8 link_address[6];
	__u8 reserved[2];
};

/* One entry. */
struct settings {
	/* Of this node, as source towards endpoints with ENDPOINT_MASQUERADE. Unspecified: there is none. */
	struct address node_ipv4;
	struct address node_ipv6;
	/* Nanoseconds without a packet after which a flow is forgotten. */
	__u64 tcp_established_timeout;
	__u64 tcp_transitory_timeout;
	__u64 tcp_closed_timeout;
	__u64 udp_timeout;
	__u64 udp_replied_timeout;
	/* Nanoseconds since the agent's last sign of life after which it is taken for dead. */
	__u64 announcer_silence;
	/* Source ports of masqueraded flows: the first (in the machine's byte order), and how many. */
	__u32 masquerade_first_port;
	__u32 masquerade_ports;
};

/* Why a packet that was ours to forward was dropped. The index of the counters. */
enum drop_reason {
	DROP_HEADER_CUT_SHORT = 0,
	DROP_NO_ENDPOINT = 1,
	DROP_ENDPOINT_GONE = 2,
	DROP_NO_SOURCE_PORT = 3,
	DROP_FLOW_TABLE = 4,
	DROP_NO_ROUTE = 5,
	DROP_FORWARDING_DISABLED = 6,
	DROP_HOP_LIMIT = 7,
	DROP_TOO_BIG = 8,
	DROP_REWRITE = 9,
	DROP_REASONS = 10,
};
