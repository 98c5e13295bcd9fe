/* SPDX-License-Identifier: MIT
 *
 * SIGINT, SIGTERM and SIGHUP ask the work to come to an end; what has begun is brought to a known state.
 */
#ifndef MR_SIGNALS_H
#define MR_SIGNALS_H

#include <stdbool.h>

void signals_install(void);
void signals_hold_stops(bool hold);		/* Ctrl-Z and the like have to wait */
int signals_caught(void);			/* the first signal that came, 0 for none */

#endif
