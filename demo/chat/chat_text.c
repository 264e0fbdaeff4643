/* SPDX-License-Identifier: MIT */
/*
 * What the chat's server and client do with bytes before a person sees them.
 *
 * A line never holds more than its limit, however long the one that arrives is.
 */
#include "chat/chat_text.h"

#include <stdint.h>
#include <string.h>

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */

size_t line_take(chat_line *line, const char *bytes, size_t size, bool *ret_complete)
{
    const char *newline = memchr(bytes, '\n', size);
    size_t part = newline != NULL ? (size_t)(newline - bytes) : size;
    *ret_complete = newline != NULL;
    size_t room = line->limit - line->text.size;
    if (part > room || bytearray_extend(&line->text, bytes, part) < 0)
        line->too_long = true;
    if (line->too_long)
        bytearray_clear(&line->text);
    return newline != NULL ? part + 1 : part;
}

void line_clear(chat_line *line)
{
    bytearray_clear(&line->text);
    line->too_long = false;
}

/* How long a character that begins with this byte is; 0 if none does. */
static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* The length of the character at `bytes`, and its code point; 0 if it is not UTF-8. */
static size_t decode(const unsigned char *bytes, size_t size, uint32_t *ret_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = length_of(bytes[0]);
    if (length == 0 || length > size)
        return 0;
    uint32_t code = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    if (code < smallest[length] || code > 0x10ffff || surrogate)
        return 0;
    *ret_code = code;
    return length;
}

static bool is_harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
           code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

size_t clean_text(const char *bytes, size_t size, char *ret_text)
{
    char *text = ret_text;
    for (size_t i = 0; i < size;) {
        uint32_t code = 0;
        size_t length = decode((const unsigned char *)bytes + i, size - i, &code);
        if (length == 0) {
            memcpy(text, REPLACEMENT, 3);
            text += 3;
            i++;
            continue;
        }
        if (is_harmful(code)) {
            *text++ = code == '\t' ? ' ' : '?';
        } else {
            memcpy(text, bytes + i, length);
            text += length;
        }
        i += length;
    }
    return (size_t)(text - ret_text);
}
