/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A program that no kernel takes: it calls a helper that there is not, as one for a newer kernel would. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static long (*missing)(void) = (void *)9999;

SEC("cgroup_skb/egress")
int refused(struct __sk_buff *skb)
{
	return missing();
}
