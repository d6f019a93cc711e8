/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where a packet is judged: one place for each processor, as in ../scratch.h. */
#pragma once

#include <linux/pkt_cls.h>

#include "../packet.h"
#include "maps.h"

/* Whoever is next at this hook. The same as TCX_NEXT. */
#define PASS TC_ACT_UNSPEC

/* What rules are asked. */
struct policy_question {
	/* The other end: its address, and who has it. */
	struct address address;
	__u32 identity;
	/* Rules, and those that are only rehearsed. */
	__u32 rules;
	__u32 rehearsed;
	__u32 direction;
	/* The number of the Gateway that it came through, whose proxies are the peer then, and the address is its client's. */
	__u32 gateway;
	/* The answer: who denies it, or would. */
	__u32 policy;
};

struct policy_scratch {
	struct packet packet;
	/* The packet that an ICMP error is about. */
	struct packet quoted;
	struct policy_flow_key key;
	/* An entry on its way into a map. */
	struct policy_flow entry;
	struct policy_question question;
	/* On its way to user space. */
	struct policy_event event;
	__u64 now;
	/* The second, roughly, in which events are counted, and how many there were. */
	__u64 event_second;
	__u32 events;
	__u8 is_icmp;
	__u8 reserved[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_scratch);
} policy_scratches SEC(".maps");

static __always_inline struct policy_scratch *find_policy_scratch(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&policy_scratches, &index);
}

static __always_inline const struct policy_settings *find_policy_settings(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&policy_settings, &index);
}

static __always_inline int drop_for(enum policy_drop_reason reason)
{
	__u32 index = reason;
	__u64 *count = bpf_map_lookup_elem(&policy_drops, &index);

	if (count)
		*count += 1;
	return TC_ACT_SHOT;
}
