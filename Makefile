# Run `make` to see what it can do. Tools are pinned in go.mod and tools/go.mod;
# the first call of each builds it (buf and golangci-lint take minutes, once).

MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOOL := go tool -modfile=tools/go.mod
# AGAINST is the revision that `make breaking` compares the contract with.
AGAINST ?= main
# FUZZTIME is how long `make fuzz` spends on each target.
FUZZTIME ?= 10s
# BENCH and COUNT choose the benchmarks of `make bench` and their repetitions.
BENCH ?= .
COUNT ?= 1
# DOCKER builds the image: docker, podman, or another with the same arguments.
DOCKER ?= docker
VERSION ?= $(shell git describe --tags --always --dirty)

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

# A file target, so that the imports are printed again only when a pin changes.
.protoimports: tools/go.mod tools/protoimports/main.go
	@rm -rf $@
	go -C tools run ./protoimports ../$@

.PHONY: generate
generate: .protoimports ## Format the protos and generate api/ from them
	$(TOOL) buf format --write proto
	$(TOOL) buf generate

.PHONY: check-generate
check-generate: .protoimports ## Fail if api/ is not what proto/ generates
	@generated=$$(mktemp -d); trap 'rm -rf "$$generated"' EXIT; \
	$(TOOL) buf generate --output "$$generated"; \
	diff -rq api "$$generated/api" || \
		{ echo "api/ is out of date: run 'make generate' and commit the result" >&2; exit 1; }

# Foreign protos are not in git, so buf cannot compare with a revision itself:
# lay that revision's proto/ beside today's imports and compare with the image.
.PHONY: breaking
breaking: .protoimports ## Fail if the contract breaks callers of AGAINST (default main)
	@git rev-parse --verify --quiet "$(AGAINST)^{commit}" >/dev/null || \
		{ echo "no revision $(AGAINST): name one with AGAINST=" >&2; exit 1; }; \
	if ! git cat-file -e "$(AGAINST):proto" 2>/dev/null; then \
		echo "nothing to compare with: $(AGAINST) has no proto/"; exit 0; \
	fi; \
	reference=$$(mktemp -d); trap 'rm -rf "$$reference"' EXIT; \
	git archive "$(AGAINST)" proto | tar -x -C "$$reference"; \
	cp -r .protoimports buf.yaml "$$reference"; \
	$(TOOL) buf build "$$reference/proto" --output "$$reference/image.binpb"; \
	$(TOOL) buf breaking proto --against "$$reference/image.binpb"

.PHONY: lint
lint: .protoimports ## Lint the Go code and the protos
	$(TOOL) golangci-lint run
	$(TOOL) buf lint proto
	$(TOOL) buf format --diff --exit-code proto

.PHONY: test
test: ## Run the tests
	go test ./...

.PHONY: race
race: ## Run the tests under the race detector
	go test -race ./...

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 10s)
	@go test -list '^Fuzz' ./... | \
		awk '/^Fuzz/ {target[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print $$2, target[i]; n = 0}' | \
		while read -r package target; do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
		done

.PHONY: bench
bench: ## Run the benchmarks (BENCH=regexp COUNT=n); compare two outputs with benchstat
	@go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

.PHONY: bench-server
bench-server: ## Measure the server beside a bare echo, as ratios
	go run ./server/benchserver

.PHONY: overload
overload: ## Give the server four times its load for a minute
	go test -run TestOverload -v -count 1 ./server -overload 1m

.PHONY: image
image: ## Build the container image adjutant:VERSION
	$(DOCKER) build --build-arg VERSION=$(VERSION) --tag adjutant:$(VERSION) .

.PHONY: check
check: lint check-generate breaking test race ## Everything that must hold before a merge
	go mod tidy -diff
