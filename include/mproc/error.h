/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/error.h: status codes and the story behind the last one.
 *
 * Every call returns an int: 0 or positive is success, negative is one of the codes below. Whoever
 * detects an error also leaves a sentence that says what was attempted, on what, and what the
 * system said; mproc_last_error() returns it.
 */
#ifndef MPROC_ERROR_H
#define MPROC_ERROR_H

#include "mproc/export.h"

MPROC_BEGIN_DECLS

/** Status codes. Their numbers are part of the ABI and never change. */
enum mproc_status {
    MPROC_OK = 0,
    MPROC_OWNER_DIED = 1, /**< Success, but the last owner died: check what it guarded. */

    MPROC_EINVAL = -1, /**< An argument is out of its range, or the call does not fit the state. */
    MPROC_ENOMEM = -2, /**< No memory, in the process or in the arena. */
    MPROC_ETIMEDOUT = -3,  /**< The timeout passed; nothing changed. */
    MPROC_ENOTSUP = -4,    /**< This system, or this start method, cannot do that. */
    MPROC_ETYPE = -5,      /**< A value has another type than asked for. */
    MPROC_ECOUNT = -6,     /**< Another number of arguments than asked for. */
    MPROC_ERANGE = -7,     /**< A number does not fit the variable it was to go into. */
    MPROC_EMALFORMED = -8, /**< Received bytes are not a well-formed value. */
    MPROC_ETOOBIG = -9,    /**< Larger than a documented limit. */
    MPROC_EMFILE = -10,    /**< Out of file descriptors or handles. */
    MPROC_ENPROC = -11,    /**< Out of processes. */
    MPROC_EACCES = -12,    /**< The system denies it. */
    MPROC_ENOENT = -13,    /**< No such file, process, object or method. */
    MPROC_ESTATE = -14,   /**< Not in this state: not running yet, still running, closed already. */
    MPROC_ENOMAIN = -15,  /**< The program did not call mproc_main() first thing in main(). */
    MPROC_ENOEXEC = -16,  /**< The program cannot be executed again. */
    MPROC_ESTART = -17,   /**< The child died before it reached its function. */
    MPROC_EBUILD = -18,   /**< The child runs another build of the program or of a library. */
    MPROC_ETHREADS = -19, /**< fork was refused: this process has other threads. */
    MPROC_EPEER = -20,    /**< The other side is gone. */
    MPROC_ECORRUPT =
        -21, /**< Shared memory holds what it cannot hold; somebody wrote where he must not. */
    MPROC_EUNKNOWN =
        -22, /**< The answer is lost, e.g. the exit status that somebody else collected. */
    MPROC_ENOSPC = -23,    /**< No space left: disk, arena, member table. */
    MPROC_ESYSTEM = -24,   /**< Any other failure of a system call; mproc_last_error() names it. */
    MPROC_EPOISONED = -25, /**< What a strict lock guards was left broken by one who died. */
    MPROC_EEXIST = -26,    /**< Something of that name exists already. */
    /** The barrier or latch is broken: a party died, timed out or gave up. Or the pool: its workers die. */
    MPROC_EBROKEN = -27,
    /** No more comes, or is taken: the queue has been shut down, the connection's other end is gone. */
    MPROC_ECLOSED = -28,
    MPROC_EWORKERDIED = -29, /**< The worker that ran the task has died, and the task with it. */
    MPROC_ECANCELLED = -30,  /**< The task was cancelled. */
    MPROC_EINTERRUPTED = -31 /**< The program was interrupted, by Ctrl-C as a rule. */
};

/**
 * Name a status in a few words, e.g. "timed out".
 *
 * @param status  any value, also one that is no status
 * @return a static string, never NULL
 * @safety any thread, also in signal handlers
 */
MPROC_API const char *mproc_strerror(int status);

/**
 * The sentence behind the last error of the calling thread.
 *
 * Python: str(exception)
 *
 * @return a string owned by the library, valid until the next failing call of this thread; "" when
 *         no call of this thread has failed yet. Successful calls leave it alone.
 * @safety any thread; each has its own
 */
MPROC_API const char *mproc_last_error(void);

/**
 * Print "WHAT: the last error" and a newline to stderr.
 *
 * @param what  what the program was doing, or NULL
 * @return 1, so that a main() can end with `return mproc_perror("pool");`
 */
MPROC_API int mproc_perror(const char *what);

MPROC_END_DECLS

#endif
