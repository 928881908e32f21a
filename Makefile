# Skald. `make help` lists the targets.
#
#   CC, CFLAGS, LDFLAGS   yours; what the build itself needs stands in SKALD_*
#   SAN=address,undefined or SAN=thread   sanitizers, in a build folder of their own
#   DASHBOARD=0           builds without the dashboard, and so without Node
#   WERROR=1              warnings are errors (continuous integration)
#   V=1                   shows the commands

SHELL = /bin/bash
CC ?= cc
CFLAGS ?= -O2 -g
prefix ?= /usr/local
bindir ?= $(prefix)/bin
libexecdir ?= $(prefix)/libexec
includedir ?= $(prefix)/include
libdir ?= $(prefix)/lib
VERSION := $(shell cat VERSION)

empty :=
comma := ,
space := $(empty) $(empty)
BUILD ?= build/$(if $(SAN),$(subst $(comma),-,$(SAN)),release)
Q := $(if $(V),,@)

PACKAGES := jansson libmicrohttpd libcurl yaml-0.1 sqlite3 libcrypto hiredis libpq rdkafka
# What has to be there before anything can be compiled; `make deps` installs it.
DEBIAN_PACKAGES := gcc libc6-dev pkg-config libjansson-dev libmicrohttpd-dev libcurl4-openssl-dev \
	libyaml-dev libsqlite3-dev libssl-dev libhiredis-dev libpq-dev librdkafka-dev check
# The dashboard is built with Node, unless a release tarball has brought it built.
DASHBOARD_DIST := $(wildcard coordinator/dashboard/dist/index.html)
DASHBOARD_NEEDS_NODE := $(if $(filter 0 no,$(DASHBOARD)),,$(if $(DASHBOARD_DIST),,1))
# By command, because Node often comes from elsewhere than Debian, and then conflicts with its packages.
DEBIAN_NODE_PACKAGES = $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)
# What `make check` needs beside them; formatter and linter are pinned.
DEBIAN_CHECK_PACKAGES := clang-format-14 clang-tidy-14 curl jq procps redis-server postgresql sqlite3 \
	openjdk-17-jre-headless maven python3 tzdata
# The tests in a browser: any Chromium, and Node, wherever they come from.
CHROMIUM_FOUND = $(or $(CHROMIUM),$(shell command -v chromium || command -v chromium-browser || command -v google-chrome))
DEBIAN_BROWSER_PACKAGES = $(if $(CHROMIUM_FOUND),,chromium) $(DEBIAN_NODE_PACKAGES)

SKALD_CFLAGS := -std=gnu11 -pthread -I. -D_GNU_SOURCE -DSKALD_VERSION='"$(VERSION)"' \
	-Wall -Wextra -Wshadow -Wvla -Wswitch-enum -Wmissing-prototypes -Wformat=2 \
	-Wno-missing-field-initializers -Wno-sign-compare -fno-omit-frame-pointer \
	$(if $(WERROR),-Werror -Wno-error=deprecated-declarations) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
SKALD_LDFLAGS := -pthread $(if $(SAN),-fsanitize=$(SAN))
ifneq ($(filter-out help clean deps,$(or $(MAKECMDGOALS),all)),)
# Missing libraries are named by `require`, with the package that has them.
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null)
endif

