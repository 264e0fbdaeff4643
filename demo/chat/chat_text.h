/* SPDX-License-Identifier: MIT */
/* What the chat's server and client do with bytes before a person sees them. */
#ifndef DEMO_CHAT_TEXT_H
#define DEMO_CHAT_TEXT_H

#include "kit/bytearray.h"

#include <stdbool.h>

/* A line that is arriving.  All zero except `limit` is an empty one. */
typedef struct {
    size_t limit; /* whatever exceeds it is dropped as it arrives */
    bytearray text;
    bool too_long;
} chat_line;

/*
 * Take bytes up to the end of the line.  Returns how many were taken.  If
 * *ret_complete, the line is complete and stays until line_clear().
 */
size_t line_take(chat_line *line, const char *bytes, size_t size, bool *ret_complete);

void line_clear(chat_line *line);

/*
 * Turn any bytes into text: what is not UTF-8 becomes U+FFFD, byte by byte; what moves
 * the cursor, rings the bell or changes the direction of writing becomes a question
 * mark, and a tab a space. ret_text has room for CLEAN_GROWTH * size.  Returns the
 * text's size.
 */
enum { CLEAN_GROWTH = 3 };
size_t clean_text(const char *bytes, size_t size, char *ret_text);

#endif
