/* SPDX-License-Identifier: MIT
 *
 * The report for people, from JSON objects. Needs attach/{human,human_error,human_modules,human_info,report,terminal,text,commands}.o.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../attach/human.h"

static char *out_text, *err_text;

static void print(const char *command, struct options *options, const char *report, bool titled)
{
	json_error_t where;
	json_t *object = json_loads(report, JSON_ALLOW_NUL, &where);
	struct terminal terminal = { .out_keep = TEXT_LINES };
	size_t out_size, err_size;

	cr_assert(object, "%s: %s", report, where.text);
	options->command = command_find(command);
	terminal.out = open_memstream(&out_text, &out_size);
	terminal.err = open_memstream(&err_text, &err_size);
	human_print(&terminal, options, object, titled);
	human_complain(&terminal, options, object);
	(void)fclose(terminal.out);
	(void)fclose(terminal.err);
	json_decref(object);
}

static void expect(const char *command, const char *report, const char *out, const char *err)
{
	struct options options = { 0 };

	print(command, &options, report, false);
	cr_expect_str_eq(out_text, out);
	cr_expect_str_eq(err_text, err);
	free(out_text);
	free(err_text);
}

#define RAN "\"pid\":42,\"delivery\":\"parked-main\",\"timing_us\":{\"stopped\":112,\"ran\":1490}"

Test(human, exec_is_output_and_value)
{
	expect("exec", "{" RAN ",\"output\":\"a\\n\",\"value\":\"1\"}", "a\n1\n", "");
	expect("exec", "{" RAN ",\"output\":\"a\",\"value\":\"1\"}", "a\n1\n", "");
	expect("exec", "{" RAN ",\"output\":\"a\",\"value\":null}", "a", "");
	expect("exec", "{" RAN ",\"output\":\"\",\"value\":null}", "", "");
	expect("run", "{" RAN ",\"output\":\"\\u001b[2J\",\"value\":null}", "\\x1b[2J", "");
}

Test(human, exec_in_several_processes)
{
	struct options options = { 0 };

	print("exec", &options, "{" RAN ",\"output\":\"\",\"value\":\"1\"}", true);
	cr_expect_str_eq(out_text, "pid 42:\n1\n");
}

Test(human, reload)
{
	expect("reload",
	       "{" RAN ",\"status\":0,\"modules\":[{\"name\":\"shop.cart\",\"state\":\"reloaded\",\"changed\":[\"f\",\"g\"],"
	       "\"added\":[\"h\"],\"executed\":[{\"line\":12,\"text\":\"RATE = 2\"}]},"
	       "{\"name\":\"shop.tax\",\"state\":\"unchanged\"}],\"excluded_stale\":[\"six\"]}",
	       "reloaded   shop.cart  changed f, g; added h\n"
	       "             ran line 12: RATE = 2\n"
	       "unchanged  shop.tax\n"
	       "also stale, and left alone without --all: six\n"
	       "pid 42: 1 module reloaded, 1 unchanged; stopped 0.11 ms, ran 1.5 ms\n", "");
	expect("reload-stale", "{" RAN ",\"status\":0,\"modules\":[]}",
	       "pid 42: nothing was stale; stopped 0.11 ms, ran 1.5 ms\n", "");
	expect("undo", "{" RAN ",\"status\":0,\"modules\":[]}",
	       "pid 42: nothing to undo; stopped 0.11 ms, ran 1.5 ms\n", "");
}

Test(human, what_is_in_another_module)
{
	expect("reload",
	       "{" RAN ",\"status\":0,\"modules\":[{\"name\":\"shop.tax\",\"state\":\"reloaded\",\"rebound\":[\"shop.cart.VAT\"],"
	       "\"derived\":[{\"module\":\"shop.tax\",\"name\":\"ALL\"},{\"module\":\"shop.cart\",\"name\":\"GROSS\"}]}]}",
	       "reloaded  shop.tax\n"
	       "            rebound shop.cart.VAT\n"
	       "            computed from it before, and left as it is: ALL\n"
	       "            computed from it before, and left as it is: shop.cart.GROSS\n"
	       "pid 42: 1 module reloaded; stopped 0.11 ms, ran 1.5 ms\n", "");
}

Test(human, what_goes_on)
{
	expect("reload",
	       "{" RAN ",\"status\":0,\"modules\":[{\"name\":\"a\",\"state\":\"reloaded\",\"running_old\":["
	       "{\"kind\":\"frame\",\"thread\":\"t\",\"function\":\"a.f\",\"file\":\"/a.py\",\"line\":3},"
	       "{\"kind\":\"async_generator\",\"function\":\"a.g\",\"file\":\"/a.py\",\"line\":4}]}]}",
	       "reloaded  a\n"
	       "            old code goes on in a frame of a.f, thread t (/a.py:3)\n"
	       "            old code goes on in an asynchronous generator of a.g (/a.py:4)\n"
	       "pid 42: 1 module reloaded; stopped 0.11 ms, ran 1.5 ms\n", "");
}

Test(human, reload_failed)
{
	expect("reload-stale",
	       "{" RAN ",\"status\":1,\"modules\":[{\"name\":\"shop.tax\",\"state\":\"failed\"}],\"error\":{\"code\":"
	       "\"syntax-error\",\"message\":\"'(' was never closed\",\"module\":\"shop.tax\",\"file\":\"/s/tax.py\","
	       "\"line\":31,\"hint\":\"mend it\"}}",
	       "failed  shop.tax\n"
	       "pid 42: failed, and everything is as it was before; stopped 0.11 ms, ran 1.5 ms\n",
	       "mr-attach: pid 42: shop.tax: '(' was never closed (/s/tax.py:31)\nhint: mend it\n");
}

Test(human, reload_failed_after_code_ran)
{
	static const char note[] = "mr-attach: pid 42: note: not taken back: line 3 of a\n";

	expect("reload", "{" RAN ",\"status\":1,\"modules\":[{\"name\":\"a\",\"state\":\"failed\"}],"
	       "\"notes\":[\"not taken back: line 3 of a\"]}",
	       "failed  a\npid 42: failed, and put back but for what the note names; stopped 0.11 ms, ran 1.5 ms\n", note);
}

/* What stderr says is not said beside the module, and the traceback's last line is the message. */
Test(human, failure_is_told_once)
{
	expect("reload-stale",
	       "{" RAN ",\"status\":1,\"modules\":[{\"name\":\"a\",\"state\":\"failed\",\"warnings\":[\"SyntaxError: x\"]},"
	       "{\"name\":\"b\",\"state\":\"failed\",\"warnings\":[\"SyntaxError: y\"]}],\"error\":{\"code\":\"syntax-error\","
	       "\"message\":\"SyntaxError: x\",\"module\":\"a\",\"file\":\"/s/a.py\",\"line\":3,"
	       "\"traceback\":\"  File 3\\n    (\\nSyntaxError: x\\n\"}}",
	       "failed  a\nfailed  b\n          SyntaxError: y\n"
	       "pid 42: failed, and everything is as it was before; stopped 0.11 ms, ran 1.5 ms\n",
	       "  File 3\n    (\nmr-attach: pid 42: a: SyntaxError: x (/s/a.py:3)\n");
}

