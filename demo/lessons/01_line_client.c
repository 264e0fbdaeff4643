/* SPDX-License-Identifier: MIT */
/*
 * A client that sends what is typed, line by line, and prints one line of answer for
 * each.  It ends at the end of its input, when an answer says good bye, or when the
 * server is gone. docs/twins/line_client.py is the same program in Python.
 *
 * It waits for the keyboard or for the server, never for both: if the server closes
 * while it waits for a line, it notices only when it sends the line. (A client that
 * watches both needs a selector.)
 *
 * A line is at most LINE_SIZE bytes; longer ones are sent in parts.  Sent whole, one
 * could fill both sockets' buffers, and an echo server and this client would then
 * wait for ever for each other to read.
 */
#include "kit/blocking.h"
#include "kit/command_line.h"
#include "kit/fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

/* file.readline(LINE_SIZE): 0 is the end. */
static size_t read_line(FILE *file, char *line)
{
    size_t size = 0;
    int byte = 0;
    while (size < LINE_SIZE && byte != '\n' && (byte = getc(file)) != EOF)
        line[size++] = (char)byte;
    return size;
}

/* The next line to send; a last one without a newline gets one. */
static size_t ask(char *line)
{
    if (isatty(STDIN_FILENO)) {
        fputs("message: ", stdout);
        flush_stdout();
    }
    size_t size = read_line(stdin, line);
    if (size > 0 && size < LINE_SIZE && line[size - 1] != '\n')
        line[size++] = '\n';
    return size;
}

/* Send lines and print answers; returns why that ended. */
static const char *talk(int sock, FILE *answers)
{
    static const char bye[] = "good bye";
    char line[LINE_SIZE];
    for (;;) {
        size_t size = ask(line);
        if (size == 0)
            return "no more lines";
        if (send_all(sock, line, size) < 0)
            return "the server has gone";
        size = read_line(answers, line);
        if (size == 0)
            return "the server has gone";
        fwrite(line, 1, size, stdout);
        flush_stdout();
        if (memmem(line, size, bye, strlen(bye)) != NULL)
            return "the server said good bye";
    }
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1";
    int port = 1234;
    const command_option options[] = {
        {"host", 'H', "HOST", "the server's name or address (127.0.0.1)", .text = &host},
        {"port", 'p', "PORT", "the server's port (1234)", .number = &port, .lowest = 1,
         .highest = 65535},
        {.name = NULL},
    };
    read_command_line(argc, argv, "Send lines from the keyboard, print the answers.",
                      options);
    int sock = create_connection(host, port, NO_TIMEOUT);
    FILE *answers = fdopen(sock, "r"); /* sock.makefile() */
    if (answers == NULL)
        fail(EXIT_FAILURE, "cannot read from the server: %s", strerror(errno));

    puts(talk(sock, answers));

    flush_stdout();
    fclose(answers);
    return EXIT_SUCCESS;
}
