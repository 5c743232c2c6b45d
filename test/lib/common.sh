# shellcheck shell=bash
# What every script of the stand needs: messages, installing what a fresh Debian
# or Ubuntu lacks, the cache outside the tree, and the unprivileged user that a
# PostgreSQL started by root needs. Sourced, never run.

# The makes that the scripts run are not part of the make that called us: PostgreSQL's
# own, for one, generates its headers only when it is the outermost.
unset MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { warn "$@"; exit 1; }

# wait_for SECONDS CMD...: true as soon as CMD is, false after SECONDS.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# The cache holds what is slow to get and the same for every checkout. When root
# fills it for an unprivileged user, it has to be where that user can read it.
cache_dir() {
    if [[ -n ${KAFKA_FDW_CACHE:-} ]]; then
        printf '%s\n' "$KAFKA_FDW_CACHE"
    elif ((EUID == 0)); then
        printf '/var/cache/kafka_fdw\n'
    else
        printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/kafka_fdw"
    fi
}

# with_lock FILE CMD...: CMD while nobody else holds FILE. CMD must not leave
# processes behind that would inherit the lock.
with_lock() {
    local file=$1 fd status=0
    shift
    exec {fd}>"$file"
    flock "$fd"
    "$@" || status=$?
    exec {fd}>&-
    return $status
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 127
    fi
}

apt_quietly() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# apt-get update, once a run.
APT_UPDATED=
update_lists() {
    [[ -z $APT_UPDATED ]] || return 0
    APT_UPDATED=1
    apt_quietly update >/dev/null 2>&1 || warn "apt-get update failed; going on with the lists at hand"
}

# need_lists PREFIX: update, if apt knows no package of that name.
need_lists() {
    command -v apt-cache >/dev/null || return 0
    [[ -n $(apt-cache pkgnames "$1" 2>/dev/null) ]] || update_lists
}

# install_packages WHAT PACKAGE...: WHAT is what the packages are for.
install_packages() {
    local what=$1 log
    shift
    command -v apt-get >/dev/null || die "$what is missing; install it (on Debian: $*)"
    ((EUID == 0)) || command -v sudo >/dev/null ||
        die "$what is missing and there is no sudo; as root run: apt-get install $*"
    step "installing $what ($*)"
    update_lists
    log=$(mktemp)
    if ! apt_quietly install --no-install-recommends "$@" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        die "could not install $what (apt-get install $*)"
    fi
    rm -f "$log"
}

# need_command COMMAND PACKAGE...
need_command() {
    local name=$1
    shift
    command -v "$name" >/dev/null || install_packages "$name" "$@"
}

can_install() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [^(]' >/dev/null; }

# The Debian mirror that this machine's apt uses, if it uses one.
debian_mirror() {
    local mirror
    # shellcheck disable=SC2016 # apt-get expands these
    mirror=$(apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n '/security/d; s/^Debian|//p' | sort -u | head -n 1)
    [[ -n $mirror ]] && printf '%s\n' "$mirror"
}

# The user a private PostgreSQL (and all else) runs as when root called us: the one
# Debian's package made, else one of our own.
unprivileged_user() {
    local user
    for user in postgres kafka_fdw_test; do
        if id "$user" >/dev/null 2>&1; then
            printf '%s\n' "$user"
            return
        fi
    done
    useradd --system --no-create-home --shell /usr/sbin/nologin kafka_fdw_test
    printf 'kafka_fdw_test\n'
}

# exec_as USER HOME CMD...: become CMD, as USER with the environment kept, or as
# ourselves where USER is empty. No process in between that would swallow signals.
exec_as() {
    local user=$1 home=$2
    shift 2
    if [[ -n $user ]]; then
        exec env HOME="$home" USER="$user" LOGNAME="$user" \
            setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@"
    fi
    exec "$@"
}

run_as() { (exec_as "$@"); }

# copy_tree DIR: the checkout as git sees it (tracked and new files, nothing
# ignored), because the checkout itself may be where only root can read and two
# runs must not share build products. Without git: everything.
copy_tree() {
    mkdir -p "$1"
    if git -C "$TOP" rev-parse --git-dir >/dev/null 2>&1; then
        git -C "$TOP" ls-files -z --cached --others --exclude-standard |
            (cd "$TOP" && perl -0ne 'chomp; print "$_\0" if -e || -l' |
                tar --no-recursion --null -T - -cf -) | tar -xf - -C "$1"
    else
        tar -C "$TOP" --exclude=.git -cf - . | tar -xf - -C "$1"
    fi
}
