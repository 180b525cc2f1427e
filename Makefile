# make run    builds the server and runs it without configuration: mail to any domain is printed as an event
# make test   everything: unit tests with the race detector, fuzzing for a moment, real peers, kills, faults
# make lint   what CI demands of the text
SHELL := /bin/bash
.DELETE_ON_ERROR:

BIN     := bin
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/letterhook
TOOLS   := $(CACHE)/bin
RELEASE ?= $(shell git describe --tags --dirty --always 2>/dev/null)

GOLANGCI_LINT := $(TOOLS)/golangci-lint-v2.15.0
VERSITYGW     := $(TOOLS)/versitygw-v1.8.0
OAPI_CODEGEN  := $(TOOLS)/oapi-codegen-v2.8.2
COMPOSE_SPEC  := $(TOOLS)/compose-spec-v2.16.2
KUBE_VALIDATE := $(TOOLS)/kubectl-validate-v0.0.4

FUZZTIME ?= 20000x
KILLS    ?= 10

# Fuzzing builds everything that a package imports once more, with counters in it; for SQLite and the S3 client that takes
# longer than the whole rest of the tests. So `make test` fuzzes the rooms that read strangers' bytes first and import
# neither, the seeds of all targets run with the unit tests, and `make soak` fuzzes everything.
FUZZED := ./inbound ./inbound/clientlist ./inbound/guard ./inbound/mailauth ./inbound/scan ./parser ./parser/reply ./parser/tnef ./parser/calendar ./parser/report

export CGO_ENABLED := 0

.PHONY: build
build: ## build the program: static, for any Linux
	go build -trimpath -ldflags "-s -w -X main.release=$(RELEASE)" -o $(BIN)/letterhook ./cmd/letterhook

.PHONY: run
run: build ## run without configuration; ARGS="--forward URL" and the like
	$(BIN)/letterhook dev $(ARGS)

.PHONY: test
test: unit fuzz e2e ## everything

.PHONY: unit
unit: services ## every package but the slow ones, with the race detector
	PATH="$(TOOLS)/current:$$PATH" CGO_ENABLED=1 go test -race -timeout 20m $$(go list ./... | grep -v /cmd/letterhook/e2e)

.PHONY: e2e
e2e: services ## the whole program: real peers, kills, faults of disk and bucket
	PATH="$(TOOLS)/current:$$PATH" LETTERHOOK_KILLS=$(KILLS) go test -timeout 30m ./cmd/letterhook/e2e/...

.PHONY: fuzz
fuzz: ## every fuzz target of inbound and parser for FUZZTIME, a time or a number of tries like 20000x
	.ci/fuzz $(FUZZTIME) $(FUZZED)

.PHONY: man
man: build ## manual pages in bin/man1 and completions of shells in bin/completions
	$(BIN)/letterhook man $(BIN)/man1
	mkdir -p $(BIN)/completions
	for shell in bash zsh fish; do $(BIN)/letterhook completion $$shell > $(BIN)/completions/letterhook.$$shell; done

.PHONY: generate
generate: $(OAPI_CODEGEN) ## the client of the API that the command line uses, from the operations of the API
	mkdir -p $(TOOLS)/current && ln -sf $(OAPI_CODEGEN) $(TOOLS)/current/oapi-codegen
	PATH="$(TOOLS)/current:$$PATH" go generate ./cmd/letterhook/apiclient

.PHONY: services
services: $(VERSITYGW) $(OAPI_CODEGEN) $(COMPOSE_SPEC) $(KUBE_VALIDATE) ## what the tests need beside Go: a mail server, a trace, an S3 server, a browser
	.ci/services
	.ci/peers $(CACHE)/peers
	.ci/npm dispatch/format/testdata/peers/node $(CACHE)/npm
	.ci/npm cmd/letterhook/testdata/axe $(CACHE)/axe
	.ci/npm admin/api/testdata/lint $(CACHE)/redocly
	mkdir -p $(TOOLS)/current && ln -sf $(VERSITYGW) $(TOOLS)/current/versitygw
	ln -sf $(OAPI_CODEGEN) $(TOOLS)/current/oapi-codegen
	ln -sf $(COMPOSE_SPEC) $(TOOLS)/current/compose-spec
	ln -sf $(KUBE_VALIDATE) $(TOOLS)/current/kubectl-validate

