#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh build|check|fuzz|lint|format|bench|vm: the Debian packages that the task needs and this machine lacks.
# As root they are installed; otherwise the command to do it is printed and we fail. Nothing is touched, and nothing
# fetched, when nothing is missing.
set -eu

need='gcc make pkg-config libc6-dev libelf-dev libdw-dev libjansson-dev python3 python3-dev'
case ${1:-build} in
build) ;;
check) need="$need libcriterion-dev" ;;
fuzz) need="$need clang llvm" ;;
lint) need="$need libcriterion-dev clang clang-tidy cppcheck pyflakes3" ;;
format) need='clang-format' ;;
bench) need="$need gdb" ;;
vm) need="$need debootstrap qemu-system-x86 e2fsprogs" ;;
*) echo "deps.sh: no such task: $1" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: this is no Debian; what is needed here is called there: $need" >&2
	exit 0
fi

missing=
for package in $need; do
	state=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | sort -u) || state=
	case $state in *installed*) [ "$state" = not-installed ] || continue ;; esac
	missing="$missing $package"
done
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
	echo "These Debian packages are missing. As root:" >&2
	echo "    apt-get update && $install" >&2
	exit 1
fi
echo "Installing the missing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
quietly() { # shows the output only when the command failed
	log=$(mktemp)
	if "$@" >"$log" 2>&1; then rm -f "$log"; else cat "$log" >&2; rm -f "$log"; return 1; fi
}
# The lists may be fresh enough: fetch them only when the installation fails without.
# shellcheck disable=SC2086
$install -q >/dev/null 2>&1 || { quietly apt-get update -q && quietly $install -q; }
