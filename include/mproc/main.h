/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/main.h: the first line of main(), start methods, and the end of the program.
 *
 *     int main(int argc, char **argv)
 *     {
 *         mproc_main(argc, argv);
 *         ...
 */
#ifndef MPROC_MAIN_H
#define MPROC_MAIN_H

#include "mproc/export.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/** A start method, as an object to hand around. Lives for ever; compare by pointer. */
typedef struct mproc_context mproc_context;

/** A function the fork server runs once, before it forks its first child. 0, or negative to fail. */
typedef int (*mproc_preload_fn)(void);

/**
 * Let mproc have its children: call this before anything else in main().
 *
 * Python: multiprocessing.freeze_support(), and what the interpreter does by itself
 *
 * In the program that the user started it prepares the library and returns. In a process that mproc
 * started it runs that process's function and never returns. A program that forgets it gets
 * MPROC_ENOMAIN from its first mproc_process_start; it can never become a fork bomb.
 *
 * @param argc,argv  main's own
 * @return 0, or a negative status if the family cannot be founded (the library then tries again at
 *         the first call that needs it)
 * @safety before other threads exist
 */
MPROC_API int mproc_main(int argc, char **argv);

/**
 * Name another program to start children with, for code whose main() is not its own: plug-ins, and
 * programs written in other languages. That program's main() must call mproc_main() first thing;
 * mproc-worker is one that does nothing else. Functions in shared libraries are found there, the
 * calling program's own functions are not.
 *
 * Python: multiprocessing.set_executable(path)
 *
 * mproc-worker is built with -DMPROC_TOOLS=ON. A shared library that itself calls mproc must use the same
 * copy of it as the program: build mproc with BUILD_SHARED_LIBS=ON then. It is read at a start by
 * "spawn", and at that of a fork server: choose before the first start.
 *
 * @param path  the program's file, absolute or relative to the current directory; NULL: this
 *              program again
 * @return 0, MPROC_ENOENT or MPROC_EINVAL
 */
MPROC_API MPROC_NODISCARD int mproc_set_executable(const char *path);

/**
 * The start method "spawn", "fork" or "forkserver" as an object; or, for debugging and for what is
 * not worth a process, "thread" or "inline", with which a process is none: its function runs in a
 * thread of this process, or before mproc_process_start returns. Arguments are copied all the same.
 * It cannot be ended from outside, has no options but name and daemon, exit() in it is this process's, and
 * it must return: pthread_exit() in it is a process that never ends.
 *
 * Python: multiprocessing.get_context(method), multiprocessing.dummy
 *
 * @param method  its name; NULL: the default
 * @return NULL for a method that this system does not have
 */
MPROC_API const mproc_context *mproc_get_context(const char *method);

/** The name of a context's start method; NULL: the default's. */
MPROC_API const char *mproc_context_name(const mproc_context *context);

/**
 * Set the start method of all later calls that do not name one, "thread" and "inline" among them;
 * NULL: the system's default again. Children inherit it.
 *
 * Python: multiprocessing.set_start_method(method), but it may be called again
 *
 * @return 0, MPROC_ENOTSUP (known, but not on this system) or MPROC_ENOENT (no such method)
 */
MPROC_API MPROC_NODISCARD int mproc_set_start_method(const char *method);

/*
 * After the application's own fork(), the copy is a process of its own, which holds nothing: it may use the
 * handles it sees in its memory only as long as the process it was copied from keeps them open.
 * Processes that mproc starts have holds of their own.
 */

/**
 * The default start method: "forkserver" on Linux, "spawn" on Windows, unless it was set.
 *
 * A fork server is a child of the process that started it: a loop that waits for all children of
 * the process, `while (wait(NULL) > 0)`, waits for it too until mproc_shutdown has ended it.
 */
MPROC_API const char *mproc_get_start_method(void);

/** The start methods of this system that make processes, the default first; ends with NULL. */
MPROC_API const char *const *mproc_get_all_start_methods(void);

/**
 * Have the fork server run a function once, before its first child: load what every child needs.
 * Children then find it done.
 *
 * Python: multiprocessing.set_forkserver_preload([...], on_error='fail')
 *
 * @param preload  a function of the program or of a shared library; NULL: none. When it returns a
 *                 negative status, every start by this server fails with MPROC_ESTART.
 * @return 0, or MPROC_ESTATE when this process's server runs already
 */
MPROC_API MPROC_NODISCARD int mproc_set_forkserver_preload(mproc_preload_fn preload);

/**
 * The number of processors this process may use: the machine's, less what its affinity and its
 * cgroup's (Windows: its job's) CPU limit take away; at least 1.
 *
 * Python: os.process_cpu_count(), which does not know cgroups
 */
MPROC_API int mproc_cpu_count(void);

/**
 * End this process's children in order: pools and daemons are terminated, the others are joined.
 *
 * Python: what happens at the interpreter's exit. exit() and a return from main() do the same,
 * waiting for the others without limit.
 *
 * @param timeout  for all of it; daemons that do not heed the request are killed after a second
 * @return 0, or MPROC_ETIMEDOUT while a child that is no daemon still runs
 * @safety any thread; not in signal handlers
 */
MPROC_API int mproc_shutdown(mproc_timeout timeout);

MPROC_END_DECLS

#endif
