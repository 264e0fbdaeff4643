/* SPDX-License-Identifier: MIT */
/*
 * What the chat does with bytes (demo/chat/chat_text.c): lines out of pieces of any size, and
 * text that can't harm a terminal.
 *
 * The bytes after the first two are the stream; those two are the lines' limit and the
 * size of the pieces.
 */
#include "chat/chat_text.h"

#include "fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 4096 };

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* One character of clean text; UTF-8's own rules are checked by clean_text() again. */
static size_t check_character(const unsigned char *text, size_t size)
{
    size_t length = 1;

    if (text[0] < 0x20 || text[0] == 0x7f || is_continuation(text[0]))
        broken("byte 0x%02x at the beginning of a character", text[0]);
    while (text[0] >= 0x80 && length < size && is_continuation(text[length]))
        length++;
    if (text[0] == 0xc2 && length == 2 && text[1] < 0xa0)
        broken("control character U+%04X", text[1]);
    if (length == 3 && memcmp(text, "\xe2\x80\xae", 3) == 0)
        broken("text that turns the direction of writing");
    return length;
}

static void check_clean(const char *bytes, size_t size)
{
    static char text[CLEAN_GROWTH * LARGEST];
    static char again[CLEAN_GROWTH * sizeof text];
    size_t length = clean_text(bytes, size, text), length_again;

    if (length > CLEAN_GROWTH * size || (length == 0) != (size == 0))
        broken("%zu bytes became %zu", size, length);
    for (size_t i = 0; i < length;)
        i += check_character((const unsigned char *)text + i, length - i);
    length_again = clean_text(text, length, again);
    if (length_again != length || memcmp(again, text, length) != 0)
        broken("what is clean was cleaned once more");
}

/* The line that began at `begin` is what was taken of it, or is known to be too long. */
static void check_line(const chat_line *line, const char *begin, size_t size)
{
    if (line->too_long != (size > line->limit))
        broken("a line of %zu is%s too long", size, line->too_long ? "" : " not");
    if (line->text.size != (line->too_long ? 0 : size))
        broken("%zu bytes of a line of %zu", line->text.size, size);
    if (line->text.size > 0 && memcmp(bytearray_bytes(&line->text), begin, size) != 0)
        broken("a line of %zu has other bytes", size);
}

static void check_lines(const char *bytes, size_t size, size_t limit, size_t piece)
{
    chat_line line = {.limit = limit};
    size_t begin = 0;

    for (size_t next = 0; next < size;) {
        size_t given = size - next < piece ? size - next : piece;
        bool complete;
        size_t taken = line_take(&line, bytes + next, given, &complete);

        if (taken == 0 || taken > given || complete != (bytes[next + taken - 1] == '\n'))
            broken("%zu bytes were taken of %zu", taken, given);
        next += taken;
        check_line(&line, bytes + begin, next - begin - complete);
        if (complete)
            line_clear(&line);
        begin = complete ? next : begin;
    }
    line_clear(&line);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, bytes + size};
    size_t limit = (size_t)take_byte(&input), piece = (size_t)take_byte(&input) + 1;
    size_t left = bytes_left(&input);

    if (left > LARGEST)
        left = LARGEST;
    check_lines((const char *)input.next, left, limit, piece);
    check_clean((const char *)input.next, left);
    return 0;
}
