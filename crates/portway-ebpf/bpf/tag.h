/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What programs tell each other of a packet on its way through the node, in the field that traffic control has for an index.
 * It survives routing, bridging, segmentation and fragmentation. */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>

/* Network policy: the pod that sent it may. What comes from a pod without this tag has to be judged. */
#define TAG_JUDGED 0x8000
/* We have rewritten it and sent it on: it is not looked at again on its way out. */
#define TAG_REWRITTEN 0x4000
/* The number of the Gateway that it came through: what these bits hold. Zero: none. Whatever comes in by an interface begins
 * without, so that nobody but these programs can have set them. */
#define TAG_GATEWAY 0x3fff

static __always_inline void tag_rewritten(struct __sk_buff *skb, __u32 gateway)
{
	skb->tc_index = (skb->tc_index & TAG_JUDGED) | TAG_REWRITTEN | (gateway & TAG_GATEWAY);
}

static __always_inline bool is_rewritten(const struct __sk_buff *skb)
{
	return skb->tc_index & TAG_REWRITTEN;
}

/* For a packet that comes in: leaves only what network policy has said of it. */
static __always_inline void untag(struct __sk_buff *skb)
{
	skb->tc_index &= TAG_JUDGED;
}

/* For a packet that goes out. Network policy, which is behind us there, asks for its Gateway. */
static __always_inline void untag_rewritten(struct __sk_buff *skb)
{
	skb->tc_index &= TAG_JUDGED | TAG_GATEWAY;
}