SAGAS_SRC := $(wildcard sagas/*.c sagas/base/*.c)
CONNECTORS_SRC := $(wildcard connectors/*.c)
COORDINATOR_SRC := $(filter-out coordinator/main.c,$(wildcard coordinator/*.c coordinator/*/*.c))
# Compiled in as data: what the server serves and migrates, and the examples for `skald dev`.
SCHEMA_FILES := $(wildcard schemas/*.json schemas/events/*.json schemas/*/*.sql) \
	$(filter-out %.test.yaml,$(wildcard examples/*/*.yaml))
TEST_SUPPORT_SRC := $(wildcard tests/support/*.c)
UNIT_SRC := $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c)
TOOL_SRC := $(wildcard tests/tools/*.c)
SIM_SRC := $(wildcard tests/sim/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
EXAMPLE_SRC := $(wildcard examples/*/participants/*.c)
EXAMPLE_SUPPORT_SRC := $(wildcard examples/participant/*.c)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIBS := $(BUILD)/libcoordinator.a $(BUILD)/libconnectors.a $(BUILD)/libsagas.a
UNIT_BIN := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
TOOL_BIN := $(patsubst %.c,$(BUILD)/%,$(TOOL_SRC))
FUZZ_BIN := $(patsubst %.c,$(BUILD)/%,$(FUZZ_SRC))
EXAMPLE_BIN := $(patsubst %.c,$(BUILD)/%,$(EXAMPLE_SRC))

.PHONY: all
all: $(BUILD)/skald examples ## builds the binary and the example participants

.PHONY: examples
examples: $(EXAMPLE_BIN)

.PHONY: require
require:
	@command -v $(firstword $(CC)) >/dev/null || { echo "no C compiler; on Debian and Ubuntu: make deps"; exit 1; }
	@command -v pkg-config >/dev/null || { echo "pkg-config is missing; on Debian and Ubuntu: make deps"; exit 1; }
	@for p in $(PACKAGES); do pkg-config --exists $$p || { echo "library $$p is missing; on Debian and Ubuntu: make deps (installs: $(DEBIAN_PACKAGES))"; exit 1; }; done

$(BUILD)/skald: $(BUILD)/coordinator/main.o $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(SKALD_LDFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

$(BUILD)/libsagas.a: $(call obj,$(SAGAS_SRC))
$(BUILD)/libconnectors.a: $(call obj,$(CONNECTORS_SRC)) $(BUILD)/schemas/embedded.o
$(BUILD)/libcoordinator.a: $(call obj,$(COORDINATOR_SRC)) $(BUILD)/coordinator/dashboard_files.o
$(BUILD)/libparticipant.a: $(call obj,$(EXAMPLE_SUPPORT_SRC))
$(BUILD)/libtest.a: $(call obj,$(TEST_SUPPORT_SRC))
$(BUILD)/%.a:
	@echo "  AR    $@"
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) crs $@ $^

$(BUILD)/%.o: %.c | require
	@echo "  CC    $<"
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(SKALD_CFLAGS) $(PKG_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/schemas/embedded.c: schemas/embed.sh $(SCHEMA_FILES)
	@mkdir -p $(@D)
	$(Q)schemas/embed.sh $(SCHEMA_FILES) > $@.tmp && mv $@.tmp $@
$(BUILD)/schemas/embedded.o: $(BUILD)/schemas/embedded.c | require
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(SKALD_CFLAGS) $(CFLAGS) -c -o $@ $<

# The dashboard as finished files: $(BUILD)/dashboard/index.html, and its assets beside it. Packages
# are kept in the build folder, and shared by the builds with sanitizers.
DASHBOARD_SRC := coordinator/dashboard
DASHBOARD_MODULES := build/dashboard-packages
DASHBOARD_BUILT := $(if $(filter 0 no,$(DASHBOARD)),,$(BUILD)/dashboard/index.html)
.PHONY: dashboard
dashboard: $(DASHBOARD_BUILT) ## builds the dashboard's files; `make` does it by itself
ifneq ($(DASHBOARD_DIST),)
$(BUILD)/dashboard/index.html: $(DASHBOARD_DIST)
	@mkdir -p $(@D)
	$(Q)rm -rf $(@D) && cp -R $(DASHBOARD_SRC)/dist $(@D) && touch $@
else
$(DASHBOARD_MODULES)/package-lock.json: $(DASHBOARD_SRC)/package-lock.json $(DASHBOARD_SRC)/package.json
	$(Q)$(DASHBOARD_SRC)/install.sh $(DASHBOARD_SRC) $(DASHBOARD_MODULES)
	$(Q)touch $@
$(BUILD)/dashboard/index.html: $(DASHBOARD_MODULES)/package-lock.json $(DASHBOARD_SRC)/build.mjs \
		$(DASHBOARD_SRC)/index.html $(shell find coordinator/dashboard/src -type f)
	@echo "  UI    $(@D)"
	$(Q)node $(DASHBOARD_SRC)/build.mjs $(@D) $(DASHBOARD_MODULES)/node_modules
endif

# The dashboard's files, as data. $(DASHBOARD_BUILT) is what says that they are all there; without it
# there are none. What stands in the file is compared, and not its age, for DASHBOARD may have changed.
.PHONY: dashboard-files
$(BUILD)/coordinator/dashboard_files.c: coordinator/dashboard_embed.sh $(DASHBOARD_BUILT) dashboard-files
	@mkdir -p $(@D)
	$(Q)coordinator/dashboard_embed.sh "$(if $(DASHBOARD_BUILT),$(BUILD)/dashboard)" > $@.tmp
	$(Q)if cmp -s $@.tmp $@; then rm $@.tmp; else mv $@.tmp $@; fi
$(BUILD)/coordinator/dashboard_files.o: $(BUILD)/coordinator/dashboard_files.c coordinator/dashboard.h | require
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(SKALD_CFLAGS) $(CFLAGS) -c -o $@ $<

# ThreadSanitizer knows nothing of C11's threads, which librdkafka uses.
SAN_OBJ := $(if $(filter thread,$(SAN)),$(BUILD)/tests/support/threads/c11_threads.o)
$(UNIT_BIN): $(BUILD)/%: $(BUILD)/%.o $(SAN_OBJ) $(BUILD)/libtest.a $(BUILD)/libparticipant.a $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(SKALD_LDFLAGS) $(LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS) -lm
$(TOOL_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libtest.a $(BUILD)/libparticipant.a $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(SKALD_LDFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm
$(BUILD)/tests/sim/sim: $(call obj,$(SIM_SRC)) $(BUILD)/libtest.a $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(SKALD_LDFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm
# For workers in C: installed, and used by one of the examples.
$(BUILD)/libskald_worker.a: $(BUILD)/connectors/worker_client.o
	@echo "  AR    $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(EXAMPLE_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libparticipant.a $(BUILD)/libskald_worker.a
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(SKALD_LDFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

.PHONY: unit
unit: $(UNIT_BIN) ## builds and runs the unit tests, beside a Postgres and a Kafka of their own
	$(Q)SERVICES="postgres kafka" POSTGRES_SETTINGS='fsync = off' LANES=3 tests/services.sh run tests/run $(UNIT_BIN)

# Those whose code has threads, for SAN=thread.
UNIT_THREADS_BIN := $(filter $(BUILD)/tests/unit/connectors/% $(BUILD)/tests/unit/coordinator/%,$(UNIT_BIN))
.PHONY: unit-threads
unit-threads: $(UNIT_THREADS_BIN)
	$(Q)SERVICES="postgres kafka" POSTGRES_SETTINGS='fsync = off' LANES=3 tests/services.sh run tests/run $(UNIT_THREADS_BIN)

.PHONY: dashboard-unit
dashboard-unit: ## runs the unit tests of the dashboard's modules, in Node
	$(Q)tests/run $(sort $(wildcard tests/unit/coordinator/dashboard/test_*.mjs))

.PHONY: definition-tests
definition-tests: $(BUILD)/skald ## runs the tests of the examples' definitions (skald test)
	$(Q)$(BUILD)/skald test examples $(wildcard tests/definitions)

.PHONY: scenarios
scenarios: $(BUILD)/tests/tools/scenario ## runs the scenario files (tests/scenarios)
	$(Q)$(BUILD)/tests/tools/scenario $(sort $(wildcard tests/scenarios/*.yaml))

# FUZZ_MAIN is empty where libFuzzer brings a main of its own.
FUZZ_MAIN = $(BUILD)/tests/fuzz/main.o
$(FUZZ_BIN): $(BUILD)/%: $(BUILD)/%.o $(FUZZ_MAIN) $(BUILD)/libtest.a $(LIBS)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(SKALD_LDFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

.PHONY: fuzz-replay fuzz-build
fuzz-build: $(FUZZ_BIN)
fuzz-replay: $(FUZZ_BIN) ## runs the fuzz targets over their corpora
	$(Q)tests/fuzz/replay $(FUZZ_BIN)

FUZZ_CC ?= $(firstword $(notdir $(wildcard /usr/bin/clang /usr/bin/clang-14 /usr/bin/clang-18)) clang)
FUZZ_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
.PHONY: fuzz
fuzz: ## fuzzes with clang's libFuzzer, FUZZ_SECONDS=60 each (FUZZ="expr json_text" to choose)
	$(Q)$(MAKE) --no-print-directory -s BUILD=build/fuzz CC=$(FUZZ_CC) FUZZ_MAIN= fuzz-build \
		CFLAGS="-O1 -g $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link" LDFLAGS="-fsanitize=fuzzer"
	$(Q)tests/fuzz/run "build/fuzz" "$(or $(FUZZ_SECONDS),60)" $(FUZZ)

# The same seeds each time, and a few that change from day to day.
SEEDS ?= 5000
SEED_BASE ?= 1
.PHONY: sim
sim: $(BUILD)/tests/sim/sim ## simulates SEEDS=5000 runs with faults, from SEED_BASE=1 on
	$(Q)$(BUILD)/tests/sim/sim --first $$(date +%Y%m%d0000) --seeds 100 --jobs $$(nproc)
	$(Q)$(BUILD)/tests/sim/sim --first $(SEED_BASE) --seeds $(SEEDS) --jobs $$(nproc)

.PHONY: soak
soak: $(BUILD)/tests/sim/sim $(BUILD)/tests/unit/sagas/test_decide ## simulates SEEDS= runs that nobody has seen before
	$(Q)DAG_STEPS=4 $(BUILD)/tests/unit/sagas/test_decide
	$(Q)$(BUILD)/tests/sim/sim --first $$(date +%s0000000) --seeds $(SEEDS) --jobs $$(nproc)

.PHONY: campaign
campaign: all $(TOOL_BIN) ## breaks Postgres, Redis, Kafka and nodes under load: SAGAS=5000 FAULTS=120 RECORDS=20000 SEED=
	$(Q)SAGAS=$(or $(SAGAS),5000) FAULTS=$(or $(FAULTS),120) CLIENTS=12 BUILD="$(BUILD)" tests/e2e/faults.sh
	$(Q)RECORDS=$(or $(RECORDS),20000) SECONDS_OF_LOAD=120 NODES=4 BUILD="$(BUILD)" tests/e2e/kafka_campaign.sh

.PHONY: mutants
mutants: ## puts mistakes into a copy of the tree; tests have to find each
	$(Q)MAKE="$(MAKE)" tests/mutants/sim.sh
	$(Q)MAKE="$(MAKE)" tests/mutants/postgres.sh
	$(Q)MAKE="$(MAKE)" tests/mutants/sqlite.sh
	$(Q)MAKE="$(MAKE)" tests/mutants/redis.sh
	$(Q)MAKE="$(MAKE)" tests/mutants/kafka.sh
	$(Q)MAKE="$(MAKE)" tests/mutants/reads.sh
	$(Q)MAKE="$(MAKE)" tests/mutants/batches.sh
	$(Q)MAKE="$(MAKE)" tests/mutants/children.sh

.PHONY: bench
bench: SCENARIOS = $(or $(SCENARIO),http3 http3-undo kafka-start kafka3 operators workers timers)
bench: all $(TOOL_BIN) ## measures: SCENARIO="http3 http3-undo kafka-start kafka3 operators workers timers" STORE=sqlite CONCURRENCY="1 64" SECONDS=5 RECORDS=40000 N=100000 IDLE=1000
	$(Q)$(if $(filter-out kafka% operators workers timers,$(SCENARIOS)),tests/bench/run "$(BUILD)" \
		"$(filter-out kafka% operators workers timers,$(SCENARIOS))" "$(or $(STORE),sqlite)" \
		"$(or $(CONCURRENCY),1 64)" "$(or $(SECONDS),5)",:)
	$(Q)$(if $(filter kafka%,$(SCENARIOS)),tests/bench/kafka "$(BUILD)" \
		"$(filter kafka%,$(SCENARIOS))" "$(or $(STORE),sqlite)" "$(or $(RECORDS),40000)",:)
	$(Q)$(if $(filter workers,$(SCENARIOS)),tests/bench/workers "$(BUILD)" "$(or $(STORE),sqlite)" \
		"$(or $(CONCURRENCY),1 64)" "$(or $(SECONDS),5)" "$(or $(IDLE),1000)",:)
	$(Q)$(if $(filter operators,$(SCENARIOS)),tests/bench/operators "$(BUILD)" \
		"$(or $(N),100000)" "$(or $(REQUESTS),50)",:)
	$(Q)$(if $(filter timers,$(SCENARIOS)),tests/bench/timers "$(BUILD)" 10000 "$(or $(STORE),sqlite)" 10,:)

.PHONY: bench-timers
bench-timers: all $(TOOL_BIN) ## measures how late timers fire that are due within a minute, and that none is early: N=100000 STORE="sqlite postgres"
	$(Q)tests/bench/timers "$(BUILD)" "$(or $(N),100000)" "$(or $(STORE),sqlite postgres)"

.PHONY: bench-operators
bench-operators: all $(TOOL_BIN) ## measures the API behind the dashboard on a Postgres full of sagas: N=1000000 REQUESTS=50
	$(Q)tests/bench/operators "$(BUILD)" "$(or $(N),1000000)" "$(or $(REQUESTS),50)"

.PHONY: bench-sleepers
bench-sleepers: all $(TOOL_BIN) ## measures a store full of sleeping sagas: N=1000000 STORE="sqlite postgres"
	$(Q)tests/bench/sleepers "$(BUILD)" "$(or $(N),1000000)" "$(or $(STORE),sqlite postgres)"

.PHONY: bench-operators-sqlite
bench-operators-sqlite: all $(TOOL_BIN) ## measures what operators ask of a SQLite store full of sagas: N=1000000
	$(Q)tests/bench/operators_sqlite "$(BUILD)" "$(or $(N),1000000)"

.PHONY: lint
lint: $(BUILD)/libsagas.a ## layers, purity, format and the like (tests/lint)
	$(Q)BUILD="$(BUILD)" tests/run $(sort $(wildcard tests/lint/*.sh))

.PHONY: e2e
e2e: all $(TOOL_BIN) ## end to end, on the built binary (tests/e2e)
	$(Q)BUILD="$(BUILD)" JOBS=2 tests/run $(sort $(filter-out %/lib.sh,$(wildcard tests/e2e/*.sh)))

.PHONY: browser
browser: all ## the dashboard in a real Chromium (tests/browser); screenshots go to $(BUILD)/screenshots
	$(Q)BUILD="$(BUILD)" CHROMIUM="$(CHROMIUM_FOUND)" tests/browser/run

.PHONY: pictures
pictures: all ## makes the pictures of README and docs from the running program
	$(Q)coordinator/dashboard/install.sh tests/browser build/browser-packages
	$(Q)BUILD="$(BUILD)" CHROMIUM="$(CHROMIUM_FOUND)" node docs/generate-pictures.mjs

.PHONY: check
check: deps deps-check ## all tests, with what they need installed; ends with "N passed, N failed"
	$(Q)MAKE="$(MAKE)" tests/check

.PHONY: demo
demo: deps ## an order that completes and one that undoes itself, before your eyes
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)BUILD="$(BUILD)" examples/demo.sh

.PHONY: demo-kafka
demo-kafka: deps ## orders that come as records, on brokers that Skald brings with it
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)BUILD="$(BUILD)" examples/order-events/demo.sh

.PHONY: deps-check
deps-check:
	$(Q)tests/install-deps $(DEBIAN_CHECK_PACKAGES) $(DEBIAN_BROWSER_PACKAGES)

.PHONY: deps
deps: ## installs what the build needs with the system's package manager
	$(Q)tests/install-deps $(DEBIAN_PACKAGES) $(if $(DASHBOARD_NEEDS_NODE),$(DEBIAN_NODE_PACKAGES))

.PHONY: install
install: all ## installs the binary, the example participants and the library for workers below $(DESTDIR)$(prefix)
	install -d "$(DESTDIR)$(bindir)"
	install -m 755 $(BUILD)/skald "$(DESTDIR)$(bindir)/skald"
	install -d "$(DESTDIR)$(libexecdir)/skald"
	install -m 755 $(EXAMPLE_BIN) "$(DESTDIR)$(libexecdir)/skald/"
	install -d "$(DESTDIR)$(includedir)/skald" "$(DESTDIR)$(libdir)"
	install -m 644 connectors/worker_client.h "$(DESTDIR)$(includedir)/skald/worker_client.h"
	install -m 644 $(BUILD)/libskald_worker.a "$(DESTDIR)$(libdir)/libskald_worker.a"

.PHONY: dist
dist: $(BUILD)/dashboard/index.html ## packs what is committed, and the built dashboard, into skald-VERSION.tar.gz
	git archive -o "skald-$(VERSION).tar.gz" \
		--prefix="skald-$(VERSION)/coordinator/dashboard/dist/" \
		$(patsubst %,--add-file=$(BUILD)/dashboard/%,index.html index.html.gz) \
		--prefix="skald-$(VERSION)/coordinator/dashboard/dist/assets/" \
		$$(find $(BUILD)/dashboard/assets -type f | sort | sed 's/^/--add-file=/') \
		--prefix="skald-$(VERSION)/" HEAD

.PHONY: clean
clean: ## removes what was built
	rm -rf build

.PHONY: help
help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')
