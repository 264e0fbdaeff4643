/* SPDX-License-Identifier: MIT */
/* demo/monitor/monitor_page.html, made part of the program by demo/monitor/embed.py. */
#ifndef DEMO_MONITOR_PAGE_H
#define DEMO_MONITOR_PAGE_H

#include <stddef.h>

extern const unsigned char monitor_page[];
extern const size_t monitor_page_size;

#endif
