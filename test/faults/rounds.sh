# shellcheck shell=bash
# What test/faults/relay and test/faults/pipeline have in common: a private PostgreSQL and Kafka in
# a new temporary directory, as an unprivileged user, on a copy of the tree; rounds.pl runs in it,
# and nothing is left running. Sourced, never run.
#
#   rounds_of relay "$@"

# shellcheck source=test/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"
# shellcheck source=test/lib/postgres.sh
. "$TOP/test/lib/postgres.sh"

INNER=
ROUNDS_OF=
stop_inner() {
    [[ -n $INNER ]] || return 0
    kill -TERM "$INNER" 2>/dev/null || true
    wait "$INNER" || true
    INNER=
}

# A tmpfs for what fills a disk; only root can have one.
SMALL_DISK_MB=24
mount_small_disk() {
    local user=$1
    export FAULTS_SMALL_DISK=
    ((EUID == 0)) && mkdir "$WORK/small" &&
        mount -t tmpfs -o "size=${SMALL_DISK_MB}m,mode=0700,uid=$(id -u "$user"),gid=$(id -g "$user")" \
            tmpfs "$WORK/small" 2>/dev/null || return 0
    FAULTS_SMALL_DISK=$WORK/small
}

# What the rounds left when they were killed; on their own they stop it all.
clean_up() {
    local file
    stop_inner
    while read -r file; do
        kill -QUIT "$(head -n 1 "$file")" 2>/dev/null || true
    done < <(find "$WORK" -name postmaster.pid 2>/dev/null)
    while read -r file; do
        "$TOP/test/broker/kafka" end --dir "${file%/cluster}" || true
    done < <(find "$WORK/rounds" -name cluster -type f 2>/dev/null)
    [[ -z ${FAULTS_SMALL_DISK:-} ]] || umount --lazy "$FAULTS_SMALL_DISK" || true
    rm -rf "$WORK" || { wait_for 10 rm -rf "$WORK" 2>/dev/null; } || true
}

keep_results() {
    local results=$TOP/test/results/faults
    [[ -n $(ls -A "$WORK/results" 2>/dev/null) ]] || return 0
    rm -rf "$results"
    mkdir -p "$results"
    cp -R "$WORK/results/." "$results"
    say "logs and dumps: ${results#"$PWD"/}"
}

outside() {
    local user='' status=0
    KAFKA_FDW_CACHE=$(cache_dir)
    export KAFKA_FDW_CACHE
    need_postgres
    [[ -x $("$PG_CONFIG" --bindir)/pgbench ]] || die "there is no pgbench beside $PG_CONFIG"
    "$TOP/test/broker/kafka" prepare
    "$TOP/test/broker/proxy" prepare || warn "no fault proxy: kinds that need it are left out"
    ((EUID != 0)) || user=$(unprivileged_user)
    WORK=$(mktemp -d /tmp/kafka_fdw.XXXXXX)
    trap 'clean_up' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    copy_tree "$WORK/tree"
    mkdir "$WORK/home" "$WORK/results" "$WORK/rounds"
    [[ -z $user ]] || chown -R "$user:" "$WORK"
    [[ $ROUNDS_OF != pipeline ]] || mount_small_disk "$user"
    cd "$WORK" || exit
    (exec_as "$user" "$WORK/home" "$WORK/tree/test/faults/$ROUNDS_OF" --inside "$WORK" "$@") &
    INNER=$!
    wait "$INNER" || status=$?
    INNER=
    keep_results
    exit "$status"
}

# rounds.pl is run as prove would run a test of PGXS, but shows its lines as they come.
inside() {
    local pgxs rounds status=0
    WORK=$1
    shift
    step "building with $("$PG_CONFIG" --version)"
    build_stage "$TOP" "$WORK/stage" WERROR=1
    extension_settings "$WORK/stage" >"$WORK/extension.conf"
    pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")
    export KAFKA_FDW_CONF=$WORK/extension.conf FAULTS_RESULTS=$WORK/results
    export PERL5LIB=$pgxs/../test/perl:$TOP/test/perl PG_REGRESS=$pgxs/../test/regress/pg_regress
    export TESTDIR=$WORK/rounds TESTDATADIR=$WORK/rounds/tmp_check TESTLOGDIR=$WORK/rounds/tmp_check/log
    mkdir -p "$TESTLOGDIR"
    ulimit -c unlimited 2>/dev/null || true
    PATH=$("$PG_CONFIG" --bindir):$PATH
    unset PGHOST PGPORT PGUSER PGPASSWORD PGSERVICE PGOPTIONS PGDATABASE
    perl "$TOP/test/faults/rounds.pl" "$ROUNDS_OF" "$@" </dev/null &
    rounds=$!
    trap 'kill -TERM "$rounds" 2>/dev/null; wait "$rounds" || true; exit 143' INT TERM
    wait "$rounds" || status=$?
    ((status < 2)) || tail -n 5 "$TESTLOGDIR/regress_log_rounds" >&2 || true
    exit "$status"
}

rounds_of() {
    ROUNDS_OF=$1
    shift
    case ${1:-} in
        --inside) shift; inside "$@" ;;
        -h | --help) sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "$0" ;;
        *) outside "$@" ;;
    esac
}
