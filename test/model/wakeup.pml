/* SPDX-License-Identifier: MIT */
/*
 * The wake-up and the inbox of other threads, for Spin: sel_wakeup() and
 * sel_call_soon_threadsafe() beside a thread that waits, dispatches and closes.
 * Each atomic operation of lib/selector/wakeup.c, what lib/selector/tasks.c does under its
 * lock, each system call and each access to what another thread may free is one step, in
 * the order of the C code.
 *
 * What is proved, for these numbers of threads and calls:
 *   - no call is lost: after it began a wait returns (`woken`, and no thread is left
 *     that sleeps for ever);
 *   - each task runs once, one thread's in their order;
 *   - calls coalesce: the descriptor's count is never above 1;
 *   - no thread touches the descriptor or the selector once they are freed.
 *
 * A signal handler that calls sel_wakeup() is one more thread, of which fewer
 * interleavings are possible.  Operations are sequentially consistent, as C's are
 * without an order; the relaxed look at the inbox may therefore miss what is in it.
 * Not in it: memory that runs out, a fork, and what a call reads of the selector before
 * it counts as begun, which the program alone can keep from being freed.
 *
 * -DMISTAKE=n puts in one mistake, which has to be found: test_model.py has the list.
 */

#ifndef MISTAKE
#define MISTAKE 0
#endif

#ifndef POSTERS
#define POSTERS 2
#endif
#ifndef POSTS
#define POSTS 1 /* of each poster */
#endif
#ifndef WAKERS
#define WAKERS 1
#endif
#ifndef WAKES
#define WAKES 2 /* of each waker */
#endif
#define SENDERS (POSTERS + WAKERS)
#define ITEMS (POSTERS * POSTS)

/* --- struct sel__wakeup and struct sel__tasks ------------------------------- */

byte count;          /* of the eventfd */
bool pending;
bool requested;
byte senders;
chan inbox = [ITEMS] of { byte, byte }; /* tasks: whose, and its number */
chan queue = [ITEMS] of { byte, byte }; /* the ring */

/* --- What the properties are about; no part of the program ------------------- */

bool descriptor_closed;
bool freed;
byte begun;          /* calls of sel_wakeup() that have begun */
byte owed;           /* bit i: thread i's call began, and since then no wait has
                        returned nor its task run */
byte called[POSTERS]; /* calls of each that have begun */
byte ran[POSTERS];   /* the last task of each that ran */
byte all_ran;        /* how many ran */

#define TOUCH assert(!freed)
#define TOUCH_DESCRIPTOR assert(!freed && !descriptor_closed)

ltl woken {
    [] ((owed & 1) -> <> !(owed & 1)) && [] ((owed & 2) -> <> !(owed & 2)) &&
    [] ((owed & 4) -> <> !(owed & 4))
}

/* --- Threads that call --------------------------------------------------------- */

inline wakeup_begin() /* sel__wakeup_begin */
{
    TOUCH;
    senders++; /* atomic_fetch_add */
}

inline wakeup_end() /* sel__wakeup_end */
{
    d_step {
        TOUCH;
        senders--; /* atomic_fetch_sub */
    }
}

inline wakeup_send(was) /* sel__wakeup_send */
{
    d_step { /* atomic_exchange of pending */
        TOUCH;
        was = pending;
        pending = true;
    }
    if
    :: was
    :: d_step { /* write */
            !was;
            TOUCH_DESCRIPTOR;
            count++;
            assert(count == 1)
        }
    fi;
    was = false
}

inline wakeup_ask() /* sel__wakeup_request */
{
    d_step { /* atomic_store of requested */
        TOUCH;
        requested = true
    }
}

inline put(self, task)
{
    inbox!self,task;
    called[self]++;
    owed = owed | (1 << self)
}

inline begin_if(first)
{
    if
    :: first -> wakeup_begin()
    :: !first
    fi
}

inline tasks_post(self, task, first) /* sel__tasks_post */
{
#if MISTAKE == 9
    d_step {
        TOUCH;
        first = empty(inbox);
        begin_if(first)
    }
    d_step {
        TOUCH;
        put(self, task)
    }
#elif MISTAKE == 4
    d_step {
        TOUCH;
        first = empty(inbox);
        put(self, task)
    }
    d_step {
        begin_if(first)
    }
#else
    d_step { /* under the lock */
        TOUCH;
        first = empty(inbox);
        begin_if(first);
        put(self, task)
    }
#endif
}

inline send_if(first, was)
{
    if
    :: first ->
        wakeup_send(was);
        wakeup_end()
    :: !first
    fi;
    first = false
}

