# kafka_fdw: Apache Kafka topics as PostgreSQL tables.
#
# Two kinds of goals live here. Those that build and install the extension are
# PGXS's (all, install, installcheck, ...) and need a pg_config. Those for a
# person in a checkout (check, demo, psql, ...) must work before PostgreSQL is
# even installed: they are handed to scripts under test/, without PGXS.

## all             build the extension (WERROR=1: warnings are errors; CC=clang works)
## install         install it into the PostgreSQL of PG_CONFIG (DESTDIR=... to stage)
## uninstall       remove what install put there
## installcheck    run the tests against a running server and the broker KAFKA_BROKERS
## clean           remove what was built
## check           build, then run every test on a private PostgreSQL and Kafka
##                 (TESTS="reading_json specs/name t/001_stand.pl": only those)
## check-cassert   the same on an assert-enabled PostgreSQL 18, built once
## check-sanitize  the same with the address and undefined behaviour sanitizers
##                 (LEAKS=1: and the leak sanitizer)
## check-versions  regression tests and isolation specs on every PostgreSQL and librdkafka
##                 that Debian has (VERSIONS="here trixie testing /path/to/pg_config")
## bench           measure speed and memory on a private PostgreSQL and Kafka (some minutes;
##                 BENCH="section=writing messages=100000 runs=3": only that, and quicker;
##                 see test/bench/run)
## bench-callgrind count the instructions a row takes (valgrind; BENCH="section=reading")
## faults          many rounds of the outbox's relay, a fault in each, and an oracle
##                 (FAULTS="--rounds 300 --seed 1 --kinds kill_relay,cut"; see test/faults/relay)
## faults-pipeline the same of a pipeline (FAULTS as for faults; see test/faults/pipeline)
## layers          check that no file includes upwards; print the sizes of functions
## demo            show the extension at work on this machine's package index
## psql            open psql on the demo's PostgreSQL and Kafka, which keep running
## kafka           start a Kafka for yourself (INSTANCE=0..9: port 9092 + 100 * INSTANCE)
## stop            stop what psql and kafka left running
## help            this list

STAND_GOALS = check check-cassert check-sanitize check-versions bench bench-callgrind faults \
	faults-pipeline layers demo psql kafka stop help
PG_CONFIG ?= pg_config

.DEFAULT_GOAL = all

ifeq (,$(filter-out $(STAND_GOALS),$(or $(MAKECMDGOALS),all)))

.PHONY: $(STAND_GOALS)

# The scripts look for a PostgreSQL themselves unless one was named.
ifneq (,$(filter command line environment,$(origin PG_CONFIG)))
export PG_CONFIG
endif
export INSTANCE LEAKS VERSIONS

check:
	@test/check $(TESTS)

check-cassert:
	@test/cassert $(TESTS)

bench:
	@test/bench/run $(BENCH)

bench-callgrind:
	@test/bench/run --callgrind $(BENCH)

faults:
	@test/faults/relay $(FAULTS)

faults-pipeline:
	@test/faults/pipeline $(FAULTS)

check-sanitize:
	@test/sanitize $(TESTS)

check-versions:
	@test/versions $(TESTS)

layers:
	@test/layers

demo psql kafka stop:
	@test/demo/stand $@

help:
	@sed -n 's/^## //p' Makefile

else

EXTENSION = kafka_fdw
DATA = kafka_fdw--0.1.0.sql
PGFILEDESC = "kafka_fdw - Apache Kafka topics as tables"
MODULE_big = kafka_fdw
SOURCES = $(sort $(wildcard src/*.c src/*/*.c))
OBJS = $(SOURCES:.c=.o)

PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq (,$(PGXS))
$(error no $(PG_CONFIG): install PostgreSQL's server headers (Debian: postgresql-server-dev-NN) or set PG_CONFIG)
endif

# Libraries we link with, under the names pkg-config knows them by.
LIBRARIES = rdkafka jansson
SHLIB_LINK += $(or $(shell pkg-config --libs $(LIBRARIES) 2>/dev/null),$(LIBRARIES:%=-l%))

# PostgreSQL's headers come in as system headers too (that wins over -I), so
# that our warnings speak of our code only.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) \
	$(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null)
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wshadow -Wformat=2 -Wvla -Wstrict-prototypes
ifeq (1,$(WERROR))
PG_CFLAGS += -Werror
endif
# PostgreSQL's flags were found out with the compiler that built it, mostly gcc.
ifneq (,$(findstring clang,$(CC)))
PG_CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif

# Objects are rebuilt when a header changes. PostgreSQL's own way (autodepend)
# would give files of one name in two folders one dependency file.
override autodepend =
PG_CFLAGS += -MMD -MP

# No bitcode where PostgreSQL was built with an LLVM that is not installed.
CONFIGURED = $(shell sed -n 's/^$(1) *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq (,$(and $(shell command -v $(call CONFIGURED,CLANG) 2>/dev/null),$(wildcard $(call CONFIGURED,LLVM_BINPATH)/llvm-lto)))
override with_llvm = no
endif

# Tests. "setup" creates what the others use, so it comes first.
test_names = $(patsubst $(1)/%.$(2),%,$(sort $(wildcard $(1)/*.$(2))))
setup_first = $(filter setup,$(1)) $(filter-out setup,$(1))
REGRESS = $(call setup_first,$(call test_names,sql,sql))
ISOLATION = $(call setup_first,$(call test_names,test/specs,spec))
ISOLATION_OPTS = --inputdir=test
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

# psql scripts and TAP tests read KAFKA_BROKERS; an isolation spec has no way to
# read the environment and finds the same in the setting kafka_test.brokers.
KAFKA_BROKERS ?= localhost:9092
export KAFKA_BROKERS
installcheck: export PGOPTIONS := $(PGOPTIONS) -c kafka_test.brokers=$(KAFKA_BROKERS)

EXTRA_CLEAN = $(OBJS:.o=.d) test/results test/mock/mock_broker test/mock/delete_records test/mock/add_partitions \
	test/faults/producer

include $(PGXS)

# After PGXS, which sets them to nothing.
PROVE_FLAGS += -I $(CURDIR)/test/perl

-include $(OBJS:.o=.d)
ifeq (yes,$(with_llvm))
$(OBJS:.o=.bc): %.bc: %.o
endif

endif
