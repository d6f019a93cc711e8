/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What programs tell each other of a packet on its way through the node, in the field that traffic control has for an index.
 * It survives routing, bridging, segmentation and fragmentation. */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>

/* We have rewritten it and sent it on: it is not looked at again on its way out. */
#define TAG_REWRITTEN 0x5057
/* Network policy: the pod that sent it may. What comes from a pod without this tag has to be judged. */
#define TAG_JUDGED 0x8000

static __always_inline void tag_rewritten(struct __sk_buff *skb)
{
	skb->tc_index = (skb->tc_index & TAG_JUDGED) | TAG_REWRITTEN;
}

static __always_inline bool is_rewritten(const struct __sk_buff *skb)
{
	return (skb->tc_index & ~(__u32)TAG_JUDGED) == TAG_REWRITTEN;
}

/* Leaves only what network policy has said of it. */
static __always_inline void untag_rewritten(struct __sk_buff *skb)
{
	skb->tc_index &= TAG_JUDGED;
}
