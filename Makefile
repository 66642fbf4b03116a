.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

VERSION ?= $(shell git describe --tags --exact-match 2>/dev/null)
FUZZTIME ?= 10s
TOOLS := .tools

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## See it all in a minute: good change, bad change, fix, kill -9
	bin/sluice demo

.PHONY: build
build: ## Build bin/sluice
	go build $(if $(VERSION),-ldflags '-X main.version=$(VERSION)') -o bin/ ./cmd/sluice

.PHONY: test
test: test-deps ## Run every test with the race detector, after getting what they need
	go test -race -timeout 20m -coverprofile=coverage.out ./...

.PHONY: test/race
test/race: test-deps ## Hunt for races and flakes: every test three times, in random order
	go test -race -timeout 60m -count=3 -shuffle=on ./...

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

.PHONY: cover
cover: ## Show the coverage of the last make test, package by package, and write coverage.html
	@test -f coverage.out || { echo "run make test first" >&2; exit 1; }
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
