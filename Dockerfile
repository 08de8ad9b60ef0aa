# One image, three entry points: the operator by default, the node manager with the argument node-daemonset/main.ts, its
# page with node-daemonset/audit/page/main.ts.

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && find node_modules \( -name '*.d.ts' -o -name '*.map' \) -delete

# the kernel's programs, and what slivers find in /run/slice
FROM debian:bookworm-slim AS programs
RUN apt-get update \
 && apt-get install -y --no-install-recommends make clang llvm libbpf-dev gcc libc6-dev
WORKDIR /app
COPY Makefile ./
COPY node-daemonset node-daemonset
RUN make programs

FROM debian:bookworm-slim
# what the node manager starts: tc, ip, ss; nft, iptables-save, conntrack; mount, umount; ping, traceroute. The libraries are Node's, and libbpf.
RUN apt-get update \
 && apt-get install -y --no-install-recommends iproute2 nftables iptables conntrack util-linux mount iputils-ping traceroute libatomic1 libstdc++6 libbpf1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json tsconfig.json ./
COPY crds crds
COPY kube kube
COPY operator operator
COPY --from=programs /app/node-daemonset node-daemonset
# the owner's command: kubectl exec ds/...-node -- slice-node
RUN ln -s /app/node-daemonset/owner/main.ts /usr/local/bin/slice-node
# the operator needs no privilege; the chart makes the node manager root
USER 65532:65532
ENTRYPOINT ["node"]
CMD ["operator/main.ts"]
