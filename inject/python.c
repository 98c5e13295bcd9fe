/* SPDX-License-Identifier: MIT */
#include "python.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "symbols.h"
#include "util.h"

enum { MINOR_FIRST = 6, MINOR_LAST = 15, INTERPRETERS_MAX = 1000 };
enum { GLIBC_SIGSETXID = 33, MUSL_SIGSYNCCALL = 34 };

/* A function that came with a version tells which one it is at least, where Py_Version (3.11) is lacking. */
static const struct {
	const char *name;
	int minor;
} ladder[] = {
	{ "PyModule_AddObjectRef", 10 },
	{ "PyFrame_GetCode", 9 },
	{ "Py_InitializeFromConfig", 8 },
	{ "PyContextVar_New", 7 },
	{ "PyODict_New", 6 },	/* 3.5, really; 3.6 has _PyErr_FormatFromCause too, see version_read() */
};

/* In the order of struct request_python. A second name is tried where the first is not there. */
static const struct {
	const char *name, *other;
	bool needed;
} symbols[] = {
	{ "Py_IsInitialized", NULL, true },
	{ "Py_IsFinalizing", "_Py_IsFinalizing", false },
	{ "PyGILState_GetThisThreadState", NULL, true },
	{ "PyThreadState_GetUnchecked", "_PyThreadState_UncheckedGet", true },
	{ "PyGILState_Ensure", NULL, true },
	{ "PyGILState_Release", NULL, true },
	{ "Py_CompileString", NULL, true },
	{ "PyEval_EvalCode", NULL, true },
	{ "Py_AddPendingCall", NULL, true },
	{ "PyMemoryView_FromMemory", NULL, true },
	{ "Py_DecRef", NULL, true },
	{ "PyDict_New", NULL, true },
	{ "PyDict_SetItemString", NULL, true },
	{ "PyDict_Clear", NULL, true },
	{ "PyImport_AddModule", NULL, true },
	{ "PyErr_Fetch", NULL, true },
	{ "PyErr_Restore", NULL, true },
	{ "PyErr_Clear", NULL, true },
	{ "PyErr_NormalizeException", NULL, true },
	{ "PyException_SetTraceback", NULL, true },
	{ "PyObject_CallMethod", NULL, true },
	{ "PyThreadState_Get", NULL, true },
	{ "PyThreadState_EnterTracing", NULL, false },
	{ "PyThreadState_LeaveTracing", NULL, false },
	{ "PyInterpreterState_Head", NULL, true },
	{ "PyInterpreterState_Next", NULL, true },
	{ "PyThreadState_SetAsyncExc", NULL, true },
	{ "PyThread_get_thread_ident", NULL, true },
	{ "PyExc_KeyboardInterrupt", NULL, true },
	{ "PyEval_GetFrame", NULL, true },
	{ "PyFrame_GetLineNumber", NULL, true },
	{ "PyObject_GetAttrString", NULL, true },
	{ "PyUnicode_AsUTF8", NULL, true },
	{ "Py_GetRecursionLimit", NULL, true },
	{ "Py_SetRecursionLimit", NULL, true },
};

static const char *const libc_symbols[] = { "__errno_location", "pthread_create", "pthread_self", "pthread_detach" };

_Static_assert(sizeof(struct request_python) == (ARRAY_LEN(symbols) + ARRAY_LEN(libc_symbols)) * sizeof(uint64_t),
	       "struct request_python and the tables go together");

static bool path_has(const struct image *image, const char *part)
{
	return image->map->path && memmem(image->map->path, image->map->path_size, part, strlen(part));
}

/* musl is one image for libc and the dynamic loader, often without a DT_SONAME. */
static bool is_musl(const struct image *image)
{
	static const char *const names[] = { "/ld-musl-", "/libc.musl-" };
	static const char plain[] = "/libc.so";
	size_t size = image->map->path_size;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (path_has(image, names[i]))
			return true;
	return size >= sizeof(plain) - 1 &&
	       memcmp(image->map->path + size - (sizeof(plain) - 1), plain, sizeof(plain) - 1) == 0;
}

