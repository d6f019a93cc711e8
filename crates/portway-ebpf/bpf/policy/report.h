/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Counting denials, and telling user space of them. */
#pragma once

#include "scratch.h"

static __always_inline void tell_of(struct policy_scratch *scratch, __u16 outcome)
{
	const struct policy_question *question = &scratch->question;
	struct policy_event *event = &scratch->event;
	__u64 second = scratch->now >> 30;

	if (scratch->event_second != second) {
		scratch->event_second = second;
		scratch->events = 0;
	}
	scratch->events += 1;
	if (scratch->events > POLICY_EVENTS)
		return;
	event->tuple = scratch->key.tuple;
	event->interface = scratch->key.interface;
	event->policy = question->policy;
	event->identity = question->identity;
	event->gateway = question->gateway;
	event->direction = (__u16)question->direction;
	event->outcome = outcome;
	bpf_ringbuf_output(&policy_events, event, sizeof(*event), 0);
}

/* Counts a packet for the policy of scratch->question, and the flow that it begins. */
static __noinline int count_outcome(struct policy_scratch *scratch, __u32 outcome, __u32 is_new)
{
	const struct policy_question *question = &scratch->question;
	struct policy_counter_key key = {};
	struct policy_counter *counter, zero = {};

	key.policy = question->policy;
	key.direction = (__u16)question->direction;
	key.outcome = (__u16)outcome;
	counter = bpf_map_lookup_elem(&policy_counters, &key);
	if (!counter) {
		bpf_map_update_elem(&policy_counters, &key, &zero, BPF_NOEXIST);
		counter = bpf_map_lookup_elem(&policy_counters, &key);
	}
	if (counter) {
		counter->flows += is_new;
		counter->packets += 1;
	}
	if (is_new)
		tell_of(scratch, (__u16)outcome);
	return 0;
}
