/* SPDX-License-Identifier: MIT */
/* demo/monitor/monitor_page.html, as demo/monitor/embed.py makes it a part of the program. */
#ifndef DEMO_MONITOR_PAGE_H
#define DEMO_MONITOR_PAGE_H

#include <stddef.h>

extern const unsigned char monitor_page[];
extern const size_t monitor_page_size;

#endif
