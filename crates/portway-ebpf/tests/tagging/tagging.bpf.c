/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* For tests: gives packets a tag (bpf/tag.h), as the balancing programs do, and as somebody else would like to. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tagged_for SEC(".maps");

/* Runs a program on the packet with its mark as the tag, which a test run cannot set. */
SEC("classifier/tag")
int tag(struct __sk_buff *skb)
{
	skb->tc_index = skb->mark;
	skb->mark = 0;
	bpf_tail_call(skb, &tagged_for, 0);
	return TC_ACT_STOLEN;
}

/* At the interface of a client or a pod: judged, rewritten, and through the Gateway that has the first number. */
SEC("classifier/forge")
int forge(struct __sk_buff *skb)
{
	skb->tc_index = 0xc001;
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
