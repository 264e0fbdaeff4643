/* SPDX-License-Identifier: MIT */
/*
 * Whether a thread sleeps or spins, judged by what it did: how often it asked the
 * kernel for readiness, and whether it slept meanwhile. CPU time would judge the
 * machine as well: a virtual machine's includes what others took from it, one under an
 * instrument includes the instrument, and a process's includes the kernel's own threads
 * in it, such as io_uring's, which libuv 1.45 to 1.48 start.
 */
#include "support/os.h"
#include "support/rounds.h"
#include "support/support.h"

#include <sys/resource.h>

/* For one wait: the looks of four backends, what each finds to mend, and the sleep. */
enum { ROUNDS_OF_A_WAIT = 8, ATTEMPTS = 10 };

effort measure_effort(void)
{
    struct rusage usage;

    ck_assert_int_eq(getrusage(RUSAGE_THREAD, &usage), 0);
    return (effort){.rounds = rounds, .sleeps = usage.ru_nvcsw};
}

bool has_spun(effort before, int waits)
{
    return measure_effort().rounds - before.rounds > (long)waits * ROUNDS_OF_A_WAIT;
}

void assert_no_spin(effort before, int waits)
{
    ck_assert_msg(!has_spun(before, waits), "spun: %ld rounds for %d waits",
                  measure_effort().rounds - before.rounds, waits);
}

/*
 * A wait that spins never sleeps; but neither does one whose time is up before it
 * begins, which may happen on a busy machine.
 */
bool has_slept(effort before)
{
    return measure_effort().sleeps > before.sleeps;
}

void assert_quiet(sel_selector *sel, double seconds)
{
    int64_t wanted = (int64_t)(seconds * 1e9);

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        effort before = measure_effort();
        int64_t start = now_ns();

        ck_assert_int_eq(sel_select(sel, seconds, NULL), 0);
        ck_assert_int_ge(now_ns() - start, wanted);
        assert_no_spin(before, 1);
        if (has_slept(before))
            return;
    }
    ck_abort_msg("%d waits in a row did not sleep", ATTEMPTS);
}
