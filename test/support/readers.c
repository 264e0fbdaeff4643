/* SPDX-License-Identifier: MIT */
#include "support/readers.h"

#include <fcntl.h>
#include <unistd.h>

subject open_subject(int backend)
{
    subject opened = {.sel = open_selector(backend)};
    int ends[2];

    make_socketpair(ends);
    put_byte(ends[1]);
    opened.fd = ends[0];
    opened.other_end = ends[1];
    return opened;
}

void close_subject(subject *opened)
{
    assert_ok(sel_close(opened->sel));
    close(opened->fd);
    close(opened->other_end);
}

void add_both(sel_selector *sel, int fd, const char *reads, const char *writes)
{
    assert_ok(sel_add_reader(sel, fd, note, (void *)reads));
    assert_ok(sel_add_writer(sel, fd, note, (void *)writes));
}

void pass_with(sel_selector *sel, int fd)
{
    ck_assert_int_ne(wait_for(sel, fd), 0);
    ck_assert_int_eq(sel_dispatch(sel), 1);
}

void replace_by_regular_file(int number)
{
    int file = open_regular_file();

    dup2(file, number);
    close(file);
}
