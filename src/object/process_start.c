/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_start.c: mproc_process_start: from a function and arguments to a child on its way.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "base/status.h"
#include "family/family.h"
#include "family/layout.h"
#include "object/local.h"

#include <stdio.h>
#include <string.h>

static void close_streams(const mplat_handle stdio[3])
{
    for (int i = 0; i < 3; i++) {
        if (i != 2 || stdio[2].os != stdio[1].os) {
            mplat_handle_close(stdio[i]);
        }
    }
}

static int open_streams(const mproc_process_options *options, mplat_handle ret_stdio[3])
{
    const char *const paths[3] = {options->stdin_path, options->stdout_path, options->stderr_path};
    mplat_handle stdio[3] = {MPLAT_NO_HANDLE, MPLAT_NO_HANDLE, MPLAT_NO_HANDLE};
    for (int i = 0; i < 3; i++) {
        if (paths[i] == NULL) {
            continue;
        }
        if (i == 2 && paths[1] != NULL && strcmp(paths[1], paths[2]) == 0) {
            stdio[2] = stdio[1];
            continue;
        }
        int rc = mplat_file_open(paths[i], i > 0, &stdio[i]);
        if (rc < 0) {
            close_streams(stdio);
            return rc;
        }
    }
    memcpy(ret_stdio, stdio, sizeof(stdio));
    return MPROC_OK;
}

/**
 * The directory the child must be told. What is copied from this process, or by it, has its
 * directory already; a child of a server has the server's.
 */
static int find_directory(const mproc_context *context, const char *wish, char *ret_path,
                          size_t size)
{
    ret_path[0] = '\0';
    size_t length = 0;
    if (context->is_server_made && (wish == NULL || wish[0] != '/')) {
        int rc = mplat_directory(ret_path, size);
        if (rc < 0) {
            ret_path[0] = '\0';
            return wish == NULL ? MPROC_OK : rc; // it has been removed: nowhere to go
        }
        length = strlen(ret_path);
    }
    if (wish != NULL) {
        int n = snprintf(ret_path + length, size - length, "%s%s", length > 0 ? "/" : "", wish);
        if (n < 0 || (size_t)n >= size - length) {
            return mproc__fail(MPROC_ETOOBIG, "the directory's path is too long");
        }
    }
    return MPROC_OK;
}

static int check(const mproc_process_options *options, const mproc_context *context)
{
    const mplat_setup setup = {
        .cpus = options->cpus,
        .n_cpus = options->n_cpus,
        .nice = options->nice,
        .set_umask = options->set_umask,
        .set_user = options->set_user,
    };
    const char *program;
    if (options->n_cpus > 0 && options->cpus == NULL) {
        return mproc__fail(MPROC_EINVAL, "%zu processors are to be used, but none is named",
                           options->n_cpus);
    }
    int rc = context->run != NULL ? mproc__local_check(context, options) : MPROC_OK;
    rc = rc < 0 ? rc : mplat_process_setup_check(&setup);
    if (rc < 0 || context->run != NULL) {
        return rc;
    }
    if (!context->is_copy) {
        return mproc__program(&program);
    }
    if (!options->fork_with_threads && mplat_has_threads()) {
        return mproc__fail(MPROC_ETHREADS,
                           "fork would copy this process's locks, but not the threads "
                           "that hold them: use forkserver or spawn");
    }
    return MPROC_OK;
}

/**
 * Pack what the child needs. To a copy nothing needs to be passed but connections to strangers; what could not be packed is
 * refused as everywhere.
 */
static int pack(const mproc_context *context, const mproc__start_info *info, mproc__launch *launch,
                bool *ret_is_packed)
{
    int rc = context->is_copy ? mproc__start_check(info) : MPROC_OK;
    if (rc >= 0 && (!context->is_copy || mproc__start_has_strangers(info))) {
        rc = mproc__start_pack(info, &launch->start);
        *ret_is_packed = rc >= 0;
    }
    return rc;
}

/** Pack what the child needs and start it. What was made on the way is undone on failure. */
static int launch(mproc_process *process, const mproc__start_info *info,
                  const mplat_handle stdio[3])
{
    const mproc_context *context = process->context;
    mproc__launch launch = {.info = info, .stdio = {stdio[0], stdio[1], stdio[2]}};
    bool is_packed = false;
    int rc = pack(context, info, &launch, &is_packed);
    if (rc >= 0 && !context->is_server_made) {
        rc = mproc__member_new(mproc__self_id(), process->name, &launch.member);
        if (rc >= 0 && context->is_copy) {
            rc = mproc__member_clone(mproc__self_id(), launch.member);
        }
    }
    if (rc >= 0) {
        rc = context->launch(&launch);
    }
    if (is_packed && !launch.is_given && (rc < 0 || context->is_copy)) {
        mproc__block_release(launch.start); // a copy has a hold of its own
    }
    if (rc >= 0) {
        process->member = launch.member;
        process->child = launch.child;
        return MPROC_OK;
    }
    if (launch.member != 0) {
        mproc__member_bury(launch.member);
        mproc__member_free(launch.member);
    }
    return rc;
}