#define REFUSED(more) "{" RAN ",\"status\":1,\"modules\":[{\"name\":\"a\",\"path\":\"/s/a.py\",\"state\":\"failed\"," \
	"\"kept_old\":[{\"name\":\"C\",\"reason\":\"no\"}" more "]}],\"error\":{\"code\":\"refused\",\"module\":\"a\"," \
	"\"message\":\"a.C: no; and so on\",\"hint\":\"h\"}}"

Test(human, refusal_is_told_once)
{
	static const char out[] = "failed  a\n"
				  "pid 42: failed, and everything is as it was before; stopped 0.11 ms, ran 1.5 ms\n";

	expect("reload", REFUSED(""), out, "mr-attach: pid 42: a.C: no; and so on\nhint: h\n");
	expect("reload", REFUSED(",{\"name\":\"a\",\"reason\":\"nor this\"}"), out,
	       "mr-attach: pid 42: a.C: no (/s/a.py)\nmr-attach: pid 42: a: nor this (/s/a.py)\nhint: h\n");
}

Test(human, remarks)
{
	expect("reload-stale",
	       "{" RAN ",\"status\":0,\"modules\":[{\"name\":\"a\",\"state\":\"skipped\",\"warnings\":"
	       "[\"/s/a.py: No such file or directory\"]},{\"name\":\"b\",\"state\":\"unchanged\",\"warnings\":"
	       "[\"only lines moved: tracebacks follow\",\"look\"]}]}",
	       "skipped    a\n             its source is gone; the loaded code stays\n"
	       "unchanged  b\n             nothing but line numbers changed\n             warning: look\n"
	       "pid 42: 1 module unchanged, 1 skipped; stopped 0.11 ms, ran 1.5 ms\n", "");
}

Test(human, verbose)
{
	static const char report[] = "{" RAN ",\"status\":0,\"heap\":{\"walks\":1,\"ms\":1.65,\"frozen\":0},\"modules\":["
				     "{\"name\":\"a\",\"state\":\"would-reload\",\"baseline\":\"frame\",\"diff\":\"-x\\n+y\"}]}";
	struct options options = { .verbose = 1, .dry_run = true };

	print("reload", &options, report, false);
	cr_expect_str_eq(out_text, "would-reload  a\n                compared with the code of its frame, which is running\n"
				   "-x\n+y\nlooked at the heap once, 1.6 ms\n"
				   "pid 42: 1 module would be reloaded; stopped 0.11 ms, ran 1.5 ms\n");
	options.verbose = 0;
	print("reload", &options, report, false);
	cr_expect_not(strstr(out_text, "+y"));
	cr_expect_not(strstr(out_text, "heap"));
	options.verbose = 1;
	print("reload", &options, "{" RAN ",\"status\":0,\"heap\":{\"walks\":1,\"ms\":1e66},\"modules\":[]}", false);
	cr_expect_not(strstr(out_text, "heap"), "no number of ours");
}

