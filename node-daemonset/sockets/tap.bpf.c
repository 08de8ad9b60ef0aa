/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the administrative sniffer sees of a packet: it is attached to a packet socket, which then receives nothing itself,
 * since no packet socket can tell the HTB class, and by it the slice, of what leaves.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PACKET_OUTGOING 4
#define SNAP 128 /* as in filter.ts */
#define NOTHING 0

/* Read by tap.ts. */
struct sample {
	__u64 time; /* ns of CLOCK_MONOTONIC */
	__u32 priority; /* HTB class id, major and minor */
	__u32 length;
	__u32 kept; /* bytes of data */
	__u32 lost; /* samples that found no room, since the program was loaded */
	__u8 data[SNAP]; /* from the IP header on */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

__u32 lost;

SEC("socket")
int tap_sent(struct __sk_buff *skb)
{
	struct sample *sample;
	__u32 kept = skb->len;

	if (skb->pkt_type != PACKET_OUTGOING)
		return NOTHING;
	sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);
	if (!sample) {
		__sync_fetch_and_add(&lost, 1);
		return NOTHING;
	}
	sample->time = bpf_ktime_get_ns();
	sample->priority = skb->priority;
	sample->length = kept;
	sample->lost = lost;
	if (kept > SNAP)
		kept = SNAP;
	if (!kept || bpf_skb_load_bytes(skb, 0, sample->data, kept))
		kept = 0;
	sample->kept = kept;
	bpf_ringbuf_submit(sample, 0);
	return NOTHING;
}
