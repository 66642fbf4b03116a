.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# What a build says of itself. A commit ends with -dirty where the tree was changed after it; SOURCE_DATE_EPOCH goes before
# the commit's time, as https://reproducible-builds.org says.
VERSION ?= $(shell git describe --tags --exact-match 2>/dev/null)
COMMIT ?= $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
DATE ?= $(shell TZ=UTC0 $(if $(SOURCE_DATE_EPOCH),date -u -d @$(SOURCE_DATE_EPOCH) +%Y-%m-%dT%H:%M:%SZ,git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null))
BIN ?= bin
IMAGE ?= sluice
FUZZTIME ?= 10s
FAULT_TIME ?= 5m
FAULT_SEED ?=
SOAK_TIME ?= 30m
RUNS ?= 10000
FLOOD ?= 10s
SEED ?= 1
SIZE ?= 1000x1000
VALUES ?= charts/testdata/values/cluster.yaml
TOOLS := .tools
# Days of simulated rollouts, five times as quick without the race detector: what runs side by side in them is raced by the
# tests of the packages themselves, and by make test/race.
SIMULATIONS := ./internal/simulation ./internal/gatebench
# Real daemons that mostly wait for leases to end: beside the other tests they take little time of their own, unless the race
# detector makes each of them slow. make test/race has it on them too.
DAEMONS := ./internal/e2e ./internal/demo ./internal/browsertest
# Takes its turn after the daemons, so that two processors have about the same to do.
SLOW := ./store
# Nothing runs side by side in the format of profiles; what does in Git and in the forges' clients is raced by the tests of
# reconciler and cmd/sluice, which use them; the others are what tests are made of, and measurements.
QUICK := ./profile ./gitsource/... ./forge/... ./internal/testenv ./bench
UNRACED := $(SIMULATIONS) $(DAEMONS) $(QUICK)

# The race detector looks at everything but SQLite, which is C translated to Go, two packages that shift bytes one by one, and
# the hash of passwords, which is made to be slow: under it they take up to twenty times as long, and it finds nothing of ours there. A package that shares generic code of
# sync or atomic with others must not be here: the linker may take its copy for all, and the detector then sees races that
# there are not.
UNWATCHED := modernc.org/sqlite/lib compress/flate hash/adler32 golang.org/x/crypto/argon2
RACE := -race $(foreach package,$(UNWATCHED),-gcflags='$(package)=-race=false -d=checkptr=0')

# The API suite runs on SQLite with the others, and once more on PostgreSQL.
API_ON_POSTGRES := SLUICE_TEST_ENGINE=postgres go test -vet=off -count=1 -timeout 20m ./api

# The chart, and the image with the Compose files, each in a module of its own.
CHART := (cd charts && go test -vet=off -timeout 20m ./...)
CHECKS := (cd deploy/checks && go test -vet=off -timeout 20m ./...)
# Programs that people run already, against the daemon: a module of its own too. What they import does not tell when the daemon is
# another, so no result is kept.
CLIENTS := (cd clients && go test -vet=off -count=1 -timeout 20m ./...)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## See it all in a minute: good change, bad change, fix, kill -9; a cluster with DATABASE_URL= and REDIS_URL=
	@bin/sluice demo $(if $(DATABASE_URL),--database-url '$(DATABASE_URL)') $(if $(REDIS_URL),--redis-url '$(REDIS_URL)')

# Of one commit and one Go come the same bytes, in whatever folder and on whatever machine: no paths, nothing of .git but
# what is said here, no C. Without the debugger's tables (-s -w) it is a third smaller; the traces of a panic stay.
.PHONY: build
build: ## Build bin/sluice
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)' -o $(BIN)/ ./cmd/sluice

.PHONY: image
image: ## Build the container image IMAGE (sluice), tagged with its version or commit
	docker build --build-arg VERSION='$(VERSION)' --build-arg COMMIT='$(COMMIT)' --build-arg DATE='$(DATE)' -t '$(IMAGE):$(or $(VERSION),$(COMMIT))' .

.PHONY: sbom
sbom: build ## Write dist/sluice.cdx.json: every module in the program, by version and hash (CycloneDX)
	mkdir -p dist
	cd deploy/checks && go run ./sbom ../../$(BIN)/sluice '$(or $(VERSION),$(COMMIT))' >../../dist/sluice.cdx.json

.PHONY: reproducible
reproducible: ## Build the last commit twice, in two folders and from nothing, and compare the bytes (minutes)
	deploy/reproducible.sh