Test(human, timeout)
{
	expect("exec",
	       "{" RAN ",\"status\":7,\"output\":\"\",\"error\":{\"code\":\"interrupted\",\"message\":\"KeyboardInterrupt\","
	       "\"file\":\"a.py\",\"line\":3,\"traceback\":\"T\\nKeyboardInterrupt\\n\"}}",
	       "", "T\nmr-attach: pid 42: it did not end before the timeout, and was interrupted (a.py:3)\n");
}

Test(human, notes_are_in_the_json)
{
	struct options options = { .json = true };

	print("exec", &options, "{" RAN ",\"output\":\"\",\"notes\":[\"cut\"]}", false);
	cr_expect_str_eq(err_text, "");
}

Test(human, errors_for_editors)
{
	struct options options = { .errors_gcc = true };

	print("reload", &options, "{" RAN ",\"status\":1,\"error\":{\"message\":\"bad\",\"file\":\"/s/tax.py\",\"line\":31}}",
	      false);
	cr_expect_str_eq(err_text, "/s/tax.py:31: bad\n");
	print("reload", &options, "{" RAN ",\"status\":1,\"error\":{\"message\":\"gone\",\"file\":\"/s/tax.py\",\"line\":null}}",
	      false);
	cr_expect_str_eq(err_text, "/s/tax.py: gone\n");
	print("reload", &options, "{" RAN ",\"status\":1,\"error\":{\"message\":\"bad\",\"file\":null}}", false);
	cr_expect_str_eq(err_text, "mr-attach: pid 42: bad\n");
}

Test(human, traceback_then_cause)
{
	expect("exec",
	       "{" RAN ",\"status\":1,\"output\":\"\",\"error\":{\"message\":\"E: \\u001bx\",\"traceback\":\"T\\n  \\u001by\\n\"},"
	       "\"notes\":[\"cut\"]}",
	       "", "mr-attach: pid 42: note: cut\nT\n  \\x1by\nmr-attach: pid 42: E: \\x1bx\n");
}

Test(human, names_cannot_forge_lines)
{
	expect("reload",
	       "{" RAN ",\"status\":0,\"modules\":[{\"name\":\"a\\npid 1: done\",\"state\":\"reloaded\\n\","
	       "\"changed\":[\"\\u202ex\"]}]}",
	       "reloaded\\n  a\\npid 1: done  changed \\u202ex\npid 42: nothing was stale; stopped 0.11 ms, ran 1.5 ms\n", "");
}

Test(human, list)
{
	setenv("TZ", "UTC", 1);
	expect("stale",
	       "{" RAN ",\"status\":0,\"modules\":[{\"name\":\"a\",\"state\":\"stale\",\"path\":\"/s/a.py\",\"why\":\"content\","
	       "\"loaded_at\":86400,\"exact\":true},{\"name\":\"bb\",\"state\":\"missing\",\"path\":\"/s/b.py\"}]}",
	       "stale    a    1970-01-02 00:00:00  /s/a.py\n"
	       "missing  bb                        /s/b.py\n"
	       "pid 42: 1 module stale, 1 whose source is gone; stopped 0.11 ms, ran 1.5 ms\n", "");
	expect("stale",
	       "{" RAN ",\"status\":0,\"modules\":[{\"name\":\"a\",\"state\":\"stale\",\"path\":\"/s/a.py\",\"why\":\"content\","
	       "\"changed\":[\"f\"]},{\"name\":\"b\",\"state\":\"stale\",\"path\":\"/s/b.py\",\"why\":\"undone\"}]}",
	       "stale  a  /s/a.py  changed f\nstale  b  /s/b.py  (undone)\n"
	       "pid 42: 2 modules stale; stopped 0.11 ms, ran 1.5 ms\n", "");
	expect("stale", "{" RAN ",\"status\":0,\"modules\":[]}", "pid 42: nothing is stale; stopped 0.11 ms, ran 1.5 ms\n",
	       "");
}

/* Nothing of what a report may lack or hold may bring it down. */
Test(human, empty_and_odd_reports)
{
	for (size_t i = 0; i < commands_count; i++) {
		struct options options = { .verbose = 1 };

		print(commands[i].name, &options, "{\"pid\":42,\"status\":0}", true);
		print(commands[i].name, &options, "{\"pid\":42,\"status\":1,\"error\":{}}", false);
		print(commands[i].name, &options,
		      "{\"pid\":42,\"status\":0,\"info\":{},\"modules\":[{}],\"history\":[{\"modules\":[{},\"x\"]}],\"heap\":{\"a\":1.5}}",
		      false);
	}
}

Test(human, durations)
{
	static const struct {
		json_int_t us;
		const char *text;
	} rows[] = {
		{ 0, "0.00 ms" }, { 112, "0.11 ms" }, { 1490, "1.5 ms" }, { 25400, "25 ms" }, { 1500000, "1.5 s" },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		human_duration(rows[i].us, text, sizeof(text));
		cr_expect_str_eq(text, rows[i].text);
	}
}
