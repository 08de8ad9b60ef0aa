#!/bin/bash
# The first process of a node. Called by node.ts inside the node's network namespace:  node.sh DIR NAME
# Stage 1 enters the node's cgroups (DIR/cgroups: one line each, "cgroup mountpoint type options") and makes its other namespaces.
# Stage 2 is pid 1 in there: it gives the node its own /var, /run, /etc, /sys, then starts what is asked for through DIR/start:
# a line "kubelet" runs the command in DIR/kubelet.argv (one argument a line). When it dies, the kernel kills all of the node.
set -eu
dir=$1 name=$2

if [ "${3:-}" != inside ]; then
  while read -r cgroup _; do echo $$ > "$cgroup/cgroup.procs"; done < "$dir/cgroups"
  exec unshare --mount --uts --cgroup --pid --fork --kill-child --mount-proc --propagation private "$0" "$dir" "$name" inside
fi

hostname "$name"
mkdir -p "$dir"/var/{lib,log,tmp,cache} "$dir/etc.upper" "$dir/etc.work" "$dir/sysctl" "$dir/log"
ln -sfn /run "$dir/var/run"

# /etc: the machine's, with this node's changes in etc.upper. Everything else that a node writes is in /var and /run.
mount -t overlay -o "lowerdir=/etc,upperdir=$dir/etc.upper,workdir=$dir/etc.work" overlay /etc
mount --bind "$dir/var" /var
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns

# sysfs of this network namespace; cgroup mounts whose root is this node's cgroup
umount -R -l /sys
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
if ! grep -q ' /sys/fs/cgroup cgroup2 ' "$dir/cgroups"; then mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup; fi
while read -r _ mountpoint type options; do
  mkdir -p "$mountpoint"
  if [ "$type" = cgroup2 ]; then mount -t cgroup2 cgroup2 "$mountpoint"; else mount -t cgroup -o "$options" cgroup "$mountpoint"; fi
done < "$dir/cgroups"

# The kubelet insists on these settings, which belong to the whole machine: it finds them as it wants them, in files of the
# node's own. And a boot id, so that a node that is stopped and started has visibly been rebooted.
setting() { echo "$2" > "$dir/sysctl/${1//\//.}"; mount --bind "$dir/sysctl/${1//\//.}" "/proc/sys/$1"; }
setting vm/overcommit_memory 1
setting vm/panic_on_oom 0
setting kernel/panic 10
setting kernel/panic_on_oops 1
setting kernel/keys/root_maxkeys 1000000
setting kernel/keys/root_maxbytes 25000000
setting kernel/random/boot_id "$(cat /proc/sys/kernel/random/uuid)"

mount --make-rshared /   # mounts that pods make (Bidirectional) reach the node, and no further
export AWS_EC2_METADATA_DISABLED=true   # or an old kubelet looks for Amazon's credentials for six seconds
rm -f "$dir/start"
mkfifo -m 600 "$dir/start"
exec 3<> "$dir/start"    # open for both, so that there is never an end of file
touch "$dir/booted"
while read -r component <&3; do
  mapfile -t argv < "$dir/$component.argv"
  "${argv[@]}" < /dev/null >> "$dir/log/$component.log" 2>&1 3>&- &
done