.PHONY: lint
lint: $(GOLANGCI_LINT) ## format, vet, linters, module file, static build
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags crashpoints ./cmd/...
	go mod tidy -diff
	$(GOLANGCI_LINT) run

.PHONY: scores
scores: ## what the parser makes of mail that others collected; CORPUS=dir for a corpus of your own, ARGS=-differences to see rows
	$(if $(CORPUS),CORPUS=$(abspath $(CORPUS))) go test -count=1 -v ./parser/scores -args $(ARGS)
	$(if $(CORPUS),CORPUS=$(abspath $(CORPUS))) go test -count=1 -v -run TestParseTwice ./cmd/letterhook

.PHONY: bench
bench: build ## figures of this machine
	$(BIN)/letterhook bench $(ARGS)

.PHONY: screenshots
screenshots: services ## the pictures of the documentation, in docs/images
	mkdir -p docs/images
	LETTERHOOK_SCREENSHOTS=$(CURDIR)/docs/images go test -count=1 -run TestScreenshots ./cmd/letterhook

.PHONY: soak
soak: services ## hours: many kills under load, hostile mail of 50 MB, a million pending deliveries, searches of a million messages, every fuzz target for ten minutes
	LETTERHOOK_SOAK=1 go test -count=1 -run TestHostileAtFullSize -v ./parser
	LETTERHOOK_SOAK=1 go test -count=1 -timeout 0 -run TestClaimCostIsConstant -v ./dispatch
	LETTERHOOK_SOAK=1 go test -count=1 -timeout 0 -run TestSearchAMillion -v ./storage
	go test -count=1 -timeout 0 -run TestSchedulerHoldsModel ./dispatch -rapid.checks=5000
	go test -count=1 -timeout 0 -run TestLeasesHoldModel ./storage/lease -rapid.checks=5000
	LETTERHOOK_CHAOS=3 PATH="$(TOOLS)/current:$$PATH" go test -count=1 -timeout 0 -run TestNodesInTrouble -v ./cmd/letterhook/e2e/
	LETTERHOOK_KILLS=500 go test -timeout 0 -run TestKilledAtRandom -v ./cmd/letterhook/e2e/
	.ci/fuzz 10m $$(go list ./...)

.PHONY: bench-backlog
bench-backlog: ## millions of pending deliveries on PostgreSQL, endpoints that hang, a plain queue beside; ARGS="-rounds 3" and the like
	LETTERHOOK_POSTGRES_DIR=$(or $(TMPDIR),/tmp) go test -run NONE -bench Backlog -benchtime 1x -timeout 0 -v ./dispatch $(ARGS)

.PHONY: bench-churn
bench-churn: ## what the queue takes on the disk in steady churn on PostgreSQL, and with an old snapshot; ARGS="-churn 2m" and the like
	LETTERHOOK_POSTGRES_DIR=$(or $(TMPDIR),/tmp) go test -run NONE -bench Churn -benchtime 1x -timeout 0 -v ./dispatch $(ARGS)

.PHONY: bench-nodes
bench-nodes: build services ## one server and three on PostgreSQL and S3 beside the embedded database; ARGS="rounds messages rate"
	PATH="$(TOOLS)/current:$$PATH" .ci/bench-nodes $(BIN)/letterhook $(ARGS)

.PHONY: clean
clean: ## what make made here
	rm -rf $(BIN)

.PHONY: help
help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(GOLANGCI_LINT):
	.ci/tool github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0 $@

$(VERSITYGW):
	.ci/tool github.com/versity/versitygw/cmd/versitygw v1.8.0 $@

$(OAPI_CODEGEN):
	.ci/tool github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen v2.8.2 $@

$(COMPOSE_SPEC):
	.ci/tool github.com/compose-spec/compose-go/v2/cmd v2.16.2 $@

$(KUBE_VALIDATE):
	.ci/tool sigs.k8s.io/kubectl-validate v0.0.4 $@
