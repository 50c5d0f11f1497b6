/* SPDX-License-Identifier: MIT */
/* A sender is no receiver. */
/* says: GO_TASK(task, ...): it is not declared as void task( */
#include "goro.h"

void task(go_sender(int) out);

#ifdef ACCEPT
GO_TASK(task, go_sender(int));
#else
GO_TASK(task, go_receiver(int));
#endif
