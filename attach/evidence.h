/* SPDX-License-Identifier: MIT
 *
 * Which sources may have changed, seen from outside: each look at a file from inside would let go of the GIL and wait
 * for it again. The engine asks with the paths of its modules, the answer is one number for each.
 *
 * The number is the latest time, in ns since 1970, at which what the path leads to may have become something else: the
 * ctime of the file, of each link on the way, and of each folder on the way whose ctime is not its mtime (it was renamed).
 * Editors, rsync and git fake dates of content; nobody fakes a ctime.
 */
#ifndef MR_EVIDENCE_H
#define MR_EVIDENCE_H

#include <stddef.h>
#include <sys/types.h>

#define EVIDENCE_UNKNOWN 0	/* not to be seen from here: the engine looks for itself */
#define EVIDENCE_MISSING (-1)	/* there is no such file */
#define EVIDENCE_SILENT 1	/* to a question for a word: it stands nowhere in the file, or `import` does not */
#define EVIDENCE_MENTIONS 2	/* both do */

/*
 * question: absolute paths as the target knows them, each ended by a NUL. ret: an int64_t for each. Both are the target's
 * business: it may name what it likes, but nothing outside of its root is looked at, and root looks with the target's user
 * and group: nothing is told that the target could not see. When the first one is `?WORD`, the question is which of the files
 * mention that word: then regular files are read, up to a size.
 * data: its struct mr_facts. Returns the size of the answer, -1 when there is none, MR_TELL_NEVER when a file system does not
 * answer in time: a thread is left behind there (watch.h), and the target is to keep away.
 */
ssize_t evidence_tell(void *data, const char *question, size_t size, char *ret, size_t room);

#endif
