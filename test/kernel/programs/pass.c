/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A program of somebody else's on an interface, which lets everything pass: nobody after it is asked. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int pass(struct __sk_buff *skb)
{
	return 0;
}
