/* SPDX-License-Identifier: MIT
 *
 * Moments of a thread that is not parked.
 *
 * queue: Py_AddPendingCall takes one lock. It cannot be called from a thread that holds that lock, and a function that
 * holds it must give it back: so it calls a lock primitive itself, or jumps (from its cold part) into code that does,
 * or returns to a caller that does, which is then on the stack. Hence it is enough to look at the code of the innermost
 * frames, up to a frame that is never called with the lock held.
 */
#include "moment.h"

#include <string.h>

#include "symbols.h"
#include "util.h"

enum {
	FRAMES_JUDGED = 4,	/* other than libc's, if no frame before is one that is never called under the lock */
	CODE_MAX = 262144,	/* a function that is larger is not read: look again */
	COLD_JUMPS_MAX = 64,
	BACK_JUMPS_MIN = 8,	/* so many bytes do not look like jumps into one function by accident */
};

static const char *const primitives[] = {
	"PyThread_acquire_lock", "PyThread_acquire_lock_timed", "PyThread_release_lock", "PyMutex_Lock", "PyMutex_Unlock",
	"_PyMutex_LockSlow", "_PyMutex_UnlockSlow", "_PyMutex_LockTimed", "_PyMutex_TryUnlock", "_PyRawMutex_LockSlow",
	"_PyRawMutex_UnlockSlow", "_PyParkingLot_Park", "_PyParkingLot_Unpark", "_PyParkingLot_UnparkAll",
	"_PySemaphore_Wait", "_PySemaphore_Wakeup", "_PyRWMutex_Lock", "_PyRWMutex_Unlock", "_PyRWMutex_RLock",
	"_PyRWMutex_RUnlock", "_PyRecursiveMutex_Lock", "_PyRecursiveMutex_Unlock", "Py_AddPendingCall",
	"Py_MakePendingCalls", "_PyEval_AddPendingCall", "_Py_FinishPendingCalls",
};

/* Of other images, by the name that the relocation gives. */
static const char *const foreign[] = { "sem_wait", "sem_timedwait", "sem_clockwait", "sem_trywait", "sem_post" };

/*
 * Never called with the lock held: they run bytecode or arbitrary callees. PyEval_RestoreThread waits for the GIL; from
 * 3.13 on a mutex may have been handed to a thread that waits there, so there it does not count.
 */
static const struct {
	const char *name;
	int last_minor;
} clean[] = {
	{ "_PyEval_EvalFrameDefault", 99 }, { "PyEval_EvalCode", 99 }, { "PyObject_Call", 99 },
	{ "PyObject_Vectorcall", 99 }, { "_PyObject_Vectorcall", 99 }, { "_PyFunction_Vectorcall", 99 },
	{ "PyEval_RestoreThread", 12 },
};

struct lock_scan {
	struct image *image;
	uint64_t primitive[ARRAY_LEN(primitives)];
	uint64_t jump[COLD_JUMPS_MAX];	/* starts of functions jumped into */
	size_t jumps;
	uint64_t start, end;		/* of the function that is read */
	bool follow;
};

static bool name_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; name && i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool slot_locks(struct lock_scan *scan, uint64_t slot)
{
	const char *name = symbols_slot(scan->image, slot);

	return name_among(name, foreign, ARRAY_LEN(foreign)) || name_among(name, primitives, ARRAY_LEN(primitives));
}

static bool is_primitive(const struct lock_scan *scan, uint64_t address)
{
	for (size_t i = 0; i < ARRAY_LEN(primitives); i++)
		if (scan->primitive[i] == address)
			return true;
	return false;
}

/* The slot of the PLT entry at the target, if that is what it is. */
static bool plt_entry(struct lock_scan *scan, uint64_t target, uint64_t *slot)
{
	const uint8_t *code = image_executable(scan->image, target) ? image_code(scan->image, target, CPU_PLT_SIZE) : NULL;

	return code && cpu_plt_slot(target, code, CPU_PLT_SIZE, slot);
}

static void jump_note(struct lock_scan *scan, uint64_t target)
{
	uint64_t start, end, slot;

	if (!scan->follow || scan->jumps == COLD_JUMPS_MAX || (target >= scan->start && target < scan->end) ||
	    !image_executable(scan->image, target) || !symbols_function(scan->image, target, &start, &end) ||
	    start == target ||	/* a tail call: that function is not a part of this one */
	    plt_entry(scan, target & ~UINT64_C(15), &slot)) /* bytes that only look like a jump */
		return;
	for (size_t i = 0; i < scan->jumps; i++)
		if (scan->jump[i] == start)
			return;
	scan->jump[scan->jumps++] = start;
}

/* Returns false, to end the search, at the first lock primitive. */
static bool visit(void *data, enum cpu_target kind, uint64_t target)
{
	struct lock_scan *scan = data;
	uint64_t slot;

	if (kind == CPU_TARGET_SLOT)
		return !(image_room(scan->image, target) && !image_executable(scan->image, target) &&
			 slot_locks(scan, target));
	if (is_primitive(scan, target))
		return false;
	if (plt_entry(scan, target, &slot))
		return !slot_locks(scan, slot);
	jump_note(scan, target);
	return true;
}

static bool code_locks(struct lock_scan *scan, uint64_t pc, bool follow)
{
	const uint8_t *code;
	size_t size;

	if (!symbols_function(scan->image, pc, &scan->start, &scan->end) || scan->end - scan->start > CODE_MAX)
		return true;
	if (is_primitive(scan, scan->start))
		return true;
	size = scan->end - scan->start;
	code = image_code(scan->image, scan->start, size);
	scan->follow = follow;
	return !code || !cpu_jumps(scan->start, code, size, visit, scan);
}

