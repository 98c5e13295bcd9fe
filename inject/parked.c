/* SPDX-License-Identifier: MIT
 *
 * A wait for the GIL is not a parked thread. CPython waits for the GIL in pthread_cond_timedwait, pthread_cond_wait and
 * pthread_mutex_lock only (Python/ceval_gil.h, Python/thread_pthread.h, 3.6 to 3.15), and for its locks in sem_*. So the
 * libc function that waits tells the two apart, and it is named by the call instruction in its caller: libc's own frames
 * are often unnamed static functions, as the exported one has left by a tail call.
 */
#include "moment.h"

#include <string.h>

#include "symbols.h"
#include "util.h"

enum wait_class {
	WAIT_NONE,
	WAIT_CALL,	/* a wrapper of a waiting system call */
	WAIT_SEMAPHORE,	/* sem_*: CPython's own locks, released GIL */
	WAIT_OTHER_ONLY,/* condition variables, joins: not from the interpreter's own image */
};

static const struct {
	const char *name;
	enum wait_class class;
} waits[] = {
	{ "select", WAIT_CALL },	{ "pselect", WAIT_CALL },	 { "poll", WAIT_CALL },
	{ "ppoll", WAIT_CALL },		{ "__poll", WAIT_CALL },	 { "__poll_chk", WAIT_CALL },
	{ "__select", WAIT_CALL },	{ "epoll_wait", WAIT_CALL },	 { "epoll_pwait", WAIT_CALL },
	{ "epoll_pwait2", WAIT_CALL },	{ "nanosleep", WAIT_CALL },	 { "__nanosleep", WAIT_CALL },
	{ "clock_nanosleep", WAIT_CALL }, { "usleep", WAIT_CALL },	 { "sleep", WAIT_CALL },
	{ "read", WAIT_CALL },		{ "__read", WAIT_CALL },	 { "__read_chk", WAIT_CALL },
	{ "readv", WAIT_CALL },		{ "pread64", WAIT_CALL },	 { "preadv", WAIT_CALL },
	{ "write", WAIT_CALL },		{ "__write", WAIT_CALL },	 { "writev", WAIT_CALL },
	{ "recv", WAIT_CALL },		{ "recvfrom", WAIT_CALL },	 { "recvmsg", WAIT_CALL },
	{ "__recv_chk", WAIT_CALL },	{ "__recvfrom_chk", WAIT_CALL }, { "recvmmsg", WAIT_CALL },
	{ "send", WAIT_CALL },		{ "sendto", WAIT_CALL },	 { "sendmsg", WAIT_CALL },
	{ "accept", WAIT_CALL },	{ "accept4", WAIT_CALL },	 { "connect", WAIT_CALL },
	{ "wait", WAIT_CALL },		{ "wait3", WAIT_CALL },		 { "wait4", WAIT_CALL },
	{ "waitpid", WAIT_CALL },	{ "waitid", WAIT_CALL },	 { "__waitpid", WAIT_CALL },
	{ "sigwait", WAIT_CALL },	{ "sigwaitinfo", WAIT_CALL },	 { "sigtimedwait", WAIT_CALL },
	{ "pause", WAIT_CALL },		{ "sigsuspend", WAIT_CALL },	 { "flock", WAIT_CALL },
	{ "fcntl", WAIT_CALL },		{ "fcntl64", WAIT_CALL },	 { "lockf", WAIT_CALL },
	{ "lockf64", WAIT_CALL },	{ "open", WAIT_CALL },		 { "open64", WAIT_CALL },
	{ "openat", WAIT_CALL },	{ "openat64", WAIT_CALL },	 { "msgrcv", WAIT_CALL },
	{ "msgsnd", WAIT_CALL },	{ "semop", WAIT_CALL },		 { "semtimedop", WAIT_CALL },
	{ "splice", WAIT_CALL },	{ "sendfile64", WAIT_CALL },	 { "tcdrain", WAIT_CALL },
	{ "sem_wait", WAIT_SEMAPHORE }, { "sem_timedwait", WAIT_SEMAPHORE }, { "sem_clockwait", WAIT_SEMAPHORE },
	{ "pthread_cond_wait", WAIT_OTHER_ONLY }, { "pthread_cond_timedwait", WAIT_OTHER_ONLY },
	{ "pthread_cond_clockwait", WAIT_OTHER_ONLY },
};

