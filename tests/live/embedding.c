/* SPDX-License-Identifier: MIT
 *
 * embedding LIBPYTHON HOW: a program that has CPython in it, and waits with the GIL held until its standard input says
 * something; then it prints what Python's `answer` is by then, as JSON.
 *
 *	outside		between two calls of CPython's API
 *	inside		in a C function that Python code called
 *	switched	the same, but on a stack of its own
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static void wait_for_input(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	while (poll(&input, 1, -1) < 0)
		(void)fputs("{\"interrupted\": true}\n", stdout);
}

static ucontext_t here, there;
static char other_stack[1 << 20];

/* Called from Python. */
void embedding_wait(void);
void embedding_wait_elsewhere(void);

void embedding_wait(void)
{
	wait_for_input();
}

void embedding_wait_elsewhere(void)
{
	(void)getcontext(&there);
	there.uc_stack.ss_sp = other_stack;
	there.uc_stack.ss_size = sizeof(other_stack);
	there.uc_link = &here;
	makecontext(&there, wait_for_input, 0);
	(void)swapcontext(&here, &there);
}

static void *symbol(void *library, const char *name)
{
	void *found = dlsym(library, name);

	if (!found) {
		(void)fprintf(stderr, "%s\n", dlerror());
		exit(2);
	}
	return found;
}

int main(int argc, char **argv)
{
	void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
	void (*initialize)(void);
	int (*run)(const char *);
	int r;

	if (!library) {
		(void)fprintf(stderr, "embedding LIBPYTHON HOW: %s\n", argc == 3 ? dlerror() : "");
		return 2;
	}
	*(void **)&initialize = symbol(library, "Py_Initialize");
	*(void **)&run = symbol(library, "PyRun_SimpleString");
	initialize();
	r = run("import ctypes\nanswer = 1\nprint('{\"ready\": true}', flush=True)\n");
	if (!strcmp(argv[2], "outside"))
		wait_for_input();
	else if (!strcmp(argv[2], "inside"))
		r |= run("ctypes.PyDLL(None).embedding_wait()");
	else
		r |= run("ctypes.PyDLL(None).embedding_wait_elsewhere()");
	r |= run("print('{\"report\": {\"wrong\": [], \"answer\": %r}}' % answer, flush=True)");
	return r ? 1 : 0;
}
