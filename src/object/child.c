/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.c: the life of a process that mproc started, from its start block to its end.
 */
#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/env.h"
#include "base/log.h"
#include "base/status.h"
#include "family/family.h"
#include "family/layout.h"
#include "object/leaks.h"
#include "object/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A string of the start block; NULL if it was not given. */
static const char *string_at(const char *base, uint64_t at)
{
    return at == 0 ? NULL : base + at;
}

static int set_up(const struct mproc__start_shm *start, const char *base)
{
    const char **env = NULL;
    if (start->n_env > 0 && (env = mproc__calloc(start->n_env, sizeof(*env))) == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for the environment");
    }
    const char *next = base + start->env_at;
    for (uint32_t i = 0; i < start->n_env; i++) {
        env[i] = next;
        next += (strlen(next) + 1 + 7) / 8 * 8;
    }
    const mplat_setup setup = {
        .name = string_at(base, start->name_at),
        .directory = string_at(base, start->directory_at),
        .env = env,
        .n_env = start->n_env,
        .cpus = (const int *)(const void *)(base + start->cpus_at),
        .n_cpus = start->n_cpus,
        .nice = start->nice,
        .set_umask = start->flags & MPROC__START_UMASK,
        .set_user = start->flags & MPROC__START_USER,
        .umask = start->umask,
        .user = start->user,
        .group = start->group,
    };
    int rc = mplat_process_setup(&setup);
    mproc__env_changed();
    mproc__log_inherit((int)start->log_level, start->flags & MPROC__START_LOG_STDERR);
    mproc__log_begin();
    mproc__leaks_watch_exit();
    mproc__free(env);
    return rc;
}

static int find_function(const struct mproc__start_shm *start, const char *base,
                         mproc__function *ret_function)
{
    const char *path = string_at(base, start->path_at);
    if (path == NULL) {
        return MPROC_OK;
    }
    mproc__entry entry = {.distance = start->distance, .module.is_program = start->is_program};
    memcpy(entry.module.build, start->build, sizeof(entry.module.build));
    mproc__copy_string(entry.module.path, sizeof(entry.module.path), path);
    return mproc__entry_find(&entry, ret_function);
}

/** Everything up to the function: what fails here is told to the parent. */
static int prepare(const struct mproc__start_shm *start, const char *base,
                   mproc__function *ret_function, mproc_value *ret_args)
{
    mproc__process_set_self(string_at(base, start->name_at), string_at(base, start->identity_at),
                            start->flags & MPROC__START_DAEMON);
    mproc__copy_string(mproc__self_member()->name, sizeof(mproc__self_member()->name),
                       mproc_process_name(NULL)); // a fork server knew none yet
    int rc = mproc_set_start_method(string_at(base, start->method_at));
    if (rc < 0 || (rc = set_up(start, base)) < 0 ||
        (rc = find_function(start, base, ret_function)) < 0) {
        return rc;
    }
    return mproc__start_args(base, ret_args);
}

static int fail(const char *name)
{
    mproc__member_tell(mproc__self_id(), mproc_last_error());
    fprintf(stderr, "mproc: %s cannot start: %s\n", name != NULL ? name : "a process",
            mproc_last_error());
    return EXIT_FAILURE;
}

int mproc__exit_code(int result)
{
    if (result < 0) {
        fprintf(stderr, "mproc: %s failed: %s: %s\n", mproc_process_name(NULL),
                mproc_strerror(result), mproc_last_error());
        return EXIT_FAILURE;
    }
    return result > 255 ? 255 : result; // on no system may 256 become 0
}

static void log_run(void)
{
    mproc_log(MPROC_LOG_INFO, "child process calling self.run()");
}

static void log_end(int code)
{
    mproc_log(MPROC_LOG_INFO, "process exiting with exitcode %d", code);
}