/* From 3.13 on the interpreter's internal mutexes wait on semaphores too, and may hand over what we would then want. */
static const char *const internal[] = { "PyMutex_Lock", "_PyMutex_LockSlow", "_PyRWMutex_Lock", "_PyRWMutex_RLock",
					"_PyOnceFlag_CallOnceSlow", "_PyCriticalSection_BeginSlow" };

const char *callee_name(struct image *image, uint64_t return_address)
{
	const uint8_t *before = image_code(image, return_address - CPU_CALL_MAX, CPU_CALL_MAX);
	uint64_t target = 0, slot;
	enum cpu_target kind = before ? cpu_call_before(return_address, before, CPU_CALL_MAX, &target) : CPU_TARGET_NONE;
	const uint8_t *plt;

	if (kind == CPU_TARGET_SLOT)
		return symbols_slot(image, target);
	if (kind != CPU_TARGET_DIRECT)
		return NULL;
	plt = image_code(image, target, CPU_PLT_SIZE);
	return plt && cpu_plt_slot(target, plt, CPU_PLT_SIZE, &slot) ? symbols_slot(image, slot) : NULL;
}

static enum wait_class class_of(const char *name, const char **ret)
{
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		if (strcmp(waits[i].name, name) == 0) {
			if (ret)
				*ret = waits[i].name;
			return waits[i].class;
		}
	return WAIT_NONE;
}

/* For an indirect call (libffi, a function pointer): libc's outermost frame, if it begins at an exported waiting function. */
static enum wait_class class_by_frame(const struct frame *frame, const char **ret)
{
	uint64_t start, end;

	if (!symbols_function(frame->image, frame->exact ? frame->pc : frame->pc - 1, &start, &end))
		return WAIT_NONE;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		if (symbols_find(frame->image, waits[i].name) == start) {
			if (ret)
				*ret = waits[i].name;
			return waits[i].class;
		}
	return WAIT_NONE;
}

/* The length of the run of libc frames that the stack begins with. */
static size_t libc_run(const struct scene *scene)
{
	size_t n = 0;

	while (n < scene->stack.count && interpreter_role(scene->python, scene->stack.frame[n].image) == ROLE_LIBC)
		n++;
	return n;
}

static bool is_internal(const struct frame *frame)
{
	const char *name = callee_name(frame->image, frame->pc);
	uint64_t start, end;
	bool found = symbols_function(frame->image, frame->pc - 1, &start, &end);

	for (size_t i = 0; i < ARRAY_LEN(internal); i++)
		if ((name && strcmp(name, internal[i]) == 0) ||
		    (found && symbols_find(frame->image, internal[i]) == start))
			return true;
	return false;
}

/* Between a semaphore and the next frame that evaluates bytecode, none may be of an internal mutex. */
static bool semaphore_internal(const struct scene *scene, size_t at)
{
	uint64_t eval = symbols_find(scene->python->image, "_PyEval_EvalFrameDefault");

	for (; at < scene->stack.count; at++) {
		const struct frame *frame = &scene->stack.frame[at];
		uint64_t start, end;

		if (frame->image != scene->python->image)
			continue;
		if (symbols_function(frame->image, frame->pc - 1, &start, &end) && start == eval)
			return false;
		if (is_internal(frame))
			return true;
	}
	return false;
}

/*
 * musl has no unwind tables, but its allocator and its locks wait in futex only, as does CPython for the GIL; so every
 * other blocked call is a wait that holds nothing of libc's.
 */
