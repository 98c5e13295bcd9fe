#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job, seen from a user's chair: a live service gets new code without a restart. Run by `make demo`.
set -eu
unset PYTHONDONTWRITEBYTECODE # the .pyc tells what a module that is seconds old ran before

top=$(cd "$(dirname "$0")/../.." && pwd)
PATH=$top/${B:-build}:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/mr-demo-XXXXXX")
server=
clean_up() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n# %s\n' "$*"; }
run() { # shows the command as a user would type it, and runs it
	printf '$'
	for word; do
		case $word in *[!A-Za-z0-9_./:=-]*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac
	done
	echo
	"$@"
}
expect() { # the page must say this now
	page=$($get "$url")
	printf '$ %s %s\n%s\n' "$get" "$url" "$page"
	case $page in *"$1"*) ;; *) echo "demo: expected to read: $1" >&2; exit 1 ;; esac
}

cp -r "$top/tests/demo/service/." "$work"
cp "$top/tests/demo/get.py" "$work"
cd "$work"
get='python3 get.py'
! command -v curl >/dev/null || get='curl -s'
export no_proxy='*'

say 'A web shop of several modules, started with plain python3:'
printf '$ python3 serve.py &\n'
${PYTHON:-python3} serve.py >port 2>&1 &
server=$!
tries=0
until [ -s port ]; do
	tries=$((tries + 1))
	[ $tries -lt 200 ] && kill -0 $server 2>/dev/null || { cat port >&2; echo 'demo: the service did not start' >&2; exit 1; }
	sleep 0.05
done
url=http://127.0.0.1:$(cat port)/

say 'It counts its visitors, in memory only:'
expect 'Tea costs 4, coffee 5. Visit 1 '
expect "Visit 2 in process $server."

say 'A new price, on disk. The running process does not know it yet:'
run sed -i "s/'tea': 4/'tea': 3/" shop/prices.py
run mr-attach $server stale
expect 'Tea costs 4, coffee 5. Visit 3 '

say 'Now it does, and no visitor was forgotten:'
run mr-attach $server reload-stale
expect "Tea costs 3, coffee 5. Visit 4 in process $server."

say 'One module by its path:'
run sed -i 's/Tea costs/Today tea costs/' shop/pages.py
run mr-attach $server reload "$work/shop/pages.py"
expect "Today tea costs 3, coffee 5. Visit 5 in process $server."

say 'A mistake changes nothing:'
run sed -i 's/def front()/def front(/' shop/pages.py
printf '$ mr-attach %s reload-stale\n' $server
if mr-attach $server reload-stale; then
	echo 'demo: expected exit status 1' >&2
	exit 1
fi
expect "Today tea costs 3, coffee 5. Visit 6 in process $server."

say "Same process all the time. That was all; it is stopped now and $work removed."
