# Neutrino Gateway: what people type. `make run` and `make test` work on a fresh Debian 12 with the Swift toolchain.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The release build is linked with the standard library in it, so that the binary runs where Swift is not installed. Exclusive access is
# not checked at run time, in packages neither (Package.swift says so of our own targets): a tenth of the CPU at saturation. The debug
# build has the checks, and the tests run there.
RELEASE := -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
BUILD_RELEASE := .build/release

# What the build and the tests need, as Debian packages; `setup` installs what is missing and says nothing otherwise.
PACKAGES := libsqlite3-dev libcurl4-openssl-dev zlib1g-dev pkg-config curl python3 openssl
TEST_PACKAGES := chromium chromium-driver python3-venv nginx-light systemd
GUARD_PACKAGES := valgrind binutils
BENCH_PACKAGES := wrk haproxy nginx-light sqlite3
DEB_PACKAGES := dpkg-dev binutils
# For `make verify`: a Debian without anything, what a program asks of the kernel, and who finds fault with packages and units.
VERIFY_PACKAGES := debootstrap strace lintian $(DEB_PACKAGES)

# Of what was built for debugging.
BROWSER_TESTS := NEUTRINO_BIN=$(CURDIR)/.build/debug .venv/bin/python -m unittest discover --start-directory Tests/Browser

# Manifests, images, unit and package, against their schemas and the program.
DEPLOY_TESTS := NEUTRINO_BIN=$(CURDIR)/.build/debug .venv/bin/python -m unittest discover --start-directory Tests/Deploy

# Pods and clients of raw bytes that misbehave, before a gateway that is a process.
FAULT_TESTS := NEUTRINO_BIN=$(CURDIR)/.build/debug .venv/bin/python -W ignore -m unittest discover --start-directory Tests/Faults/wire

# Requests that are not plainly one request, over the real listener; what is accepted is replayed to h11, httptools and nginx.
WIRE_FUZZ := .venv/bin/python Tests/Fuzz/wire.py

# That what it is held against finds what is wrong.
JUDGE_TESTS := .venv/bin/python -m unittest discover --start-directory Tests/Fuzz

# The gateway before API servers of Kubernetes.
KUBERNETES_TESTS := NEUTRINO_BIN=$(CURDIR)/.build/debug .venv/bin/python -m unittest discover --start-directory Tests/Kubernetes

# The admin API, driven from its document.
DOCUMENT_TESTS := .venv/bin/python Tests/Schemathesis/run.py --binary .build/debug/neutrino-gateway

.PHONY: help setup setup-test setup-bench setup-verify run build release deb test test-browser test-deploy test-faults manifests lint format fuzz soak sanitize bench bench-guard measure curves verify clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## Install the Debian packages that are missing.
	@./Scripts/install-packages $(PACKAGES)

setup-test: setup
	@./Scripts/install-packages $(TEST_PACKAGES)
	@./Scripts/install-python Tests/Browser/requirements.txt
	@./Scripts/install-python Tests/Schemathesis/requirements.txt
	@./Scripts/install-python Tests/Deploy/requirements.txt
	@./Scripts/install-python Tests/Fuzz/requirements.txt
	@./Scripts/install-python Tests/Kubernetes/requirements.txt

setup-bench: setup-test
	@./Scripts/install-packages $(BENCH_PACKAGES)
	@./Scripts/install-python Tests/Benchmarks/requirements.txt

setup-verify: setup-bench
	@./Scripts/install-packages $(VERIFY_PACKAGES)
	@./Scripts/install-python deploy/examples/fastapi/requirements.txt

build: setup ## Build everything for debugging, tests included.
	swift build --build-tests

release: setup ## Build the release binaries.
	swift build $(RELEASE) --product neutrino-gateway
	swift build $(RELEASE) --product neutrino-pod

deb: release ## Make a Debian package of it, in .build/deb.
	@./Scripts/install-packages $(DEB_PACKAGES)
	@./Scripts/build-deb .build/deb

