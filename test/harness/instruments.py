# SPDX-License-Identifier: MIT
"""The instruments that watch the suites: how each is started, and what it can't test."""

import collections
import fnmatch
import subprocess

import build
from harness import descriptors
from harness.running import Manner

HARNESS = build.TOP / 'test' / 'harness'

# How far the suites go whose length a variable, or else the last argument, sets: less
# where all is slow.
Sizes = collections.namedtuple('Sizes', 'variable sanitized valgrind thorough full')
SIZES = {
    'alarms': Sizes('TEST_ROUNDS', 3, 3, 10, 10),
    'cancel': Sizes('TEST_ROUNDS', 100_000, 20_000, 1_000_000, 10_000_000),
    'endurance': Sizes('TEST_ROUNDS', 5_000, 1_000, 100_000, 1_000_000),
    'executor': Sizes('TEST_ROUNDS', 5_000, 1_000, 200_000, 1_000_000),
    'interrupts': Sizes('TEST_ROUNDS', 300, 100, 20_000, 100_000),
    'lockstep': Sizes('', 20_000, 2_000, 1_000_000, 100_000_000),
    'signals_many': Sizes('TEST_ROUNDS', 5_000, 1_000, 100_000, 1_000_000),
    'streams': Sizes('TEST_ROUNDS', 100, 10, 1_000, 100_000),
    'strangers_chaos': Sizes('TEST_ROUNDS', 10, 2, 300, 20_000),
    'strangers_forks': Sizes('TEST_ROUNDS', 3, 1, 200, 5_000),
    'strangers_guests': Sizes('TEST_ROUNDS', 3, 1, 100, 5_000),
    'strangers_scarcity': Sizes('TEST_ROUNDS', 1, 1, 20, 500),
    'strangers_threads': Sizes('TEST_ROUNDS', 3, 1, 200, 5_000),
    'strangers_two_libraries': Sizes('TEST_ROUNDS', 5, 1, 100, 5_000),
    'strangers_watched': Sizes('TEST_ROUNDS', 3, 1, 100, 5_000),
    'strangers_watched_glib': Sizes('TEST_ROUNDS', 3, 1, 100, 5_000),
    'tasks': Sizes('TEST_ROUNDS', 20_000, 5_000, 1_000_000, 10_000_000),
    'threads': Sizes('TEST_ROUNDS', 5_000, 500, 100_000, 1_000_000),
    'threadsafe': Sizes('TEST_ROUNDS', 5_000, 500, 100_000, 1_000_000),
    'time': Sizes('TEST_WAITS', 1_000, 200, 100_000, 400_000),
    'timers_random': Sizes('TEST_TIMER_OPERATIONS', 20_000, 5_000, 1_000_000, 10_000_000),
    'torture_calls': Sizes('TEST_FAULTS', 1, 1, 3, 100_000),
    'torture_memory': Sizes('TEST_FAULTS', 100, 1, 100_000, 100_000),
}

# Tests that judge CPU time or memory would judge the instrument's: this tells them.
INSTRUMENTED = {'TEST_INSTRUMENTED': '1'}
TAKES_TURNS = {'TEST_TAKES_TURNS': '1'}  # each test on one backend, or on two
SANITIZERS = {
    **INSTRUMENTED,
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1',
    'UBSAN_OPTIONS': 'abort_on_error=1:print_stacktrace=1',
    'TSAN_OPTIONS': 'halt_on_error=1:second_deadlock_stack=1:die_after_fork=0:'
                    f"suppressions='{HARNESS / 'tsan.supp'}'",
}
VALGRIND = ['valgrind', '-q', '--error-exitcode=99', '--fair-sched=try', '--num-callers=30']
MEMCHECK = [
    *VALGRIND, '--leak-check=full', '--errors-for-leak-kinds=definite,possible',
    '--track-fds=yes', f'--suppressions={HARNESS / "memcheck.supp"}',
]
HELGRIND = [*VALGRIND, '--tool=helgrind', f'--suppressions={HARNESS / "helgrind.supp"}']
THREADED = {'dispositions', 'executor', 'signals', 'signals_fork', 'signals_many', 'tasks',
            'threads', 'threadsafe'}
