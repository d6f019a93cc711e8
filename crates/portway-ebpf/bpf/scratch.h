/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where a packet is worked on. The stack of a program has no more than 512 bytes; this is one place for each processor,
 * on which no second packet is begun before the first is done (bottom halves are disabled at both hooks). */
#pragma once

#include "maps.h"
#include "packet.h"

/* Bytes of a packet that an ICMP error quotes at most: room for IPv4 with all its options, or IPv6 with some extension
 * headers, and enough of the transport header for the sender to find its socket. */
#define QUOTED_BYTES 128

struct icmp_answer {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__u32 mtu;
	__u8 quoted[QUOTED_BYTES];
};

struct scratch {
	struct packet packet;
	/* The packet that an ICMP error is about. */
	struct packet quoted;
	/* The tuple that packets of the other direction of the flow arrive with. */
	struct tuple other;
	/* What a packet leaves with. */
	struct tuple to;
	/* The node that the packet is left to. Unspecified: it goes to where its new destination says. */
	struct address via;
	/* An entry on its way into a map. */
	struct flow entry;
	/* The second, roughly, in which answers are counted, and how many there were. */
	__u64 answer_second;
	__u32 answers;
	struct icmp_answer answer;
	/* The number of the Gateway that the packet came through. */
	__u32 gateway;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch_space SEC(".maps");

static __always_inline struct scratch *find_scratch(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&scratch_space, &index);
}
