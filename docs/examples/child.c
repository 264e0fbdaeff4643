/* SPDX-License-Identifier: MIT */
/*
 * A child process: uv_spawn() on the selector's own loop. sel_run() keeps going while the
 * process handle is active, and calls its exit callback like any other.
 */
#include <selkie.h>
#include <selkie/uv.h>

#include <stdio.h>

static void exit_cb(uv_process_t *process, int64_t status, int signum)
{
    printf("exit status %d, signal %d\n", (int)status, signum);
    uv_close((uv_handle_t *)process, NULL);
}

int main(void)
{
    char *command[] = {"sh", "-c", "exit 3", NULL};
    uv_process_options_t options = {
        .exit_cb = exit_cb, .file = command[0], .args = command};
    uv_process_t process;
    sel_selector *sel;

    if (sel_open(SEL_BACKEND_DEFAULT, &sel) < 0)
        return 1;
    int error = uv_spawn(sel_loop(sel), &process, &options);
    if (error < 0)
        fprintf(stderr, "child: %s\n", sel_strerror(error));
    else
        sel_run(sel);
    sel_close(sel);
    return error < 0;
}
