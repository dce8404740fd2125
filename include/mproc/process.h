/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/process.h: Process.
 *
 *     static int greet(const mproc_args *args)
 *     {
 *         const char *name;
 *         int rc = MPROC_UNPACK(args, &name);
 *         if (rc < 0) {
 *             return rc;
 *         }
 *         printf("hello %s from %lld\n", name, (long long)mproc_process_pid(NULL));
 *         return 0;
 *     }
 *     ...
 *     mproc_process *child;
 *     if (mproc_process_start(&child, greet, MPROC_ARGS("world"), NULL) < 0) {
 *         return mproc_perror("start");
 *     }
 *     mproc_process_join(child, MPROC_FOREVER);
 *     mproc_process_close(child);
 */
#ifndef MPROC_PROCESS_H
#define MPROC_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/main.h"
#include "mproc/timeout.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/**
 * A process of the family, as seen from this one. To calls that ask something NULL is this process; to
 * those that end a process it is MPROC_EINVAL.
 */
typedef struct mproc_process mproc_process;

/**
 * What a process runs.
 *
 * @param args  valid until the function returns, with everything that was unpacked from it
 * @return the exit code: 0 is success, 1 to 255 as the program likes; a negative status makes it 1,
 *         and a line on stderr, more than 255 makes it 255
 */
typedef int (*mproc_process_fn)(const mproc_args *args);

/** A descriptor (POSIX) or HANDLE (Windows) of the system's own, to poll or wait on. */
typedef intptr_t mproc_os_handle;

/** How to start a process. Zero is the default everywhere. */
typedef struct mproc_process_options {
    const char *name;             /**< default: "Process-1", then ":2" for each generation below */
    const mproc_context *context; /**< start method; default: mproc_get_start_method() */
    bool is_daemon;               /**< terminated, not waited for, when this process ends */
    bool fork_with_threads;       /**< fork although other threads run: the caller vouches for it */

    const char *stdin_path;  /**< file to read; default: the null device */
    const char *stdout_path; /**< file to write, created or truncated; default: this process's */
    const char *stderr_path; /**< the same; equal to stdout_path: one file, opened once */
    const char *cwd;         /**< directory to run in; default: this process's current one */
    /**
     * "NAME=value" to set, "NAME" to unset, then NULL; NULL: no change. It changes this process's
     * environment, with forkserver that of the time when the server was started.
     */
    const char *const *env;
    const int
        *cpus; /**< processors to run on, n_cpus of them; NULL: no change. Also of a "thread" */
    size_t n_cpus;
    int nice;       /**< added to the nice value; Windows: <0, 0 and >0 choose a priority class */
    bool set_umask; /**< whether umask below counts */
    unsigned umask; /**< file mode mask; Windows: only the write bit of the owner counts */
    bool set_user;  /**< POSIX, needs privileges: run as user and group below */
    uint32_t user;  /**< user id */
    uint32_t group; /**< group id */
} mproc_process_options;

/** How a process ended, in full. */
typedef struct mproc_exit_report {
    int exit_code;         /**< as mproc_process_exit_code */
    int signal;            /**< what killed it; 0: none. Windows: always 0 */
    bool core_dumped;      /**< it left a core dump */
    bool out_of_memory;    /**< killed by the kernel for want of memory: the cgroup counted one */
    int64_t user_ns;       /**< processor time in user mode, nanoseconds; 0 when unknown */
    int64_t system_ns;     /**< in kernel mode */
    int64_t max_rss_bytes; /**< peak of its resident memory; 0 when unknown */
} mproc_exit_report;

/**
 * Start a function of this program, or of a library it has loaded, in another process.
 *
 * Python: Process(target=, args=, name=, daemon=).start()
 *
 * The arguments are copied into the arena, shared objects among them by reference; the call returns
 * without waiting for the child, however large they are. A child that dies before it reaches its
 * function is noticed by mproc_process_join, which then returns MPROC_ESTART.
 *
 * As between threads nothing but the function and its arguments is given to it, but unlike with threads
 * globals, statics and pointers are not shared: share blocks.
 *
 * @param ret_process  the child; NULL on failure
 * @param target       the function; static ones are fine
 * @param args         MPROC_ARGS(...) or NULL for none
 * @param options      NULL for the defaults; read during the call only
 *
 * @return 0               the child is on its way
 * @return MPROC_ENOMAIN   main() did not call mproc_main(), nor was a program set by
 *                         mproc_set_executable(); "fork" needs neither
 * @return MPROC_ENOTSUP   no such start method or option on this system
 * @return MPROC_ETHREADS  fork, and other threads run
 * @return MPROC_ENPROC    out of processes (RLIMIT_NPROC, the cgroup's pids.max)
 * @return MPROC_EMFILE    out of descriptors
 * @return MPROC_ENOMEM, MPROC_ENOSPC  no room for the arguments or for one more member
 * @return MPROC_ENOENT, MPROC_EACCES  a redirection's file cannot be opened. A directory that cannot
 *         be entered is found by the child, like all the options but these: MPROC_ESTART from join
 * @return MPROC_ENOEXEC   the program cannot be executed again
 *         or another negative status; nothing was started then
 *
 * @owner    the caller, until mproc_process_close
 * @blocking forkserver: until the server has a child, normally one is kept ready
 * @safety   any thread of any member process, several at once
 * @death    when this process dies, however it dies, its children are killed by the system
 */
