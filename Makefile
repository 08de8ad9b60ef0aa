# Node 24 and all tools are npm packages: only make, npm and any Node that runs npm must be there before.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# npm writes this file at the end of every install
INSTALLED := node_modules/.package-lock.json

.PHONY: demo down test check nightly programs bpf clients clean

# a real cluster, slivers on it, and a table of what each was promised and got
demo: $(INSTALLED)
	node test/demo/main.ts

# every cluster of ours goes, with all that it made; Kubernetes' binaries stay in the cache
down: $(INSTALLED)
	node test/cluster/main.ts down all

test: $(INSTALLED)
	node test/main.ts

# random histories of rights and of sites' pools, fifty times as many as in `make test`
nightly: $(INSTALLED)
	LEDGER_RUNS=100000 mocha --timeout 3600000 test/node-daemonset/admission/history.test.ts test/node-daemonset/admission/order.test.ts test/operator/site/books-history.test.ts

# types, lint, format, generated files, layout
check: $(INSTALLED)
	node test/check.ts

# what is written in C: needs make, a C compiler, and what bpf needs
programs: bpf clients

# what slivers find in /run/slice
CLIENT := node-daemonset/sockets/client
clients:
	$(MAKE) --no-print-directory -C $(CLIENT)

# the programs for the kernel: needs clang, llvm-strip, libbpf-dev
BPF := node-daemonset/bpf
bpf: $(patsubst %.c,%.o,$(wildcard node-daemonset/*/*.bpf.c))

%.bpf.o: %.bpf.c $(wildcard $(BPF)/*.h)
	clang -O2 -g -Wall -Werror -target bpf -mcpu=v3 -I/usr/include/$(shell uname -m)-linux-gnu -c $< -o $@.new
	llvm-strip -g $@.new
	mv $@.new $@

clean: down
	rm -rf node_modules coverage node-daemonset/*/*.bpf.o $(CLIENT)/build

$(INSTALLED): package-lock.json
	# quiet: it would warn that the Node that runs npm is not the 24 that it is about to install
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@
