/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What becomes of a packet. */
#pragma once

#include <linux/pkt_cls.h>

#include "maps.h"

/* Nothing yet. Neither a value that a program returns (TC_ACT_*) nor a reason to drop. */
#define PROCEED 1000

/* Whoever is next at this hook, and after them the node's network stack. The same as TCX_NEXT. */
#define PASS TC_ACT_UNSPEC

static __always_inline int drop(enum drop_reason reason)
{
	__u32 index = reason;
	__u64 *count = bpf_map_lookup_elem(&drops, &index);

	if (count)
		*count += 1;
	return TC_ACT_SHOT;
}
