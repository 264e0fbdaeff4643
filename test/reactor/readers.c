/* SPDX-License-Identifier: MIT */
/*
 * sel_add_reader() and sel_add_writer(), which are asyncio's, and what callbacks of
 * libraries do with them: add what is there, remove what is not, and close everything
 * in between.
 */
#include "support/readers.h"

#include <errno.h>
#include <unistd.h>

enum { READ = SEL_EVENT_READ, WRITE = SEL_EVENT_WRITE };

START_TEST(reader_and_writer_are_called_each_with_its_own_data)
{
    subject b = open_subject(_i);
    sel_key key;

    assert_ok(sel_add_writer(b.sel, b.fd, note, "w"));
    pass_with(b.sel, b.fd);
    assert_noted("w");
    assert_ok(sel_add_reader(b.sel, b.fd, note, "r"));
    ck_assert_int_eq(wait_for(b.sel, b.fd), READ | WRITE);
    ck_assert_int_eq(sel_dispatch(b.sel), 1);
    assert_noted("rw");
    ck_assert_int_eq(sel_get_map(b.sel, &key, 1), 1);
    ck_assert_int_eq(key.events, READ | WRITE);
    take_byte(b.fd);
    pass_with(b.sel, b.fd);
    assert_noted("w");
    assert_ok(sel_remove_writer(b.sel, b.fd));
    assert_quiet(b.sel, 0.004);
    put_byte(b.other_end);
    pass_with(b.sel, b.fd);
    assert_noted("r");
    close_subject(&b);
}
END_TEST

START_TEST(a_hang_up_and_an_error_run_both)
{
    subject b = open_subject(_i);
    int ends[2];

    add_both(b.sel, b.fd, "r", "w");
    take_byte(b.fd);
    fill(b.fd);
    assert_quiet(b.sel, 0.004);
    close(b.other_end);
    pass_with(b.sel, b.fd);
    assert_noted("rw");
    make_pipe(ends);
    add_both(b.sel, ends[1], "R", "W");
    assert_ok(sel_unregister(b.sel, b.fd));
    close(ends[0]);
    pass_with(b.sel, ends[1]);
    assert_noted("RW");
    b.other_end = ends[1];
    close_subject(&b);
}
END_TEST

/* --- adding again --- */

START_TEST(adding_again_replaces_task_and_data)
{
    subject b = open_subject(_i);

    assert_ok(sel_add_reader(b.sel, b.fd, never, NULL));
    assert_ok(sel_add_writer(b.sel, b.fd, never, NULL));
    add_both(b.sel, b.fd, "r", "w");
    pass_with(b.sel, b.fd);
    assert_noted("rw");
    assert_ok(sel_remove_reader(b.sel, b.fd));
    assert_error(sel_remove_reader(b.sel, b.fd), ENOENT);
    close_subject(&b);
}
END_TEST

/* asyncio cancels the old handle, and calls the new one from the next select on. */
START_TEST(what_the_last_wait_has_found_is_neither_the_old_ones_nor_the_new_ones)
{
    subject b = open_subject(_i);

    add_both(b.sel, b.fd, "old", "w");
    ck_assert_int_eq(wait_for(b.sel, b.fd), READ | WRITE);
    assert_ok(sel_add_reader(b.sel, b.fd, note, "new"));
    sel_dispatch(b.sel);
    assert_noted("w");
    ck_assert_int_eq(wait_for(b.sel, b.fd), READ | WRITE);
    assert_ok(sel_remove_reader(b.sel, b.fd));
    assert_ok(sel_add_reader(b.sel, b.fd, note, "newer"));
    sel_dispatch(b.sel);
    assert_noted("w");
    pass_with(b.sel, b.fd);
    assert_noted("newerw");
    close_subject(&b);
}
END_TEST

/* What a task does to the descriptor that it was called for. */
typedef void act(subject *b);

typedef struct {
    subject b;
    act *act;
    int calls;
} actor;

