/* SPDX-License-Identifier: MIT */
/*
 * Lines from two pipes to stdout (demo/reactor/relay.c): what comes out is what went in, each
 * pipe's lines whole and in order, behind a time and a name.
 *
 * stdout is a pipe of this process's own.  Every byte of the input that is not part of a
 * line says which pipe the next ones go into, and how many, or that stdout is read.
 */
#include "reactor/relay.h"

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGEST = 64 * 1024, CUT = 16 * 1024, PASSES = 8, REPEAT = 200 };

static const char *const names[RELAY_PIPES] = {"first", "second"};
static char written[RELAY_PIPES][LARGEST];
static size_t written_size[RELAY_PIPES], read_size[RELAY_PIPES];
static int inputs[RELAY_PIPES];
static int standard_output; /* the end that is read */
static bytearray output;
static sel_selector *sel;

static void changed(sel_selector *unused, void *data)
{
    (void)unused;
    (void)data;
}

static void write_bytes(int number, const uint8_t *bytes, size_t size)
{
    char *end = written[number] + written_size[number];
    ssize_t done;

    if (size > LARGEST - written_size[number])
        size = LARGEST - written_size[number];
    done = size > 0 ? write(inputs[number], bytes, size) : 0;
    if (done <= 0)
        return;
    memcpy(end, bytes, (size_t)done);
    written_size[number] += (size_t)done;
}

static void read_output(void)
{
    static char bytes[LARGEST];
    ssize_t size;

    while ((size = read(standard_output, bytes, sizeof bytes)) > 0)
        if (bytearray_extend(&output, bytes, (size_t)size) < 0)
            broken("no memory");
}

static void pass(void)
{
    for (int i = 0; i < PASSES && sel_select(sel, 0, NULL) > 0; i++)
        sel_dispatch(sel);
}

/* How long the pipe's next line is, and that with its newline. */
static size_t next_line(int number, size_t *ret_whole)
{
    const char *begin = written[number] + read_size[number];
    size_t left = written_size[number] - read_size[number];
    size_t size = left < CUT ? left : CUT;
    const char *newline = memchr(begin, '\n', size);

    *ret_whole = newline != NULL ? (size_t)(newline - begin) + 1 : size;
    return newline != NULL ? (size_t)(newline - begin) : size;
}

/* One line of stdout: "SECONDS NAME: TEXT". */
static void check_line(const char *line, size_t size)
{
    for (int number = 0; number < RELAY_PIPES; number++) {
        char head[32];
        size_t whole, length = next_line(number, &whole);
        const char *text = memchr(line, ' ', size);
        size_t head_size = (size_t)snprintf(head, sizeof head, " %s: ", names[number]);

        if (text == NULL || text + head_size > line + size ||
            memcmp(text, head, head_size) != 0)
            continue;
        text += head_size;
        if ((size_t)(line + size - text) != length ||
            memcmp(text, written[number] + read_size[number], length) != 0)
            broken("another line than the pipe's next of %zu", length);
        read_size[number] += whole;
        return;
    }
    broken("a line of nobody's");
}

static void check_output(void)
{
    const char *newline;

    while (output.size > 0 &&
           (newline = memchr(bytearray_bytes(&output), '\n', output.size)) != NULL) {
        size_t size = (size_t)(newline - bytearray_bytes(&output));

        check_line(bytearray_bytes(&output), size);
        bytearray_remove(&output, size + 1);
    }
}

static void take_step(fuzz_input *input)
{
    int code = take_byte(input);
    int number = code & 1;
    size_t size = (size_t)(code >> 2);

    if (size > bytes_left(input))
        size = bytes_left(input);
    if (code >> 2 == 0)
        read_output();
    for (int i = 0; i < (code & 2 ? REPEAT : 1) && size > 0; i++)
        write_bytes(number, input->next, size);
    input->next += size;
    pass();
}

static void finish(line_relay *relay)
{
    for (int i = 0; i < RELAY_PIPES; i++)
        close(inputs[i]);
    while (!relay_has_ended(relay) || relay->queue.size > 0) {
        read_output();
        pass();
    }
    read_output();
    check_output();
    for (int i = 0; i < RELAY_PIPES; i++)
        if (read_size[i] != written_size[i])
            broken("%zu of %zu bytes came", read_size[i], written_size[i]);
}

/* libFuzzer prints on stderr alone. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int ends[2];

    (void)argc;
    (void)argv;
    warm_up();
    must(pipe2(ends, O_CLOEXEC | O_NONBLOCK), "pipe2");
    must(dup2(ends[1], STDOUT_FILENO), "dup2");
    close(ends[1]);
    standard_output = ends[0];
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_input input = {bytes, bytes + size};
    int descriptors = count_descriptors();
    line_relay relay;

    if (sel_open(SEL_BACKEND_EPOLL, &sel) < 0)
        broken("no selector");
    relay_open(&relay, sel, changed, NULL);
    for (int i = 0; i < RELAY_PIPES; i++) {
        written_size[i] = read_size[i] = 0;
        inputs[i] = relay_add_pipe(&relay, i, names[i]);
        must(fcntl(inputs[i], F_SETFL, O_NONBLOCK), "F_SETFL");
    }
    while (bytes_left(&input) > 0)
        take_step(&input);
    finish(&relay);
    relay_close(&relay);
    bytearray_clear(&output);
    sel_close(sel);
    check_descriptors(descriptors);
    return 0;
}
