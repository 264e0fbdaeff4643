/* SPDX-License-Identifier: MIT */
/*
 * The wake-up and the inbox of other threads, for Spin: sel_wakeup() and
 * sel_call_soon_threadsafe() beside a thread that waits, dispatches and closes.
 * Each atomic operation of lib/selector/wakeup.c and lib/selector/tasks.c, each system call and each
 * access to what another thread may free is one step, in the order of the C code.
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
 * A compare-and-exchange does not fail without a reason, or it would fail for ever.
 * malloc() and the first look at the inbox are one step, since only the look is seen
 * by others.  Not in it: a fork, and what a call reads of the selector before it
 * counts as begun, which the program alone can keep from being freed.
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
#define NONE 255

/* --- struct sel__wakeup and struct sel__tasks ------------------------------- */

byte count;          /* of the eventfd */
bool pending;
bool requested;
byte senders;
byte inbox = NONE;   /* the top of the stack, an item's address */
chan queue = [ITEMS] of { byte };

/* Items: malloc() hands the address that was freed out again. */
bool allocated[ITEMS];
byte next[ITEMS];
byte owner[ITEMS];
byte number[ITEMS];

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

inline wakeup_begin(self) /* sel__wakeup_begin */
{
    d_step {
        TOUCH;
        senders++; /* atomic_fetch_add */
        begun = begun + (self >= POSTERS);
        if
        :: self < POSTERS -> called[self]++
        :: else -> skip
        fi;
        owed = owed | (1 << self)
    }
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

inline tasks_post(self, task, item) /* sel__tasks_post */
{
    d_step {
        item = 0; /* new_task: malloc, always the lowest address that is free */
        do
        :: allocated[item] -> item++
        :: else -> break
        od;
        allocated[item] = true;
        owner[item] = self;
        number[item] = task;
        TOUCH;
        next[item] = inbox /* atomic_load_explicit */
    }
    do /* atomic_compare_exchange: it was the same, or it is read anew */
    :: d_step {
            inbox == next[item];
            TOUCH;
            inbox = item
        }
        break
    :: d_step {
            inbox != next[item];
            TOUCH;
            next[item] = inbox
        }
    od;
    item = 0
}

proctype waker(byte self) /* sel_wakeup, WAKES times */
{
    byte call;
    bool was;

    for (call : 1 .. WAKES) {
        wakeup_begin(self);
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
    byte task, item;
    bool was;

    for (task : 1 .. POSTS) {
#if MISTAKE == 4
        tasks_post(self, task, item);
        wakeup_begin(self);
        wakeup_send(was);
#elif MISTAKE == 2
        wakeup_begin(self);
        wakeup_send(was);
        tasks_post(self, task, item);
#else
        wakeup_begin(self);
        tasks_post(self, task, item);
        wakeup_send(was);
#endif
        wakeup_end();
    }
}

/* --- The selector's thread ------------------------------------------------------- */

/* Turning the stack round and queueing it is one step: nobody else sees these. */
inline tasks_collect(posted, ordered, item) /* sel__tasks_collect */
{
#if MISTAKE == 5
    posted = inbox;
    inbox = NONE;
#else
    d_step { /* atomic_exchange of the inbox */
        posted = inbox;
        inbox = NONE;
    }
#endif
    d_step {
        ordered = NONE;
        do
        :: posted != NONE ->
            item = next[posted];
#if MISTAKE == 7
            queue!posted;
#else
            next[posted] = ordered;
            ordered = posted;
#endif
            posted = item
        :: else -> break
        od;
        do
        :: ordered != NONE ->
            queue!ordered;
            item = next[ordered];
            next[ordered] = 0;
            ordered = item
        :: else -> break
        od;
        posted = 0;
        ordered = 0;
        item = 0
    }
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

inline wait(posted, ordered, item, over) /* sel__wait */
{
    do
    :: count > 0 -> /* backend->wait, which reports the descriptor */
        wakeup_receive();
#if MISTAKE != 6
        tasks_collect(posted, ordered, item);
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

inline dispatch(posted, ordered, item) /* call_tasks */
{
    if
    :: inbox != NONE || nempty(queue) -> /* sel__tasks_exist */
        tasks_collect(posted, ordered, item);
        do
        :: d_step {
                queue?item;
                allocated[item] = false; /* free */
                ran[owner[item]]++;
                all_ran++;
                assert(ran[owner[item]] == number[item]); /* once, in order */
                owed = (number[item] == called[owner[item]] ->
                        owed & ~(1 << owner[item]) : owed);
                owner[item] = 0;
                number[item] = 0;
                item = 0
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
        assert(inbox == NONE && empty(queue));
        owed = 0 /* nobody waits any more */
    }
    descriptor_closed = true; /* sel__wakeup_close */
    freed = true;             /* free */
}

/* A program may wait again before it dispatches; here once, lest it do so for ever. */
proctype selecting()
{
    byte posted, ordered, item;
    bool over;

    do
    :: MAY_CLOSE -> break
    :: !MAY_CLOSE ->
        wait(posted, ordered, item, over);
        if
        :: !MAY_CLOSE -> wait(posted, ordered, item, over)
        :: true
        fi;
        dispatch(posted, ordered, item)
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
