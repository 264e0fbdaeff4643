/* SPDX-License-Identifier: MIT */
#include "support/tracing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char path[64];

void name_file(void)
{
    int fd;

    strcpy(path, "/tmp/selkie-trace-XXXXXX");
    fd = mkostemp(path, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    close(fd);
    setenv("SELKIE_TRACE", path, 1);
}

void remove_file(void)
{
    unsetenv("SELKIE_TRACE");
    unlink(path);
}

void check_trace_with(char *const *arguments)
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        unsetenv("SELKIE_TRACE");
        execvp("python3", arguments);
        _exit(127);
    }
    assert_child_succeeds(pid);
}

void assert_one_line(int fd, const char *file, const char *reason)
{
    char text[512];
    ssize_t length = pread(fd, text, sizeof text - 1, 0);

    if (length < 0)
        length = read(fd, text, sizeof text - 1);
    ck_assert_int_gt(length, 0);
    text[length] = '\0';
    ck_assert_msg(strncmp(text, "selkie: ", 8) == 0 && strstr(text, file) != NULL &&
                  strstr(text, reason) != NULL && strchr(text, '\n') == text + length - 1,
                  "said: %s", text);
}
