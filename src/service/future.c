/* SPDX-License-Identifier: Apache-2.0 */
/*
 * future.c: mproc_future: what came of a task, or of several.
 */
#include "mproc/future.h"

#include "base/alloc.h"
#include "base/status.h"
#include "family/bell.h"
#include "family/family.h"
#include "service/client.h"
#include "service/payload.h"
#include "service/tasks_part.h"

#include <stdio.h>
#include <string.h>

static int is_null(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the future is NULL", verb);
}

/* ---- giving ---------------------------------------------------------------------------------- */

int mproc__future_hand_out(mproc_future *future, const mproc_task_options *options,
                           mproc_future **ret_future)
{
    int rc = MPROC_OK;
    if (options != NULL && (options->callback != NULL || options->error_callback != NULL)) {
        rc = mproc__callbacks_add(future, options);
    }
    if (rc < 0 || ret_future == NULL) {
        mproc__future_release(future);
    } else {
        *ret_future = future;
    }
    return rc;
}

int mproc_pool_apply_async(mproc_pool *pool, mproc_task_fn function, const mproc_args *args,
                           const mproc_task_options *options, mproc_future **ret_future)
{
    mproc__client *client;
    mproc_future *future;
    if (pool == NULL || function == NULL) {
        return mproc__fail(MPROC_EINVAL, "apply: a task needs a pool and a function");
    }
    const mproc__order order = {
        .function = (mproc__function)function, .args = args, .options = options};
    int rc = mproc__client_of(pool, &client);
    if (rc < 0 || (rc = mproc__submit(client, &order, &future)) < 0) {
        return rc;
    }
    return mproc__future_hand_out(future, options, ret_future);
}

int mproc_pool_apply(mproc_pool *pool, mproc_task_fn function, const mproc_args *args,
                     mproc_value *ret_result, mproc_timeout timeout)
{
    mproc_future *future = NULL;
    int rc = mproc_pool_apply_async(pool, function, args, NULL, &future);
    if (rc >= 0) {
        rc = mproc_future_get(future, ret_result, timeout);
        mproc_future_close(future);
    }
    return rc;
}

/* ---- its outcome ------------------------------------------------------------------------------ */

const char *mproc__death_story(const struct mproc__task_death *how, const char *name,
                               char ret_story[MPROC__DEATH_STORY])
{
    char cause[60];
    int signal = mplat_signal_of(how->exit_code);
    bool has_name = name != NULL && name[0] != '\0';
    if (how->flags & MPLAT_EXIT_OOM) {
        (void)snprintf(cause, sizeof(cause), "killed for want of memory");
    } else if (signal != 0) {
        (void)snprintf(cause, sizeof(cause), "killed by signal %d", signal);
    } else {
        (void)snprintf(cause, sizeof(cause), "exit code %d", how->exit_code);
    }
    (void)snprintf(ret_story, MPROC__DEATH_STORY, "the worker%s%.63s, process %lld, died: %s",
                   has_name ? " of task " : "", has_name ? name : "", (long long)how->pid, cause);
    return ret_story;
}

static int fail_dead(mproc_future *future, const mproc__payload *payload)
{
    struct mproc__task_death how = {0};
    const struct mproc__cold_shm *cold =
        mproc__cold_at(&future->client->tasks, future->index, false);
    if (payload->size == sizeof(how)) {
        memcpy(&how, payload->data, sizeof(how));
    }
    char story[MPROC__DEATH_STORY];
    return mproc__fail(MPROC_EWORKERDIED, "%s",
                       mproc__death_story(&how, cold != NULL ? cold->name : NULL, story));
}

int mproc__future_read(mproc_future *future, mproc_value *ret_value)
{
    if (future->group != NULL) {
        return future->group->read(future->group, ret_value);
    }
    mproc__tasks *tasks = &future->client->tasks;
    int status = mproc__future_status(future);
    if (future->is_taken_back) {
        return mproc__fail(MPROC_ECANCELLED, "the task was cancelled before it was begun");
    }
    mproc__payload payload = mproc__task_result(tasks, future->index);
    uint32_t form = payload.descriptor & MPROC__FORM_MASK;
    if (status >= 0) {
        int rc = ret_value != NULL ? mproc__payload_open(&payload, false, ret_value) : MPROC_OK;
        return rc < 0 ? rc : status;
    }
    if (form == MPROC__FORM_DEATH) {
        return fail_dead(future, &payload);
    }
    return mproc__fail(status, "%.*s", form == MPROC__FORM_STORY ? (int)payload.size : 0,
                       form == MPROC__FORM_STORY ? (const char *)payload.data : "");
}

int mproc_future_wait(mproc_future *future, mproc_timeout timeout)
{
    return future != NULL ? mproc__future_await(future, mproc__deadline_in(timeout))
                          : is_null("wait");
}

int mproc_future_get(mproc_future *future, mproc_value *ret_result, mproc_timeout timeout)
{
    int rc =
        future != NULL ? mproc__future_await(future, mproc__deadline_in(timeout)) : is_null("get");
    return rc < 0 ? rc : mproc__future_read(future, ret_result);
}

bool mproc_future_ready(mproc_future *future)
{
    return future != NULL && mproc__future_is_done(future);
}

int mproc_future_successful(mproc_future *future)
{
    if (!mproc_future_ready(future)) {
        return mproc__fail(future != NULL ? MPROC_ESTATE : MPROC_EINVAL,
                           "successful: the task has not ended");
    }
    return mproc__future_status(future) >= 0 ? 1 : 0;
}

int mproc_future_cancel(mproc_future *future, bool kill_running)
{
    if (future == NULL) {
        return is_null("cancel");
    }
    mproc__client *client = future->client;
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    if (future->group != NULL) {
        return mproc__group_cancel(future->group, kill_running);
    }
    if (mproc__future_is_done(future)) {
        return mproc__fail(MPROC_ESTATE, "cancel: the task has ended");
    }
    rc = mproc__task_cancel(&client->tasks, future->index, kill_running);
    if (rc == MPROC_ESTATE) {
        return mproc__fail(rc, "cancel: the task runs, or has ended");
    }
    if (rc == MPROC_ENOTSUP) {
        return mproc__fail(rc,
                           "cancel: what runs in a thread, or inside of a task, cannot be killed");
    }
    if (rc == 1) {
        mproc__future_take_back(future);
    }
    return MPROC_OK;
}

void mproc_future_close(mproc_future *future)
{
    if (future != NULL) {
        mproc__future_release(future);
    }
}