static void act_once(sel_selector *sel, void *data)
{
    actor *self = data;

    (void)sel;
    note(sel, "act ");
    if (self->calls++ == 0)
        self->act(&self->b);
}

/* The reader acts in the first pass, in which the writer is ready too. */
static void act_in_reader(actor *self, int backend, act *doing)
{
    *self = (actor){.b = open_subject(backend), .act = doing};
    assert_ok(sel_add_reader(self->b.sel, self->b.fd, act_once, self));
    assert_ok(sel_add_writer(self->b.sel, self->b.fd, note, "writer "));
    ck_assert_int_eq(wait_for(self->b.sel, self->b.fd), READ | WRITE);
    ck_assert_int_eq(sel_dispatch(self->b.sel), 1);
    ck_assert_int_eq(self->calls, 1);
}

static void add_both_anew(subject *b)
{
    add_both(b->sel, b->fd, "reader2 ", "writer2 ");
}

static void remove_and_add_both(subject *b)
{
    assert_ok(sel_remove_reader(b->sel, b->fd));
    assert_ok(sel_remove_writer(b->sel, b->fd));
    add_both_anew(b);
}

static void unregister_and_add_both(subject *b)
{
    assert_ok(sel_unregister(b->sel, b->fd));
    add_both_anew(b);
}

static void replace_and_add_both(subject *b)
{
    int other_end = replace_by_pipe(b->fd);

    close(b->other_end);
    b->other_end = other_end;
    add_both_anew(b);
}

START_TEST(a_task_that_adds_both_anew_is_followed_from_the_next_wait_on)
{
    static act *const doing[] = {add_both_anew, remove_and_add_both,
                                 unregister_and_add_both, replace_and_add_both};

    for (int i = 0; i < 4; i++) {
        actor self;

        act_in_reader(&self, _i, doing[i]);
        assert_noted("act ");
        ck_assert_int_eq(sel_dispatch(self.b.sel), 0);
        pass_with(self.b.sel, self.b.fd);
        assert_noted(doing[i] == replace_and_add_both ? "reader2 " : "reader2 writer2 ");
        close_subject(&self.b);
    }
}
END_TEST

static void add_itself(subject *b)
{
    actor *self = (actor *)b;

    assert_ok(sel_add_reader(b->sel, b->fd, act_once, self));
}

START_TEST(a_task_may_add_itself_in_each_pass)
{
    actor self;

    act_in_reader(&self, _i, add_itself);
    assert_noted("act writer ");
    pass_with(self.b.sel, self.b.fd);
    assert_noted("act writer ");
    close_subject(&self.b);
}
END_TEST

/* --- removing --- */

static void remove_writer(subject *b)
{
    assert_ok(sel_remove_writer(b->sel, b->fd));
}

static void remove_both(subject *b)
{
    assert_ok(sel_remove_writer(b->sel, b->fd));
    assert_ok(sel_remove_reader(b->sel, b->fd));
}

static void unregister(subject *b)
{
    assert_ok(sel_unregister(b->sel, b->fd));
}

static void remove_both_and_close(subject *b)
{
    remove_both(b);
    close(b->fd);
    b->fd = make_eventfd(0);
}

START_TEST(what_a_task_removes_is_not_called)
{
    static act *const doing[] = {remove_writer, remove_both, unregister,
                                 remove_both_and_close};

    for (int i = 0; i < 4; i++) {
        actor self;

        act_in_reader(&self, _i, doing[i]);
        assert_noted("act ");
        assert_error(sel_remove_writer(self.b.sel, self.b.fd), ENOENT);
        if (doing[i] != remove_writer)
            assert_quiet(self.b.sel, 0.004);
        close_subject(&self.b);
    }
}
END_TEST

/* A harmless mistake, as with a key; in this pass the writer may still be called. */
static void close_alone(subject *b)
{
    close(b->fd);
}

