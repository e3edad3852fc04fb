# Every target installs what it needs (as root, from the distribution) and says what it does.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench packages fuzz build

# The real programs that the tests hold Evenkeel against, and the tools that watch them.
PEERS := netcat-openbsd keepalived snmpd snmp snmptrapd dbus iputils-ping python3-aiosmtpd nginx libnginx-mod-stream psmisc procps tcpdump tshark nftables iproute2 util-linux
BUILD := gcc libc6-dev

help: ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

build: ## The release binary, target/release/evenkeel
	@.ci/need $(BUILD)
	cargo build --release --locked

demo: build ## Rehearse the article's pair on this machine: two nodes, one virtual address
	@.ci/need nftables psmisc
	@echo "Rehearsing fixtures/lab/article: two load balancers, two web servers, a client; all in namespaces."
	$(or $(CARGO_TARGET_DIR),target)/release/evenkeel rehearse fixtures/lab/article

check: ## Formatting, clippy, layers: the quick part of `make test`
	@.ci/need $(BUILD)
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

# EVENKEEL_FULL_LOAD=1: reloads, deaths and upgrades under 1,000 connections a second for a minute.
test: check ## Everything: lints, all tests beside the real programs, a short fuzz run, cargo deny
	@.ci/need $(PEERS)
	cargo build --locked
	.ci/deny
	.ci/fuzz
	cargo nextest run --locked --no-fail-fast --test-threads 4 --retries 2

fuzz: ## Each fuzz target for a minute (SECONDS_EACH=n for longer)
	@.ci/need $(BUILD)
	SECONDS_EACH=$${SECONDS_EACH:-60} .ci/fuzz

bench: ## Speed and memory beside the real programs in one run (BENCH=stream or BENCH=vrrp: one half)
	@.ci/need $(BUILD) $(PEERS) haproxy
	cargo bench --locked $(if $(BENCH),--bench $(BENCH),--bench vrrp --bench stream)

packages: ## deb and rpm
	@echo "no packages yet: they are a later piece of work" >&2; exit 1