# One package at a time in each half: what is too much at once makes a database late, and tests of what is answered in time
# then find that it is not. The linters do what vet would do again here.
.PHONY: test
test: test-deps ## Run every test, with the race detector but for the simulations and the daemons, after getting what they need
	go test -vet=off -timeout 20m $(SIMULATIONS)
	go build $(RACE) ./...
	export TMPDIR="$$(internal/testenv/scratch.sh)"; \
	{ failed=0; go test -vet=off -p 1 -timeout 60m $(DAEMONS) || failed=1; \
	  go test $(RACE) -vet=off -timeout 30m $(SLOW) || failed=1; exit $$failed; } & beside=$$!; \
	failed=0; go test $(RACE) -vet=off -p 1 -timeout 30m $$(go list ./... | grep -vxFf <(go list $(UNRACED) $(SLOW))) || failed=1; \
	go test -vet=off -p 1 -timeout 20m $(QUICK) || failed=1; $(API_ON_POSTGRES) || failed=1; $(CHART) || failed=1; $(CHECKS) || failed=1; $(CLIENTS) || failed=1; wait $$beside || failed=1; exit $$failed

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

# A module of its own. Vet would look at all of Helm and Kubernetes for its sake, which takes as long as building them.
.PHONY: chart/test
chart/test: ## Lint and render the Helm chart, and try it on the types of the Kubernetes API
	$(CHART)

.PHONY: chart/template
chart/template: ## Show what the chart renders to; builds Helm first, which takes minutes (VALUES=charts/testdata/values/cluster.yaml)
	cd charts && go tool helm template sluice sluice --namespace sluice --values '$(abspath $(VALUES))'

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

# At full size the scenarios need a machine for themselves. With PROFILES= each server leaves its profiles in that folder.
.PHONY: bench
bench: test-deps ## Measure everything beside its floor, in some ten minutes, and write docs/performance.md and docs/capacity.md again
	SLUICE_BENCH_INTO='$(abspath docs/performance.md)' SLUICE_BENCH_PROFILES='$(PROFILES)' go test -vet=off -timeout 40m -count=1 -v -run 'TestScenarios$$' ./bench

.PHONY: bench/go
bench/go: ## Run the Go benchmarks, for benchstat
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

.PHONY: bench/dashboard
bench/dashboard: test-deps ## Measure the dashboard in a browser (SIZE=1000x1000 instances and profiles)
	SLUICE_DASHBOARD_SIZE=$(SIZE) go test -vet=off -timeout 20m -count=1 -v -run 'ManyOfEverything$$' ./internal/browsertest 2>&1 | grep -aE '^(--- |ok|FAIL|panic)|_test\.go:'

.PHONY: cover
cover: test-deps ## Measure the coverage of every package by its own tests, and write coverage.html
	go test -vet=off -timeout 30m -coverprofile=coverage.out ./...
	@go tool cover -func=coverage.out | awk '/^total:/ {print "total", $$NF}'
	@go tool cover -html=coverage.out -o coverage.html

.PHONY: screenshots
screenshots: test-deps ## Run the demo with a browser open, and take the pictures of docs/screenshots again
	mkdir -p docs/screenshots
	SLUICE_SCREENSHOTS='$(abspath docs/screenshots)' go test -vet=off -timeout 20m -count=1 -run 'TestDemo$$' ./internal/demo

.PHONY: docs
docs: ## Write the generated parts of docs/ again
	go test ./internal/settings ./profile ./cmd/sluice -run TestReference -update
	go test ./internal/e2e -run 'TestWatching$$' -update
	go test ./api/compat -run TestReference -update
	cd clients && go test -vet=off . -update
	go run ./deploy/grafana
	cd charts && go test -vet=off . -update # last: it copies what the others wrote

.PHONY: tidy
tidy: ## Tidy all modules
	go mod tidy
	cd charts && go mod tidy
	cd tools && go mod tidy
	cd deploy/checks && go mod tidy
	cd clients && go mod tidy

.PHONY: vulncheck
vulncheck: $(TOOLS)/govulncheck ## Check for known vulnerabilities (asks vuln.go.dev)
	$(TOOLS)/govulncheck ./...

# The tools have a module of their own, so that what they need is not in ours.
$(TOOLS)/golangci-lint: tools/go.mod tools/go.sum
	cd tools && go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/govulncheck: tools/go.mod tools/go.sum
	cd tools && go build -o ../$@ golang.org/x/vuln/cmd/govulncheck
