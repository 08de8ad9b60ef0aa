# Node 24 and all tools are npm packages: only make, npm and any Node that runs npm must be there before.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# npm writes this file at the end of every install
INSTALLED := node_modules/.package-lock.json

.PHONY: demo down test check clean

# a real cluster, slivers on it, and a table of what each was promised and got
demo: $(INSTALLED)
	node test/demo/main.ts

# every cluster of ours goes, with all that it made; Kubernetes' binaries stay in the cache
down: $(INSTALLED)
	node test/cluster/main.ts down all

test: $(INSTALLED)
	node test/main.ts

# types, lint, format, generated files, layout
check: $(INSTALLED)
	node test/check.ts

clean: down
	rm -rf node_modules coverage

$(INSTALLED): package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	touch $@