int mproc__child_run(const mplat_child *parent, bool is_server)
{
    const struct mproc__member_shm *self = mproc__self_member();
    mproc__process_set_parent(self->parent, parent);
    if (self->start == 0) {
        (void)mproc__fail(MPROC_ECORRUPT, "it was given nothing to do");
        return fail(NULL);
    }
    const mproc__hold hold = {self->start, (uint32_t)self->start_entry};
    const char *base = mproc__block_at(hold.offset);
    struct mproc__start_shm start;
    memcpy(&start, base, sizeof(start));
    mproc__function function = NULL;
    mproc_value args = {0};
    int rc = prepare(&start, base, &function, &args);
    if (rc < 0) {
        return fail(string_at(base, start.name_at));
    }
    mproc__block_empty(hold.offset); // what it held has handles now, which can be closed
    mproc__member_mark(mproc__self_id(), MPROC__OUTCOME_REACHED, 0);
    const mproc_args list = {.count = args.as.list.count, .items = args.as.list.items};
    int code = 0;
    if (function != NULL) {
        if (!is_server) {
            log_run();
        }
        code = is_server ? ((mproc_preload_fn)function)() : ((mproc_process_fn)function)(&list);
    }
    mproc_value_clear(&args);
    mproc__block_release(hold);
    return mproc__exit_code(code);
}

static void end_copy(int code)
{
    (void)mproc_shutdown(MPROC_FOREVER);
    log_end(code);
    mproc__leaks_report();
    mproc__member_mark(mproc__self_id(), MPROC__OUTCOME_LEFT, code);
    mplat_process_leave(code);
}

void mproc__child_note_exit(void)
{
    uint32_t *outcome = mproc__low32(&mproc__self_member()->outcome);
    mproc__store32_release(outcome, mproc__load32_relaxed(outcome) | MPROC__OUTCOME_EXITING);
}

void mproc__child_end(int code, bool is_copy)
{
    if (is_copy) {
        end_copy(code);
    }
    (void)mproc_shutdown(MPROC_FOREVER);
    log_end(code);
    mproc__member_mark(mproc__self_id(), MPROC__OUTCOME_LEFT, code);
    exit(code);
}

/** What is different in a copy: its options, and nothing for most. */
static int set_up_copy(const mproc__start_info *info)
{
    const mproc_process_options *options = info->options;
    mplat_setup setup = {
        .name = info->name,
        .directory = info->directory,
        .env = options->env,
        .cpus = options->cpus,
        .n_cpus = options->n_cpus,
        .nice = options->nice,
        .set_umask = options->set_umask,
        .set_user = options->set_user,
        .umask = options->umask,
        .user = options->user,
        .group = options->group,
    };
    while (setup.env != NULL && setup.env[setup.n_env] != NULL) {
        setup.n_env++;
    }
    int rc = mplat_process_setup(&setup);
    mproc__env_changed();
    mproc__log_begin();
    return rc;
}

void mproc__child_copy(const mproc__launch *launch, const mplat_child *parent)
{
    static const mproc_args none;
    const mproc__start_info *info = launch->info;
    mproc__process_set_parent_of_copy(parent);
    mproc__family_become_copy(launch->member);
    mproc__process_set_self(info->name, info->identity, info->options->is_daemon);
    mplat_copy_at_exit(end_copy);
    if (set_up_copy(info) < 0) {
        end_copy(fail(info->name));
    }
    mproc__member_mark(mproc__self_id(), MPROC__OUTCOME_REACHED, 0);
    mproc_value packed = {.type = MPROC_NIL};
    mproc_args received;
    const mproc_args *args = info->args != NULL ? info->args : &none;
    if (launch->start.offset != 0) { // they have to be received
        if (mproc__start_args(mproc__block_at(launch->start.offset), &packed) < 0) {
            end_copy(fail(info->name));
        }
        mproc__block_empty(launch->start.offset);
        received = (mproc_args){.count = packed.as.list.count, .items = packed.as.list.items};
        args = &received;
    }
    log_run();
    int code = ((mproc_process_fn)info->function)(args);
    mproc_value_clear(&packed);
    if (launch->start.offset != 0) {
        mproc__block_release(launch->start);
    }
    mproc__child_end(mproc__exit_code(code), true);
}

void mproc__child_go(const mplat_child *parent)
{
    mplat_copy_at_exit(end_copy);
    mproc__child_end(mproc__child_run(parent, false), true);
}
