/** Somebody else's program on what leaves by an interface, for as long as this process lives. */
import { check, libbpf } from '../../node-daemonset/bpf/libbpf.ts';
import { TCX_EGRESS } from '../../node-daemonset/bpf/links.ts';
import { interfaceIndex } from '../../node-daemonset/bpf/netns.ts';
import { loadObject } from '../../node-daemonset/bpf/object.ts';

const [path, device] = process.argv.slice(2);
const [program] = loadObject(path!, '').programs;
check(libbpf().bpf_link_create(program!.fd, interfaceIndex(device!), TCX_EGRESS, null), 'it could not be attached');
console.log('attached');
process.stdin.resume();
