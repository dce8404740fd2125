/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/waits.h: who waits for what, and for whom: for programs that stand still.
 *
 * Any process of the family can look at any time; nobody is held up by that. Who waits shows when he
 * has gone to sleep, some microseconds after he began to wait.
 *
 *     static void print(const char *line, void *context)
 *     {
 *         fprintf(context, "%s\n", line);
 *     }
 *     ...
 *     mproc_report_waits(print, stderr);
 *
 *     process 12 (thread 12) has waited 1.502 s for an rlock (0x12c40), which process 13 (thread 13) holds
 *     process 13 (thread 13) has waited 1.499 s for an rlock (0x12cc0), which process 12 (thread 12) holds
 *     deadlock: process 12 (thread 12) and process 13 (thread 13) wait for each other
 *
 * Without a call: with MPROC_DEADLOCKS=1 in its environment, a process whose thread has waited for a
 * lock for five seconds looks whether it does so in a circle, and says so on stderr, once.
 */
#ifndef MPROC_WAITS_H
#define MPROC_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** The longest circle that is found, in threads. */
#define MPROC_CIRCLE_MAX 64u

/** A thread that waits. */
typedef struct mproc_wait_info {
    int64_t pid;       /**< its process */
    const char *kind;  /**< what it waits for: "a lock", "a barrier"; "a process": for its end */
    uint64_t object;   /**< which one, see mproc_object_reference; of a process the pid */
    int64_t waited_ns; /**< for how long */
    /**
     * Who holds the lock or rlock, or which process is to end; 0: nobody, as of an event, a semaphore,
     * a condition, a barrier, and of a lock that changes hands just now; or unknown: who holds a named lock may
     * be no member.
     */
    int64_t holder_pid;
    uint32_t
        thread; /**< who waits, as the system numbers threads: gettid(), GetCurrentThreadId() */
    /** The holder's thread. Of a process: its main one, or the only one that has used mproc; or 0. */
    uint32_t holder_thread;
    /**
     * Not 0: it waits for a thread that waits for a thread ... that waits for it. All threads of one
     * circle have the same number, another one than those of another. A circle is reported when it was
     * seen twice, and nothing had changed in between.
     */
    uint32_t circle;
    bool has_timeout; /**< it will not wait for ever */
    /**
     * Nothing but the end of a process ends that: no wait of the circle has a timeout, and all it waits
     * for are rlocks, which only their holders can release, and processes. (A lock might be released by
     * another thread.)
     */
    bool is_deadlock;
} mproc_wait_info;

/**
 * List the family's threads that wait for an object, and those that join a process.
 *
 * Python: none
 *
 * @param ret_infos  room for `capacity` of them; NULL for none
 * @param ret_count  how many there are; of more than `capacity` the first ones are listed
 * @return 0, MPROC_EINVAL, or MPROC_ENOSPC as mproc_lock_acquire
 * @blocking  for moments
 * @safety any thread of any member process
 * @death  the dead do not show, once they have been found dead, which is tried here
 */
MPROC_API int mproc_list_waits(mproc_wait_info *ret_infos, size_t capacity, size_t *ret_count);

/** Takes one line of a report, without its end; not to be kept. */
typedef void (*mproc_line_fn)(const char *line, void *context);

/**
 * The same as text: a line for each thread that waits, then one for each circle.
 *
 * @param line     called for each, by this thread, which holds nothing meanwhile
 * @param context  for it
 * @return 0, MPROC_EINVAL, MPROC_ENOMEM, or MPROC_ENOSPC as mproc_lock_acquire
 */
MPROC_API int mproc_report_waits(mproc_line_fn line, void *context);

/**
 * The number by which reports name an object, the same in all processes of the family while it lives:
 * mproc_object_reference(MPROC_VALUE(lock)). 0 for what is no object.
 */
MPROC_API uint64_t mproc_object_reference(mproc_value object);

MPROC_END_DECLS

#endif