run: release ## Build a release and run the demo: a gateway and three task pods on embedded defaults.
	$(BUILD_RELEASE)/neutrino-gateway demo $(ARGS)

test: setup-test ## Run the tests; ARGS="--filter Admin" runs some.
	swift build --build-tests
	./Scripts/run-tests $(ARGS)
	$(if $(ARGS),,$(DOCUMENT_TESTS))
	$(if $(ARGS),,$(KUBERNETES_TESTS))
	$(if $(ARGS),,$(BROWSER_TESTS))
	$(if $(ARGS),,$(DEPLOY_TESTS))
	$(if $(ARGS),,$(FAULT_TESTS))
	$(if $(ARGS),,$(JUDGE_TESTS))
	$(if $(ARGS),,NEUTRINO_BIN=$(CURDIR)/.build/debug $(WIRE_FUZZ) --count 1500 --seconds 20)
	$(if $(ARGS),,NEUTRINO_BIN=$(CURDIR)/.build/debug $(WIRE_FUZZ) --count 200 --sidecar)

test-deploy: setup-test ## Run the tests of what is in deploy/.
	swift build --product neutrino-gateway
	$(DEPLOY_TESTS)

test-browser: setup-test ## Run the tests of the operators' page in Chromium.
	swift build --build-tests
	$(BROWSER_TESTS)

manifests: ## Render deploy/kubernetes with kustomize, after a change of it.
	./Scripts/render-manifests

lint: ## Check formatting, without changing anything.
	swift format lint --strict --recursive Package.swift Plugins Sources Tests

format: ## Format the sources.
	swift format --in-place --recursive Package.swift Plugins Sources Tests

bench: release setup-bench ## Compare with HAProxy, nginx, Envoy, vllm-router and smg on this machine.
	swift build -c release --package-path Tests/Benchmarks
	python3 Tests/Benchmarks/bench.py $(ARGS)

curves: release setup-bench ## Draw docs/curves.svg: what changes as something grows.
	swift build $(RELEASE) --product neutrino-measure
	swift build -c release --package-path Tests/Benchmarks
	@./Scripts/install-python Tests/Measurements/requirements.txt
	.venv/bin/python Tests/Measurements/curves.py $(ARGS)

measure: setup ## Measure the store and a dispatch decision by themselves.
	swift build $(RELEASE) --product neutrino-measure
	$(BUILD_RELEASE)/neutrino-measure store --rows 1000000
	$(BUILD_RELEASE)/neutrino-measure decision
	$(BUILD_RELEASE)/neutrino-measure decision --waiting 10000

bench-guard: setup ## Count the instructions of the data path's pure parts and hold them against what is written down.
	@./Scripts/install-packages $(GUARD_PACKAGES)
	swift build $(RELEASE) --product neutrino-measure
	./Scripts/bench-guard $(ARGS)

test-faults: setup-test ## Run the tests of pods and clients that misbehave.
	swift build
	$(FAULT_TESTS)

fuzz: release setup-test ## Fuzz the codec and the listener; ARGS="COUNT SEED" (10,000,000 inputs from seed 1).
	swift build -c release --product neutrino-fuzz
	./Scripts/fuzz $(ARGS)

soak: release ## Load, faults and kills for half an hour, then the accounts; ARGS="--kill-every 0" without kills.
	python3 Tests/Soak/soak.py $(ARGS)

sanitize: setup ## Run the tests under the address and the thread sanitizer; ARGS="address" for one of them.
	./Scripts/sanitize $(ARGS)

verify: release setup-verify ## Run every line of "It shows" and print bar and figure.
	swift build $(RELEASE) --product neutrino-measure
	@./Scripts/promtool --version >/dev/null
	swift build -c release --package-path Tests/Benchmarks
	python3 Tests/Verify/verify.py $(ARGS)

clean: ## Remove what was built.
	rm -rf .build .build-address .build-thread .venv Tests/Benchmarks/.build bench-results
