#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh SECONDS [NAME...]: runs the libFuzzer programs of $B one after the other; what they find grows in $B/corpus, and
# an input that breaks something lands in $B/found and ends it.
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
if [ $# = 0 ]; then
	for program in "$B"/fuzz/*; do set -- "$@" "$(basename "$program")"; done
fi
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
mkdir -p "$B/found"
for name; do
	mkdir -p "$B/corpus/$name"
	echo "fuzzing $name for $seconds s"
	"$B/fuzz/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 -verbosity=1 \
		-artifact_prefix="$B/found/$name-" "$B/corpus/$name" "tests/fuzz/corpus/$name"
done