MPROC_API MPROC_NODISCARD int mproc_process_start(mproc_process **ret_process,
                                                  mproc_process_fn target, const mproc_args *args,
                                                  const mproc_process_options *options);

/**
 * Wait until a process has ended.
 *
 * Python: Process.join(timeout)
 *
 * @return 0               it has ended; may be called again, by several threads at once
 * @return MPROC_ETIMEDOUT it still runs
 * @return MPROC_ESTART    it has ended without having reached its function
 * @return MPROC_ESTATE    for this process itself
 * @blocking until the end or the timeout
 */
MPROC_API int mproc_process_join(mproc_process *process, mproc_timeout timeout);

/**
 * Wait until one of many processes has ended; any number of them, on Windows too.
 *
 * Python: multiprocessing.connection.wait([p.sentinel for p in processes], timeout)
 *
 * @param processes  started by this process
 * @param ret_index  the place of one that has ended
 * @return 0, MPROC_ETIMEDOUT or MPROC_EINVAL (none given)
 */
MPROC_API int mproc_process_wait_any(mproc_process *const *processes, size_t count,
                                     mproc_timeout timeout, size_t *ret_index);

/**
 * Whether a process still runs.
 *
 * Python: Process.is_alive()
 *
 * @return 1 or 0, or a negative status
 */
MPROC_API int mproc_process_is_alive(mproc_process *process);

/**
 * The exit code of a process that has ended.
 *
 * Python: Process.exitcode
 *
 * @param ret_code  only after a join that returned 0: who never reached its function may have a code of 0.
 *                  0: success; N: its function returned N or it called exit(N); -N: killed by signal
 *                  N. Windows: what the process ended with, so that an exception's code is negative;
 *                  -15 after mproc_process_terminate or _kill.
 * @return 0, MPROC_ESTATE while it runs, or MPROC_EUNKNOWN: somebody else collected the status (a
 *         wait(-1) of the application's, say) and the process had not left one of its own accord
 */
MPROC_API int mproc_process_exit_code(mproc_process *process, int *ret_code);

/** All that is known of how a process ended. Returns as mproc_process_exit_code does. */
MPROC_API int mproc_process_exit_report(mproc_process *process, mproc_exit_report *ret_report);

/** The process's name; valid until it is closed. Python: Process.name */
MPROC_API const char *mproc_process_name(const mproc_process *process);

/** The system's number of the process. Python: Process.pid */
MPROC_API int64_t mproc_process_pid(const mproc_process *process);

/** Whether it is a daemon. Python: Process.daemon */
MPROC_API bool mproc_process_is_daemon(const mproc_process *process);

/**
 * A descriptor that becomes readable, or a handle that is signalled, when the process has ended.
 * Only for waiting: read nothing from it, send nothing to it.
 *
 * Python: Process.sentinel
 *
 * @return -1 for this process itself; valid until the process is closed
 */
MPROC_API mproc_os_handle mproc_process_sentinel(const mproc_process *process);

/** Ask with SIGINT. Python: Process.interrupt(). Windows: MPROC_ENOTSUP. */
MPROC_API int mproc_process_interrupt(mproc_process *process);

/**
 * Ask with SIGTERM; Windows: kill.
 *
 * Python: Process.terminate()
 *
 * @return 0, also when it has ended already; MPROC_EACCES
 * @death its own children are ended by the system when it has ended
 */
MPROC_API int mproc_process_terminate(mproc_process *process);

/** Kill it with SIGKILL, or TerminateProcess. Python: Process.kill() */
MPROC_API int mproc_process_kill(mproc_process *process);

/**
 * Kill a process with all its descendants, those too that mproc did not start.
 *
 * @return 0; descendants that have cut their ties (a daemon whose parent has ended) are not found
 *         on POSIX
 */
MPROC_API int mproc_process_kill_tree(mproc_process *process);

/**
 * End a process in steps: SIGTERM, and after a grace SIGKILL; then join it.
 *
 * @param grace  how long it may take to heed the request
 * @return as mproc_process_join
 */
MPROC_API int mproc_process_stop(mproc_process *process, mproc_timeout grace);

/**
 * Give up a handle. The process must have ended.
 *
 * Python: Process.close()
 *
 * @param process  NULL is fine
 * @return 0, or MPROC_ESTATE while it runs: the handle stays valid
 */
MPROC_API int mproc_process_close(mproc_process *process);

/**
 * This process; lives as long as it does. In a function that runs in the context "thread" or "inline"
 * its own handle, which is who started it's. Python: current_process()
 */
MPROC_API mproc_process *mproc_current_process(void);

/**
 * The process that started this one; NULL in the family's root. Lives as long as this process; join,
 * is_alive, name, pid and sentinel work on it, and it ends this process when it ends.
 *
 * Python: parent_process()
 */
MPROC_API mproc_process *mproc_parent_process(void);

/**
 * The children that still run.
 *
 * Python: active_children()
 *
 * @param ret_children  room for `capacity` of them; the handles are the ones mproc_process_start
 *                      returned and stay the callers'. May be NULL with capacity 0.
 * @return how many there are; more than capacity: the rest was left out
 */
MPROC_API size_t mproc_active_children(mproc_process **ret_children, size_t capacity);

MPROC_END_DECLS

#endif