static void find_name(mproc_process *process, const mproc_process_options *options,
                      char *ret_identity, size_t size)
{
    mproc__process_next_name(process->name, sizeof(process->name), ret_identity, size);
    if (options->name != NULL) {
        (void)snprintf(process->name, sizeof(process->name), "%s", options->name);
    }
}

static void list(mproc_process *process)
{
    mproc__children_watch_exit();
    mproc__children_add(process);
}

/** In this process; what is inline has ended when this returns. */
static int start_here(mproc_process *process, mproc_process_fn target, const mproc_args *args,
                      const mproc_process_options *options)
{
    const mproc_context *context = process->context;
    char identity[64];
    find_name(process, options, identity, sizeof(identity));
    const mproc__start_info info = {.function = (mproc__function)target,
                                    .args = args,
                                    .name = process->name,
                                    .options = options};
    int rc = mproc__local_prepare(process, &info);
    if (rc < 0) {
        return rc;
    }
    // First, for its function may hand on the handle, and who gets that may join it.
    if (!context->is_inline) {
        list(process);
    }
    rc = context->run(process);
    if (rc < 0) {
        mproc__children_remove(process);
    } else if (context->is_inline) {
        rc = mproc__process_await(process, MPROC_NOWAIT);
    }
    return rc;
}

/** What was printed before the start appears before what the child prints, and not in a copy again. */
static void flush(const mproc_context *context, const mproc_process_options *options)
{
    if (context->is_copy && !options->fork_with_threads) {
        (void)fflush(NULL);
    } else {
        // No more: another thread may be reading from a stream, and hold its lock.
        (void)fflush(stdout);
        (void)fflush(stderr);
    }
}

/** In a process of its own. */
static int start_apart(mproc_process *process, mproc_process_fn target, const mproc_args *args,
                       const mproc_process_options *options)
{
    char directory[4096];
    char identity[64];
    mplat_handle stdio[3];
    mproc__member_sweep();
    flush(process->context, options);
    find_name(process, options, identity, sizeof(identity));
    int rc = find_directory(process->context, options->cwd, directory, sizeof(directory));
    if (rc < 0 || (rc = open_streams(options, stdio)) < 0) {
        return rc;
    }
    const mproc__start_info info = {
        .function = (mproc__function)target,
        .args = args,
        .name = process->name,
        .identity = identity,
        .directory = directory[0] != '\0' ? directory : NULL,
        .options = options,
    };
    mproc__making_begin(process->context->is_copy);
    rc = launch(process, &info, stdio);
    if (rc >= 0) {
        list(process);
    }
    mproc__making_end(process->context->is_copy);
    close_streams(stdio);
    return rc;
}

int mproc_process_start(mproc_process **ret_process, mproc_process_fn target,
                        const mproc_args *args, const mproc_process_options *options)
{
    static const mproc_process_options defaults;
    options = options != NULL ? options : &defaults;
    if (ret_process == NULL || target == NULL) {
        return mproc__fail(MPROC_EINVAL, "a process needs a function, and a place for its handle");
    }
    *ret_process = NULL;
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    const mproc_context *context =
        options->context != NULL ? options->context : mproc_get_context(NULL);
    rc = check(options, context);
    if (rc < 0) {
        return rc;
    }
    mproc_process *process = mproc__calloc(1, sizeof(*process));
    if (process == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a process's handle");
    }
    process->context = context;
    process->is_daemon = options->is_daemon;
    process->child = (mplat_child){.sentinel = MPLAT_NO_HANDLE, .tree = MPLAT_NO_HANDLE};
    process->users = 1;
    rc = context->run != NULL ? start_here(process, target, args, options)
                              : start_apart(process, target, args, options);
    if (rc < 0) {
        mproc__process_release(process);
        return rc;
    }
    mproc_log(MPROC_LOG_DEBUG, "started %s (pid %lld, %s)", process->name,
              (long long)mproc_process_pid(process), context->name);
    *ret_process = process;
    return MPROC_OK;
}
