/* SPDX-License-Identifier: MIT */
/*
 * monitor.h - the watchdog thread.
 */
#ifndef GORO_MONITOR_H
#define GORO_MONITOR_H

#include "proc.h"

void	monitor_start(void);

/* Left by debug/dump.c: the report of a deadlock; does not return. */
extern void	(*monitor_deadlock)(const char *text);

#endif
