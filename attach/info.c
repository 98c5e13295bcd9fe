/* SPDX-License-Identifier: MIT */
#include "info.h"

#include <string.h>
#include <time.h>

#include "report.h"
#include "text.h"
#include "util.h"

static json_t *string(const char *bytes)
{
	return bytes && bytes[0] ? text_json(bytes, strlen(bytes)) : json_null();
}

static double clock_seconds(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Seconds since the epoch, from the ticks since boot that /proc gives. */
static double started_at(const struct mr_facts *facts)
{
	double age = clock_seconds(CLOCK_BOOTTIME) - (double)facts->start_time / (double)sysconf(_SC_CLK_TCK);

	return clock_seconds(CLOCK_REALTIME) - age;
}

static json_t *describe_process(const struct mr_facts *facts)
{
	char state[2] = { facts->state, '\0' };

	return json_pack("{s:o, s:s, s:i, s:i, s:I, s:I, s:I, s:i, s:i, s:b, s:i, s:o, s:f}", "comm",
			 string(facts->comm), "state", state, "ppid", (int)facts->ppid, "ns_pid", (int)facts->ns_pid,
			 "uid", (json_int_t)facts->uid[0], "euid", (json_int_t)facts->uid[1], "gid",
			 (json_int_t)facts->gid[0], "threads", facts->threads, "seccomp", facts->seccomp, "frozen",
			 facts->frozen, "tracer", (int)facts->tracer, "tracer_comm", string(facts->tracer_comm),
			 "started_at", started_at(facts));
}

/* True: another one than ours. */
static json_t *describe_namespaces(const struct mr_facts *facts)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:b}", "pid", facts->other_pid_ns, "mnt", facts->other_mnt_ns, "user",
			 facts->other_user_ns, "net", facts->other_net_ns, "root", facts->rooted);
}

static json_t *describe_python(const struct mr_python *python)
{
	char version[48];

	if (!python)
		return json_null();
	report_version(python, version, sizeof(version));
	return json_pack("{s:s, s:b, s:b, s:b, s:s, s:o, s:b}", "version", version, "shared", python->shared, "debug",
			 python->debug, "free_threaded", python->free_threaded, "libc",
			 python->musl ? "musl" : "glibc", "image", string(python->image), "remote_debug_off",
			 python->remote_debug_off);
}

static json_t *describe_attaching(const struct mr_error *refusal)
{
	AUTO_FREE char *sentence = refusal->code ? report_sentence(refusal) : NULL;

	return json_pack("{s:b, s:s?, s:o, s:o}", "allowed", refusal->code == MR_OK, "code",
			 refusal->code ? mr_code_name(refusal->code) : NULL, "message", string(sentence), "hint",
			 refusal->code ? string(report_hint(refusal)) : json_null());
}

int info_fill(json_t *report, const struct mr_facts *facts, struct mr_target *target, const struct mr_error *refusal)
{
	const struct mr_python *python = target ? mr_target_python(target) : NULL;
	struct mr_error own = MR_ERROR_INIT;
	char doing[256] = "";
	json_t *info;

	if (target)
		mr_target_doing(target, doing, sizeof(doing));
	if (!refusal->code && python && python->interpreters > 1)
		mr_fail(&own, MR_E_INTERPRETERS, 0, "%s", "");
	else if (!refusal->code && python && python->remote_debug_off)
		mr_fail(&own, MR_E_POLICY, 0, "%s", "");
	if (own.code)
		refusal = &own;
	info = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "attach", describe_attaching(refusal), "python",
			 describe_python(python), "process", describe_process(facts), "namespaces",
			 describe_namespaces(facts), "doing", string(doing), "interpreters",
			 python && python->interpreters > 0 ? json_integer(python->interpreters) : json_null(), "regions",
			 target ? json_integer((json_int_t)mr_target_regions(target)) : json_null(), "engine",
			 target ? json_boolean(mr_target_engine(target)) : json_null());
	if (!info || report_take_look(report, facts, python))
		return -1;
	return json_object_set_new(report, "info", info);
}