static bool function_locks(struct lock_scan *scan, uint64_t pc)
{
	scan->jumps = 0;
	if (code_locks(scan, pc, true))
		return true;
	for (size_t i = 0, n = scan->jumps; i < n; i++)
		if (code_locks(scan, scan->jump[i], false))
			return true;
	return false;
}

/* The start of the clean function that the address lies in, or 0. */
static uint64_t clean_at(const struct scene *scene, uint64_t address)
{
	uint64_t start, end;

	if (!symbols_function(scene->python->image, address, &start, &end))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(clean); i++)
		if (scene->python->facts.minor <= clean[i].last_minor &&
		    symbols_find(scene->python->image, clean[i].name) == start)
			return start;
	return 0;
}

struct back_scan {
	uint64_t clean_start[ARRAY_LEN(clean)], clean_end[ARRAY_LEN(clean)];
	size_t jumps;
};

static bool back_visit(void *data, enum cpu_target kind, uint64_t target)
{
	struct back_scan *scan = data;

	for (size_t i = 0; kind == CPU_TARGET_DIRECT && i < ARRAY_LEN(clean); i++)
		if (target > scan->clean_start[i] && target < scan->clean_end[i])
			scan->jumps++;
	return scan->jumps < BACK_JUMPS_MIN;
}

/* The cold part of a clean function stands apart, with an FDE of its own; it jumps back into the midst of it. */
static bool is_cold_part(const struct scene *scene, uint64_t start, uint64_t end)
{
	struct image *image = scene->python->image;
	struct back_scan scan = { .jumps = 0 };
	const uint8_t *code = end - start <= CODE_MAX ? image_code(image, start, end - start) : NULL;

	for (size_t i = 0; i < ARRAY_LEN(clean); i++) {
		uint64_t at = scene->python->facts.minor <= clean[i].last_minor ? symbols_find(image, clean[i].name) : 0;

		if (!at || !symbols_function(image, at, &scan.clean_start[i], &scan.clean_end[i]))
			scan.clean_start[i] = scan.clean_end[i] = 0;
	}
	return code && !cpu_jumps(start, code, end - start, back_visit, &scan);
}

/* Judges the function at pc, once. Clean: it and nothing that is part of it ever runs with the lock held. */
static void judge(const struct scene *scene, uint64_t pc, bool *locks, bool *is_clean)
{
	struct verdicts *known = scene->verdicts;
	struct lock_scan scan = { .image = scene->python->image };
	uint64_t start, end;

	*locks = true;
	*is_clean = false;
	if (!symbols_function(scan.image, pc, &start, &end))
		return;
	for (size_t i = 0; i < known->count; i++)
		if (known->of[i].start == start) {
			*locks = known->of[i].locks;
			*is_clean = known->of[i].clean;
			return;
		}
	for (size_t i = 0; i < ARRAY_LEN(primitives); i++)
		scan.primitive[i] = symbols_find(scan.image, primitives[i]);
	*is_clean = clean_at(scene, pc) || (is_cold_part(scene, start, end) && !code_locks(&scan, pc, false));
	*locks = !*is_clean && function_locks(&scan, pc);
	if (known->count < ARRAY_LEN(known->of)) {
		known->of[known->count].start = start;
		known->of[known->count].locks = *locks;
		known->of[known->count++].clean = *is_clean;
	}
}

bool moment_queue(struct scene *scene)
{
	size_t judged = 0;

	for (size_t i = 0; i < scene->stack.count && judged < FRAMES_JUDGED; i++) {
		const struct frame *frame = &scene->stack.frame[i];
		uint64_t pc = frame->exact ? frame->pc : frame->pc - 1;
		enum role role = interpreter_role(scene->python, frame->image);
		bool locks, is_clean;

		if (role == ROLE_UNKNOWN || (frame->exact && i > 0))
			return false;
		if (role == ROLE_LIBC)
			continue;
		judged++;
		if (role != ROLE_PYTHON)
			continue;
		judge(scene, pc, &locks, &is_clean);
		if (is_clean)
			return true;
		if (locks)
			return false;
	}
	return judged == FRAMES_JUDGED;
}

/*
 * spawn: pthread_create takes libc's locks and allocates. libc's locks are held only inside libc, an allocator's only
 * inside it; so none of their frames may be on the stack, but those of libc that the thread began with.
 */
bool moment_spawn(struct scene *scene)
{
	const struct stack *stack = &scene->stack;
	size_t last = stack->count;

	if (!stack->ended || scene->python->facts.musl)
		return false;
	if (last > 1 && interpreter_role(scene->python, stack->frame[last - 1].image) != ROLE_LIBC)
		last--;		/* _start of the executable, which called libc's start-up code */
	while (last > 0 && interpreter_role(scene->python, stack->frame[last - 1].image) == ROLE_LIBC)
		last--;
	for (size_t i = 0; i < last; i++) {
		enum role role = interpreter_role(scene->python, stack->frame[i].image);

		if ((role != ROLE_PYTHON && role != ROLE_OTHER) || (stack->frame[i].exact && i > 0))
			return false;
	}
	return last > 0;
}

void scene_look(struct scene *scene, const uint64_t registers[CPU_DWARF_REGS], size_t depth)
{
	scene->stack.count = unwind(scene->unwinder, registers, scene->stack.frame,
				    depth < UNWIND_FRAMES_MAX ? depth : UNWIND_FRAMES_MAX, &scene->stack.ended);
}