static bool parked_by_number(const struct scene *scene)
{
	static const struct cpu_numbers *const n = &cpu_numbers;
	const long numbers[] = { n->read,	  n->write,    n->readv,     n->restart_syscall,
				 n->select,	  n->pselect6, n->ppoll,     n->poll,	  n->epoll_wait,
				 n->epoll_pwait,  n->accept,   n->accept4,   n->recvfrom, n->recvmsg,
				 n->nanosleep,	  n->clock_nanosleep,	     n->wait4,	  n->waitid };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (scene->call.nr == numbers[i])
			return true;
	return false;
}

/*
 * A library may stand before libc and call it in its turn (LD_PRELOAD: libfaketime, tracers of locks); what the interpreter itself has
 * called is told by its own call.
 */
static bool waits_for_gil(const struct scene *scene, size_t at)
{
	const struct frame *frame;
	const char *name;

	while (at < scene->stack.count && scene->stack.frame[at].image != scene->python->image)
		at++;
	frame = &scene->stack.frame[at];
	name = at < scene->stack.count && frame->image ? callee_name(frame->image, frame->pc) : NULL;
	return name && strncmp(name, "pthread_", strlen("pthread_")) == 0;
}

bool moment_in_handler(const struct scene *scene)
{
	for (size_t i = 1; i < scene->stack.count; i++)
		if (scene->stack.frame[i].exact)
			return true;
	return false;
}

bool moment_parked(struct scene *scene, const char **ret_name)
{
	size_t run = libc_run(scene);
	const struct frame *caller = &scene->stack.frame[run];
	enum wait_class class;
	enum role role;
	const char *name;

	if (!scene->call.in)
		return false;
	if (scene->python->facts.musl)
		return parked_by_number(scene);
	if (run == 0 || run >= scene->stack.count || moment_in_handler(scene))
		return false;
	role = interpreter_role(scene->python, caller->image);
	if (role != ROLE_PYTHON && role != ROLE_OTHER)
		return false;
	name = callee_name(caller->image, caller->pc);
	class = name ? class_of(name, ret_name) : class_by_frame(&scene->stack.frame[run - 1], ret_name);
	if (waits_for_gil(scene, run))
		return false;
	if (class == WAIT_SEMAPHORE)
		return scene->python->facts.minor < 13 || !semaphore_internal(scene, run);
	if (class == WAIT_OTHER_ONLY)
		return role == ROLE_OTHER;
	return class != WAIT_NONE;
}

bool moment_outside(const struct scene *scene)
{
	for (size_t i = 0; i < scene->stack.count; i++) {
		enum role role = interpreter_role(scene->python, scene->stack.frame[i].image);

		if (role == ROLE_PYTHON || role == ROLE_UNKNOWN)
			return false;
	}
	return scene->stack.ended && !moment_in_handler(scene);
}

/* Its own calls are direct. Through a pointer calls libffi, for ctypes: some builds have it in their own image, or in that of _ctypes. */
bool moment_python_caller(struct scene *scene)
{
	size_t run = libc_run(scene);
	const struct frame *caller = &scene->stack.frame[run];

	return run > 0 && run < scene->stack.count && interpreter_own(scene->python, caller->image) &&
	       callee_name(caller->image, caller->pc);
}

/* Python code is under way: the interpreter's image may hold code of a program that embeds it. */
static bool evaluates(const struct scene *scene)
{
	static const char *const names[] = { "_PyEval_EvalFrameDefault", "PyEval_EvalCode", "PyObject_Vectorcall",
					     "_PyFunction_Vectorcall" };
	struct image *image = scene->python->image;
	uint64_t start, end;

	for (size_t i = 0; i < scene->stack.count; i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (scene->stack.frame[i].image == image && symbols_find(image, names[k]) &&
			    symbols_function(image, scene->stack.frame[i].pc - 1, &start, &end) &&
			    start == symbols_find(image, names[k]))
				return true;
	return false;
}

bool moment_retries(struct scene *scene)
{
	static const char *const once[] = { "pause", "sigsuspend", "tcdrain", "connect", "sleep", "usleep" };
	const char *name = NULL;

	if (!moment_python_caller(scene) || !moment_parked(scene, &name) || !name)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(once); i++)
		if (strcmp(name, once[i]) == 0)
			return false;
	return evaluates(scene);
}
