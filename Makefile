.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VERSION ?= $(shell git describe --tags --exact-match 2>/dev/null)
FUZZTIME ?= 10s
FAULT_TIME ?= 5m
FAULT_SEED ?=
SOAK_TIME ?= 30m
RUNS ?= 10000
FLOOD ?= 10s
SEED ?= 1
TOOLS := .tools
# Real daemons, which mostly wait for leases to end unless the race detector makes each of them slow, and days of simulated
# rollouts, five times as quick without it: what runs side by side in them is raced by the tests of the packages themselves,
# and by make test/race.
UNRACED := ./internal/e2e ./internal/demo ./internal/testenv ./internal/simulation ./internal/gatebench

# The race detector looks at everything but SQLite, which is C translated to Go, and two packages that shift bytes one by one:
# under it they take up to twenty times as long, and it finds nothing of ours there. A package that shares generic code of
# sync or atomic with others must not be here: the linker may take its copy for all, and the detector then sees races that
# there are not.
UNWATCHED := modernc.org/sqlite/lib compress/flate hash/adler32
RACE := -race $(foreach package,$(UNWATCHED),-gcflags='$(package)=-race=false -d=checkptr=0')

# The API suite runs on SQLite with the others, and once more on PostgreSQL.
API_ON_POSTGRES := SLUICE_TEST_ENGINE=postgres go test -vet=off -count=1 -timeout 20m ./api

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## See it all in a minute: good change, bad change, fix, kill -9; a cluster with DATABASE_URL= and REDIS_URL=
	@bin/sluice demo $(if $(DATABASE_URL),--database-url '$(DATABASE_URL)') $(if $(REDIS_URL),--redis-url '$(REDIS_URL)')

.PHONY: build
build: ## Build bin/sluice
	go build $(if $(VERSION),-ldflags '-X main.version=$(VERSION)') -o bin/ ./cmd/sluice

# The daemons wait while the others work, who therefore let them go first. The linters do what vet would do again here.
.PHONY: test
test: test-deps ## Run every test, with the race detector but for the simulations and the daemons, after getting what they need
	{ failed=0; go test -vet=off -timeout 20m $(UNRACED) || failed=1; $(API_ON_POSTGRES) || failed=1; exit $$failed; } & beside=$$!; \
	failed=0; nice -n 5 go test $(RACE) -vet=off -timeout 20m $$(go list ./... | grep -vxFf <(go list $(UNRACED))) || failed=1; \
	wait $$beside || failed=1; exit $$failed

.PHONY: test/race
test/race: test-deps ## Hunt for races and flakes: every test three times, in random order
	go test $(RACE) -timeout 60m -count=3 -shuffle=on ./...

.PHONY: test/faults
test/faults: test-deps ## Replicas under every fault: kills, pauses, cuts, full disks (FAULT_TIME=5m of random ones, FAULT_SEED= to replay)
	SLUICE_FAULT_TIME=$(FAULT_TIME) SLUICE_FAULT_SEED=$(FAULT_SEED) \
		go test $(RACE) -timeout 60m -count=1 -v -run 'Cluster|Faults|Killed|Disk|Restore' ./internal/e2e 2>&1 | grep -aE '^(=== NAME|--- |ok|FAIL|panic)|_test\.go:'

.PHONY: soak
soak: test-deps ## Random faults for a long time (SOAK_TIME=30m)
	SLUICE_FAULT_TIME=$(SOAK_TIME) SLUICE_FAULT_SEED=$(FAULT_SEED) go test -timeout 0 -count=1 -v -run 'TestFaults$$' ./internal/e2e

.PHONY: test/guards
test/guards: test-deps ## Take one guard away at a time: a test must miss it (minutes; GUARD=epoch for one)
	go run ./internal/guards $(GUARD)

.PHONY: test-deps
test-deps: ## Get what the tests need beside Go (Debian as root), or say what to install
	@internal/testenv/setup.sh

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run the linters
	$(TOOLS)/golangci-lint run ./...

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## Format the code
	$(TOOLS)/golangci-lint fmt ./...

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s)
	@for pkg in $$(go list ./...); do \
		targets=$$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); \
		for target in $$targets; do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done

.PHONY: bench
bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench/gate
bench/gate: ## Measure the gate on simulated fleets, and write the table of docs/gate.md again (RUNS=10000, SEED=1)
	go run ./internal/gatebench -runs $(RUNS) -seed $(SEED) -into docs/gate.md

.PHONY: bench/webhooks
bench/webhooks: test-deps ## Flood three replicas with webhooks, a thousand a second (FLOOD=10s), and roll back meanwhile
	SLUICE_WEBHOOK_FLOOD=$(FLOOD) go test -timeout 30m -count=1 -v -run 'ClusterUnderAFloodOfWebhooks$$' ./internal/e2e 2>&1 | grep -aE '^(--- |ok|FAIL|panic)|_test\.go:'

.PHONY: bench/emergency
bench/emergency: test-deps ## Flood the API with Redis, forge and metrics away, and pause and roll back meanwhile (FLOOD=10s)
	SLUICE_API_FLOOD=$(FLOOD) go test -timeout 30m -count=1 -v -run 'EmergencyDoorUnderAFlood$$' ./internal/e2e 2>&1 | grep -aE '^ *(--- |ok|FAIL|panic)|_test\.go:'

.PHONY: bench/api
bench/api: test-deps ## Measure the API under a hundred canaries, on both engines, beside the floors of docs/api.md
	for engine in sqlite postgres; do echo "$$engine"; \
		SLUICE_API_LATENCY=$$engine go test -timeout 30m -count=1 -v -run 'LatencyUnderConcurrentDeployments$$' ./internal/e2e 2>&1 | grep -aE '^ *(--- |ok|FAIL|panic)|_test\.go:'; done

.PHONY: cover
cover: test-deps ## Measure the coverage of every package by its own tests, and write coverage.html
	go test -vet=off -timeout 30m -coverprofile=coverage.out ./...
	@go tool cover -func=coverage.out | awk '/^total:/ {print "total", $$NF}'
	@go tool cover -html=coverage.out -o coverage.html

.PHONY: docs
docs: ## Write the generated parts of docs/ again
	go test ./internal/settings -run TestReference -update

.PHONY: tidy
tidy: ## Tidy both modules
	go mod tidy
	cd tools && go mod tidy

.PHONY: vulncheck
vulncheck: $(TOOLS)/govulncheck ## Check for known vulnerabilities (asks vuln.go.dev)
	$(TOOLS)/govulncheck ./...

# The tools have a module of their own, so that what they need is not in ours.
$(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	cd tools && go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/govulncheck: tools/go.mod tools/go.sum
	cd tools && go build -o ../$@ golang.org/x/vuln/cmd/govulncheck