SLOW = {'torture_calls'}  # even under ASan
# What can't be tested so: instrument, 'suite' or 'suite test backend' (* stands for any in
# both), and why.
COUNTS = 'it counts passes within milliseconds, which valgrind stretches'
CLONES = ('valgrind 3.19 hangs in the clone(2) by which a signal gets its disposition back '
          'where there are threads')
EMULATED = 'qemu makes clone() of fork() alone, and takes no notice of madvise()'
AFTER_FORK = 'threads that are made after a fork are beyond TSan'
TERMINAL = 'a terminal among its descriptors needs /dev/ptmx'
TWELVE = 'it has more than twelve processes and threads'
PSELECT = 'valgrind 3.19 answers EFAULT where a signal interrupts pselect6'
UNFIT = [
    ('coverage', 'trace_files a_trace_that_has_no_room_for_its_end_is_valid_too *',
     'gcov writes its own file under the limit'),
    ('coverage', 'trace_files no_room_at_all_is_no_trace_and_no_harm *',
     'gcov writes its own file under the limit'),
    ('tsan', 'debug a_wait_beside_a_wait_is_named *', 'its mistake is a race'),
    ('tsan', 'interrupts', 'TSan holds signals back while select(2) waits'),
    ('valgrind', 'alarms * select', PSELECT),
    ('valgrind', 'interrupts * select', PSELECT),
    ('*grind', 'signals_many * select', PSELECT),
    ('*grind', 'signals a_signal_during_a_wait_ends_it_if_it_is_handled select', PSELECT),
    ('*grind', 'signals every_signal_that_can_be_caught_has_a_handler *',
     'valgrind keeps the last signal for itself'),
    ('tsan', 'fork_exit', AFTER_FORK),
    ('tsan', 'reactor_corners the_reactors_own_descriptors_may_be_beyond_* *', AFTER_FORK),
    ('tsan', 'reactor_fork', AFTER_FORK),
    ('tsan', 'strangers_forks', AFTER_FORK),
    ('tsan', 'cold a_first_job_of_a_user_who_may_have_no_more_threads_is_eagain *',
     'TSan has a thread of its own, which counts'),
    ('tsan', 'torture_*', AFTER_FORK),
    ('*grind', 'torture_calls', 'valgrind 3.19 has no epoll_pwait2 to fail'),
    ('valgrind', 'loop * select', PSELECT),
    ('valgrind', 'strangers_forks',
     'a forked child has lost what libuv allocated for the threads of its parent'),
    ('*grind', 'dispositions', CLONES),
    ('*grind', 'strangers_scarcity', CLONES),
    ('*grind', 'strangers_threads', CLONES),
    ('valgrind', 'traps_kernel a_change_of_the_mounts_is_every_event_once *',
     'valgrind needs the /proc over which it mounts'),
    ('valgrind', 'waits no_descriptors_allowed_any_more_disturb_no_wait *',
     'valgrind keeps the limit of descriptors to itself'),
    ('valgrind', 'cold', 'valgrind keeps the limit of descriptors to itself'),
    ('valgrind', 'fork_daemon a_daemon_whose_selector_is_attached_* *',
     'its part is held by a loop that must never run again, from the middle'),
    ('valgrind', 'attach', COUNTS),
    ('valgrind', 'attach_program', COUNTS),
    ('valgrind', 'stats', COUNTS),
    ('aarch64', 'fork_unnoticed', EMULATED),
    ('s390x', 'fork_unnoticed', EMULATED),
    ('s390x', 'preempted *_stopped_past_its_deadline_is_over *',
     'qemu makes its poll() of ppoll(), which keeps no deadline'),
    ('nofile-1024', 'torture_*', 'some of its scenarios hold a thousand and more'),
    ('nofile-1024', 'nesting', 'it nests a thousand and more'),
    ('nofile-256', 'torture_*', 'some of its scenarios hold a thousand and more'),
    ('nofile-256', 'nesting', 'it nests a thousand and more'),
    ('nofile-256', 'uv_survival a_selector_that_grows_may_open_what_was_a_keys_number *',
     'it needs more than a thousand'),
    ('nofile-256', 'strangers_chaos', 'it registers hundreds'),
    ('nofile-256', 'fuzz_operations', 'its numbers begin where these end'),
    ('nofile-256', 'lockstep*', 'its numbers begin where these end'),
    ('nproc', 'cold a_first_job_without_room_for_the_threads_* *', TWELVE),
    ('nproc', 'fork_exit a_child_exits_with_its_own_status *', TWELVE),
    ('nproc', 'strangers_forks', TWELVE),
    ('nproc', 'strangers_threads', TWELVE),
    ('nproc', 'time of_many_waits_side_by_side_* *', TWELVE),
    ('dev', 'readiness', TERMINAL),
    ('dev', 'trace_files what_is_not_a_regular_file_* *', 'devices are among what it is'),
    ('dev', 'attach_program', 'uv_spawn() needs /dev/null'),
    ('dev', 'corners without_descriptors_what_can_be_watched_is *', TERMINAL),
    ('dev', 'strangers_guests', 'uv_spawn() needs /dev/null'),
    ('dev', 'torture_*', 'what its scenarios have refused is in /dev'),
    ('dev', '* a_process_on_it_tells_its_exit *', 'uv_spawn() needs /dev/null'),
    ('valgrind', 'reactor_fork',
     'a forked child has lost what libuv allocated for the threads of its parent'),
]
MANNERS = {
    'valgrind': Manner({**INSTRUMENTED, 'TEST_TELLS_END': '1'}, MEMCHECK, 20, 'valgrind',
                       descriptors.examine),
    'helgrind': Manner(INSTRUMENTED, HELGRIND, 20, 'helgrind'),
    'coverage': Manner(INSTRUMENTED, (), 4, 'coverage'),
    'aarch64': Manner(
        INSTRUMENTED, ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'], 4, 'aarch64'),
    's390x': Manner(INSTRUMENTED, ['qemu-s390x', '-L', '/usr/s390x-linux-gnu'], 4, 's390x'),
}
JUDGES = 'it judges the program that was built as users build it'


def fixed_addresses():
    """gcc 12's sanitizers fail to start, now and then, under some kernels' randomisation."""
    command = ['setarch', '-R']
    try:
        works = subprocess.run([*command, 'true'], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        works = False
    return command if works else []


def unfit(instrument, name):
    """Why the instrument can't test it, or None."""
    for of_instrument, pattern, reason in UNFIT:
        if (fnmatch.fnmatchcase(instrument, of_instrument)
                and fnmatch.fnmatchcase(name, pattern)):
            return reason
    return None


def leave_out(run, instrument):
    """The run without what the instrument can't test."""
    kept, skips = [], list(run.skips)
    for o in run.outcomes:
        reason = unfit(instrument, f'{o.suite} {o.test} {o.column}')
        if reason:
            skips.append((f'{o.suite} {o.test} ({o.column}) under {instrument}', reason))
        else:
            kept.append(o)
    return run._replace(outcomes=kept, skips=skips)


def sized(test, column):
    """The test at one of its sizes."""
    sizes = SIZES.get(test['name'])
    if sizes is None or column is None:
        return test
    size = str(getattr(sizes, column))
    if sizes.variable == '':
        return {**test, 'cmd': [*test['cmd'][:-1], size]}
    return {**test, 'env': {**test['env'], sizes.variable: size}}