/* By its file name: what cannot be libc is not opened, there may be hundreds of images. */
static bool may_be_libc(const struct image *image)
{
	static const char *const starts[] = { "/libc", "/libpthread", "/ld-" };
	const char *path = image->map->path, *slash = path ? memrchr(path, '/', image->map->path_size) : NULL;

	for (size_t i = 0; slash && i < ARRAY_LEN(starts); i++)
		if ((size_t)(path + image->map->path_size - slash) > strlen(starts[i]) &&
		    memcmp(slash, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static bool is_libc(struct image *image)
{
	static const char *const names[] = { "libc.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2" };

	if (map_path_is(image->map, "[vdso]"))
		return true;
	if (is_musl(image))
		return true;
	if (!may_be_libc(image) || !image_open(image) || !image->soname)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(image->soname, names[i]) == 0)
			return true;
	return false;
}

enum role interpreter_role(const struct interpreter *python, struct image *image)
{
	if (!image || !image_open(image))
		return ROLE_UNKNOWN;
	if (image == python->image)
		return ROLE_PYTHON;
	if (is_libc(image))
		return ROLE_LIBC;
	return symbols_find(image, "malloc") ? ROLE_ALLOCATOR : ROLE_OTHER;
}

bool interpreter_own(const struct interpreter *python, struct image *image)
{
	return image && (image == python->image || path_has(image, "/lib-dynload/"));
}

static bool is_python(struct image *image)
{
	return symbols_find(image, "Py_AddPendingCall") != 0;
}

/*
 * The interpreter is in the executable or in a library called libpython, and only if neither has it, in any other image
 * (a program that links it statically into a library of its own).
 */
static struct image *python_image(struct images *images, const struct mr_facts *facts)
{
	size_t exe = strlen(facts->executable);

	for (int pass = 0; pass < 3; pass++)
		for (size_t i = 0; i < images->count; i++) {
			struct image *image = &images->image[i];
			bool is_exe = image->map->path && image->map->path_size == exe &&
				      memcmp(image->map->path, facts->executable, exe) == 0;
			bool is_lib = path_has(image, "libpython");

			if ((pass == 0 ? is_lib : pass == 1 ? is_exe : !is_exe && !is_lib) && is_python(image))
				return image;
		}
	return NULL;
}

static int not_python(struct images *images, const struct mr_facts *facts, struct mr_error *err)
{
	for (size_t i = 0; i < images->count; i++)
		if (path_has(&images->image[i], "libpypy") || symbols_find(&images->image[i], "pypy_main_startup"))
			return mr_fail(err, MR_E_PYPY, 0, "%s", facts->executable);
	for (size_t i = 0; i < images->count; i++)
		if (image_open(&images->image[i]))
			return mr_fail(err, MR_E_NOT_PYTHON, 0, "%s", facts->executable);
	return mr_fail(err, MR_E_NOT_64BIT, 0, "%s", facts->executable);
}

static uint32_t word_at(struct image *image, const char *name)
{
	uint64_t at = symbols_find(image, name);
	uint32_t word = 0;

	return at && memory_read(image->memory, at, &word, sizeof(word)) == 0 ? word : 0;
}

static int version_read(struct image *image, struct mr_python *facts, struct mr_error *err)
{
	uint32_t version = word_at(image, "Py_Version");

	facts->major = 3;
	facts->micro = -1;
	if (symbols_find(image, "PyString_FromString"))
		return mr_fail(err, MR_E_PYTHON2, 0, "%s", facts->image);
	if (version) {
		facts->major = (int)(version >> 24);
		facts->minor = (int)(version >> 16 & 0xff);
		facts->micro = (int)(version >> 8 & 0xff);
	}
	for (size_t i = 0; !version && i < ARRAY_LEN(ladder) && !facts->minor; i++)
		if (symbols_find(image, ladder[i].name))
			facts->minor = ladder[i].minor;
	if (!version && facts->minor == 6 && !symbols_find(image, "PyOS_FSPath")) /* 3.6 */
		facts->minor = 5;
	if (facts->major != 3 || facts->minor < MINOR_FIRST || facts->minor > MINOR_LAST)
		return mr_fail(err, MR_E_VERSION, 0, "%s is CPython %d.%d", facts->image, facts->major, facts->minor);
	return 0;
}

static int calls_find(struct interpreter *python, struct mr_error *err)
{
	uint64_t *slot = (uint64_t *)&python->calls;

	for (size_t i = 0; i < ARRAY_LEN(symbols); i++, slot++) {
		*slot = symbols_find(python->image, symbols[i].name);
		if (!*slot && symbols[i].other)
			*slot = symbols_find(python->image, symbols[i].other);
		if (!*slot && symbols[i].needed)
			return mr_fail(err, MR_E_NOT_PYTHON, 0, "%s does not export %s", python->facts.image,
				       symbols[i].name);
	}
	return 0;
}

/* libc's functions may be spread over libc and libpthread (glibc before 2.34). */
static void libc_find(struct interpreter *python, struct images *images)
{
	struct request_python *calls = &python->calls;
	uint64_t *const slots[ARRAY_LEN(libc_symbols)] = { &calls->errno_location, &calls->pthread_create,
							   &calls->pthread_self, &calls->pthread_detach };

	for (size_t i = 0; i < images->count; i++) {
		struct image *image = &images->image[i];

		if (!is_libc(image))
			continue;
		for (size_t k = 0; k < ARRAY_LEN(slots); k++)
			if (!*slots[k])
				*slots[k] = symbols_find(image, libc_symbols[k]);
		if (symbols_find(image, "malloc"))
			python->libc = image;
	}
}

static bool word_load(void *data, uint64_t at, uint64_t *ret)
{
	return memory_read(data, at, ret, sizeof(*ret)) == 0;
}

/* What CPython's own function would return: it only loads (Python/pystate.c, PyInterpreterState_Head and _Next). */
static bool getter(const struct interpreter *python, uint64_t function, uint64_t arg, uint64_t *ret)
{
	uint64_t room = image_room(python->image, function);
	size_t size = room < CPU_GETTER_MAX ? (size_t)room : CPU_GETTER_MAX;
	const uint8_t *code = image_code(python->image, function, size);
	struct memory memory = *python->image->memory;

	return code && cpu_getter(function, code, size, arg, word_load, &memory, ret);
}

static int interpreter_count(const struct interpreter *python)
{
	const struct request_python *calls = &python->calls;
	uint64_t state;
	int count = 0;

	if (!getter(python, calls->PyInterpreterState_Head, 0, &state))
		return -1;
	while (state && count < INTERPRETERS_MAX) {
		count++;
		if (!getter(python, calls->PyInterpreterState_Next, state, &state))
			return -1;
	}
	return count ? count : -1;
}

int interpreter_find(struct images *images, const struct mr_facts *facts, struct interpreter *ret, struct mr_error *err)
{
	int r;

	*ret = (struct interpreter){ .image = python_image(images, facts) };
	if (!ret->image)
		return not_python(images, facts, err);
	if (map_path(ret->image->map, ret->facts.image, sizeof(ret->facts.image)) < 0)
		ret->facts.image[0] = 0;
	r = version_read(ret->image, &ret->facts, err);
	if (r == 0)
		r = calls_find(ret, err);
	if (r < 0)
		return r;
	libc_find(ret, images);
	if (!ret->calls.errno_location)
		return mr_fail(err, MR_E_NOT_PYTHON, 0, "no libc was found in the process");
	ret->facts.shared = path_has(ret->image, "libpython");
	ret->facts.debug = symbols_find(ret->image, "_Py_NegativeRefcount") || symbols_find(ret->image, "_Py_RefTotal");
	ret->facts.free_threaded = symbols_find(ret->image, "_Py_MergeZeroLocalRefcount") != 0;
	ret->facts.musl = ret->libc && is_musl(ret->libc);
	ret->facts.interpreters = interpreter_count(ret);
	return 0;
}

uint64_t interpreter_blocked(const struct interpreter *python)
{
	return ~(UINT64_C(1) << ((python->facts.musl ? MUSL_SIGSYNCCALL : GLIBC_SIGSETXID) - 1));
}

uint64_t interpreter_tracing(const struct interpreter *python)
{
	return python->facts.minor > 10 ? 0 : python->facts.minor > 6 ? 44 : 40;
}

/* Up to 3.6 it is a variable, and Py_IsInitialized says no from early on. */
bool interpreter_finalizing(const struct interpreter *python)
{
	uint64_t at = symbols_find(python->image, "_Py_Finalizing"), thread = 0;

	return at && memory_read(python->image->memory, at, &thread, sizeof(thread)) == 0 && thread;
}

/* The version string of sys.version begins with "3.MINOR.MICRO"; it stands in the data that is not executable. */
void interpreter_micro(struct interpreter *python)
{
	struct image *image = python->image;
	char wanted[16];

	(void)snprintf(wanted, sizeof(wanted), "3.%d.", python->facts.minor);
	for (size_t i = 0; python->facts.micro < 0 && i < image->loads; i++) {
		const struct image_load *l = &image->load[i];
		const char *bytes = l->executable && i ? NULL : image_bytes(image, l->offset, l->size);
		const char *at = bytes;

		while (at && (at = memmem(at, l->size - (size_t)(at - bytes), wanted, strlen(wanted)))) {
			const char *digits = at + strlen(wanted);
			size_t room = l->size - (size_t)(digits - bytes);
			char number[4] = { 0 };
			size_t n = 0;

			while (n < 3 && n < room && digits[n] >= '0' && digits[n] <= '9') {
				number[n] = digits[n];
				n++;
			}
			if (n && n < room && digits[n] == 0 && at > bytes && at[-1] == 0) {
				python->facts.micro = (int)strtol(number, NULL, 10);
				break;
			}
			at = digits;
		}
	}
}
