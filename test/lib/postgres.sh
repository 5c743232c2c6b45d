# shellcheck shell=bash
# The private PostgreSQL of the tests and the demo: which one, what its build
# needs, the extension staged beside it instead of installed into it, and a
# cluster of its own in one directory, reached by a socket only. The system's
# clusters and the system's directories are never touched. Sourced, never run.

PG_OLDEST=15

pg() {
    local program=$1
    shift
    "$("$PG_CONFIG" --bindir)/$program" "$@"
}
pg_major() { "$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/'; }

# Can one build against this pg_config, and run its server? Debian's server package
# has PGXS, but not the headers.
usable_pg_config() {
    [[ -f $("$1" --pgxs 2>/dev/null) && -f $("$1" --includedir-server)/postgres.h ]] &&
        [[ -x $("$1" --bindir)/initdb && -x $("$1" --bindir)/postgres ]]
}

# Sets PG_CONFIG unless the caller did: the newest one of Debian's, else the one in PATH.
find_pg_config() {
    local candidate
    if [[ -n ${PG_CONFIG:-} ]]; then
        command -v "$PG_CONFIG" >/dev/null || die "there is no $PG_CONFIG (PG_CONFIG)"
        PG_CONFIG=$(command -v "$PG_CONFIG")
        usable_pg_config "$PG_CONFIG" ||
            die "$PG_CONFIG has no server or no server headers (PGXS) beside it"
        return
    fi
    while read -r candidate; do
        if usable_pg_config "$candidate"; then
            PG_CONFIG=$candidate
            return
        fi
    done < <(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV; command -v pg_config)
    return 1
}

# Everything that a build and a run need, installed where missing; IPC::Run and kcat, which
# only TAP tests use, not where NO_TAP is set.
need_postgres() {
    local missing=() library libraries major
    find_pg_config || missing+=(postgresql)
    command -v gcc >/dev/null || missing+=(gcc libc6-dev)
    command -v make >/dev/null || missing+=(make)
    command -v ps >/dev/null || missing+=(procps)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    read -r -a libraries < <(sed -n 's/^LIBRARIES = //p' "$TOP/Makefile")
    for library in "${libraries[@]}"; do
        pkg-config --exists "$library" 2>/dev/null || missing+=("lib$library-dev")
    done
    perl -MTest::More -e 1 2>/dev/null || missing+=(perl)
    [[ -n ${NO_TAP:-} ]] || perl -MIPC::Run -e 1 2>/dev/null || missing+=(libipc-run-perl)
    [[ -n ${NO_TAP:-} ]] || command -v kcat >/dev/null || missing+=(kcat)
    if ((${#missing[@]})) && [[ ${missing[0]} == postgresql ]]; then
        need_lists postgresql-server-dev
        major=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
        [[ -n $major ]] || die "there is no PostgreSQL server with its headers; install one, or set PG_CONFIG"
        missing=("postgresql-$major" "postgresql-server-dev-$major" "${missing[@]:1}")
    fi
    ((${#missing[@]} == 0)) || install_packages "PostgreSQL and what the build needs" "${missing[@]}"
    find_pg_config || die "there is no PostgreSQL server with its headers; install one, or set PG_CONFIG"
    (($(pg_major) >= PG_OLDEST)) || die "PostgreSQL $(pg_major) is too old: $PG_OLDEST or newer is needed"
    export PG_CONFIG
}

# build_stage TREE STAGE [MAKE ARGUMENT...]: the extension of TREE, installed into
# STAGE. Without bitcode, which only makes the build slower.
build_stage() {
    local tree=$1 stage=$2
    shift 2
    set -- PG_CONFIG="$PG_CONFIG" with_llvm=no "$@"
    make -s -C "$tree" -j "$(nproc)" "$@" &&
        make -s -C "$tree" "$@" install DESTDIR="$stage" >/dev/null || return 1
    # Nothing lets this server look elsewhere for extensions; it has to be ours alone then.
    if [[ -z $(extension_settings "$stage") ]]; then
        [[ -w $("$PG_CONFIG" --pkglibdir) ]] ||
            die "this PostgreSQL finds extensions only in its own directories, and those are not ours to write"
        make -s -C "$tree" "$@" install >/dev/null
    fi
}

# The settings with which a server finds the extension in STAGE: PostgreSQL's own
# since 18, Debian's before, which does not hold for libraries that are preloaded.
extension_settings() {
    if (($(pg_major) >= 18)); then
        printf "extension_control_path = '%s:\$system'\n" "$1$("$PG_CONFIG" --sharedir)"
        printf "dynamic_library_path = '%s:\$libdir'\n" "$1$("$PG_CONFIG" --pkglibdir)"
    elif pg postgres --describe-config | grep '^extension_destdir' >/dev/null; then
        printf "extension_destdir = '%s'\n" "$1"
        printf "dynamic_library_path = '%s:\$libdir'\n" "$1$("$PG_CONFIG" --pkglibdir)"
    fi
}

# init_postgres DIR STAGE: a cluster in DIR/data.
init_postgres() {
    pg initdb -D "$1/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$1/initdb.log" 2>&1 || {
        tail -n 5 "$1/initdb.log" >&2
        die "initdb failed"
    }
    configure_postgres "$@"
}

# configure_postgres DIR STAGE: settings that make tests fast and their outputs the same
# everywhere. The extension's workers run there, and leave those of parallel queries enough
# room. Also for a cluster that an older checkout has made.
configure_postgres() {
    grep -q "^include = 'kafka_fdw.conf'" "$1/data/postgresql.conf" ||
        echo "include = 'kafka_fdw.conf'" >>"$1/data/postgresql.conf"
    {
        cat <<'SETTINGS'
listen_addresses = ''
fsync = off
wal_level = replica
max_prepared_transactions = 5
shared_preload_libraries = 'kafka_fdw'
max_worker_processes = 24
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] %q%a '
SETTINGS
        printf "unix_socket_directories = '%s'\n" "$1"
        extension_settings "$2"
    } >"$1/data/kafka_fdw.conf"
}

start_postgres() {
    pg pg_ctl -D "$1/data" -l "$1/postgres.log" -w -t 60 start </dev/null >/dev/null 2>&1 || {
        tail -n 10 "$1/postgres.log" >&2
        die "PostgreSQL did not start; its log is $1/postgres.log"
    }
}

# stop_postgres DIR [MODE]
stop_postgres() {
    [[ -e $1/data/postmaster.pid ]] || return 0
    pg pg_ctl -D "$1/data" -w -t 60 -m "${2:-fast}" stop >/dev/null 2>&1
}

postgres_runs() { pg pg_ctl -D "$1/data" status >/dev/null 2>&1; }