proctype waker(byte self) /* sel_wakeup, WAKES times */
{
    byte call;
    bool was;

    for (call : 1 .. WAKES) {
        d_step {
            wakeup_begin();
            begun++;
            owed = owed | (1 << self)
        }
#if MISTAKE == 8
        wakeup_send(was);
        wakeup_ask();
#else
        wakeup_ask();
        wakeup_send(was);
#endif
        wakeup_end();
    }
}

proctype poster(byte self) /* sel_call_soon_threadsafe, POSTS times */
{
    byte task;
    bool first, was;

    for (task : 1 .. POSTS) {
#if MISTAKE == 2
        d_step {
            wakeup_begin()
        }
        wakeup_send(was);
        d_step {
            TOUCH;
            put(self, task)
        }
        wakeup_end();
#else
        tasks_post(self, task, first);
        send_if(first, was);
#endif
    }
}

/* --- The selector's thread ------------------------------------------------------- */

/* What is in the inbox goes behind what is in the ring. */
inline take_over(times, whose, task)
{
    do
    :: nempty(inbox) ->
#if MISTAKE == 7
        for (times : 2 .. len(inbox)) {
            inbox?whose,task;
            inbox!whose,task
        }
        times = 0;
#endif
        inbox?whose,task;
        queue!whose,task
    :: empty(inbox) -> break
    od;
    whose = 0;
    task = 0
}

inline tasks_collect(times, whose, task) /* sel__tasks_collect */
{
#if MISTAKE == 5
    d_step {
        for (times : 1 .. len(inbox)) {
            inbox?whose,task;
            inbox!whose,task;
            queue!whose,task
        }
        times = 0
    }
    d_step {
        do
        :: nempty(inbox) -> inbox?whose,task
        :: empty(inbox) -> break
        od;
        whose = 0;
        task = 0
    }
#else
    d_step { /* under the lock */
        take_over(times, whose, task)
    }
#endif
}

inline wakeup_receive() /* sel__wakeup_receive */
{
#if MISTAKE == 1
    pending = false; /* atomic_exchange */
    count = 0;       /* read */
#else
    count = 0;       /* read */
    pending = false; /* atomic_exchange */
#endif
}

inline wait(times, whose, task, over) /* sel__wait */
{
    do
    :: count > 0 -> /* backend->wait, which reports the descriptor */
        wakeup_receive();
#if MISTAKE != 6
        tasks_collect(times, whose, task);
#endif
        d_step { /* sel__wakeup_take_request: atomic_exchange */
            over = requested;
            requested = false
        }
        if
        :: over -> break /* sel__is_over */
        :: !over && nempty(queue) -> break
        :: !over && empty(queue)
        fi
    :: count == 0 && nempty(queue) -> break /* sel__has_to_run: it only looks */
    od;
    owed = 0
}

inline dispatch(times, whose, task) /* call_tasks */
{
    if
    :: nempty(inbox) || nempty(queue) -> /* sel__tasks_waiting */
        tasks_collect(times, whose, task);
        do
        :: d_step {
                queue?whose,task;
                ran[whose]++;
                all_ran++;
                assert(ran[whose] == task); /* once, in order */
                owed = (task == called[whose] -> owed & ~(1 << whose) : owed);
                whose = 0;
                task = 0
            }
        :: empty(queue) -> break
        od
    :: empty(queue) /* the relaxed load sees no item */
    fi
}

/*
 * The program's side of the bargain: no call begins any more, for it has seen each
 * task run and each sel_wakeup() end a wait.  The calls need not have returned.
 */
#define MAY_CLOSE (begun == WAKERS * WAKES && owed >> POSTERS == 0 && all_ran == ITEMS)

inline close_selector() /* sel_close */
{
#if MISTAKE != 3
    senders == 0;   /* sel__wakeup_wait_for_senders */
#endif
    d_step { /* drop_tasks */
        assert(empty(inbox) && empty(queue));
        owed = 0 /* nobody waits any more */
    }
    descriptor_closed = true; /* sel__wakeup_close */
    freed = true;             /* free */
}

/* A program may wait again before it dispatches; here once, lest it do so for ever. */
proctype selecting()
{
    byte times, whose, task;
    bool over;

    do
    :: MAY_CLOSE -> break
    :: !MAY_CLOSE ->
        wait(times, whose, task, over);
        if
        :: !MAY_CLOSE -> wait(times, whose, task, over)
        :: true
        fi;
        dispatch(times, whose, task)
    od;
    close_selector()
}

init
{
    byte i;

    atomic {
        run selecting();
        for (i : 0 .. POSTERS - 1) {
            run poster(i);
        }
        for (i : POSTERS .. SENDERS - 1) {
            run waker(i);
        }
    }
}