START_TEST(a_task_that_closes_its_descriptor_does_no_harm)
{
    actor self;

    act_in_reader(&self, _i, close_alone);
    assert_noted("act writer ");
    assert_quiet(self.b.sel, 0.004);
    assert_ok(sel_remove_reader(self.b.sel, self.b.fd));
    assert_ok(sel_remove_writer(self.b.sel, self.b.fd));
    assert_ok(sel_close(self.b.sel));
    close(self.b.other_end);
}
END_TEST

/* Whichever of the two is called first removes the other. */
typedef struct {
    int fds[2];
    int calls;
} two;

static void remove_all(sel_selector *sel, void *data)
{
    two *both = data;

    both->calls++;
    for (int i = 0; i < 2; i++) {
        assert_ok(sel_remove_reader(sel, both->fds[i]));
        close(both->fds[i]);
    }
}

START_TEST(nor_is_what_another_descriptors_task_removes)
{
    sel_selector *sel = open_selector(_i);
    two both = {.fds = {make_eventfd(1), make_eventfd(1)}};

    for (int i = 0; i < 2; i++)
        assert_ok(sel_add_reader(sel, both.fds[i], remove_all, &both));
    ck_assert_int_eq(count_ready(sel), 2);
    ck_assert_int_eq(sel_dispatch(sel), 1);
    ck_assert_int_eq(both.calls, 1);
    assert_ok(sel_run(sel)); /* nothing is left */
    assert_ok(sel_close(sel));
}
END_TEST

START_TEST(removing_what_is_not_there_is_enoent)
{
    subject b = open_subject(_i);

    assert_error(sel_remove_reader(b.sel, b.fd), ENOENT);
    assert_error(sel_remove_writer(b.sel, 1000000), ENOENT);
    assert_ok(sel_register(b.sel, b.fd, READ, record_call, NULL));
    assert_error(sel_remove_reader(b.sel, b.fd), ENOENT);
    assert_ok(sel_unregister(b.sel, b.fd));
    assert_ok(sel_add_reader(b.sel, b.fd, note, "r"));
    assert_error(sel_remove_writer(b.sel, b.fd), ENOENT);
    assert_ok(sel_remove_reader(b.sel, b.fd));
    assert_error(sel_remove_reader(b.sel, b.fd), ENOENT);
    assert_error(sel_unregister(b.sel, b.fd), ENOENT);
    ck_assert_int_eq(sel_get_map(b.sel, NULL, 0), 0);
    close_subject(&b);
}
END_TEST

START_TEST(unregister_takes_both_away)
{
    subject b = open_subject(_i);

    add_both(b.sel, b.fd, "r", "w");
    assert_ok(sel_unregister(b.sel, b.fd));
    assert_error(sel_remove_reader(b.sel, b.fd), ENOENT);
    assert_error(sel_remove_writer(b.sel, b.fd), ENOENT);
    assert_ok(sel_run(b.sel));
    assert_noted("");
    close_subject(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("readers");
    TCase *tcase = new_tcase("readers");

    add_selector_test(tcase, reader_and_writer_are_called_each_with_its_own_data);
    add_backend_test(tcase, a_hang_up_and_an_error_run_both);
    add_backend_test(tcase, adding_again_replaces_task_and_data);
    add_backend_test(tcase,
                     what_the_last_wait_has_found_is_neither_the_old_ones_nor_the_new_ones);
    add_backend_test(tcase, a_task_that_adds_both_anew_is_followed_from_the_next_wait_on);
    add_backend_test(tcase, a_task_may_add_itself_in_each_pass);
    add_backend_test(tcase, what_a_task_removes_is_not_called);
    add_backend_test(tcase, a_task_that_closes_its_descriptor_does_no_harm);
    add_backend_test(tcase, nor_is_what_another_descriptors_task_removes);
    add_backend_test(tcase, removing_what_is_not_there_is_enoent);
    add_backend_test(tcase, unregister_takes_both_away);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
