/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke_queue.c: the methods of queues by name; see mproc/queue.h.
 */
#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "mproc/queue.h"
#include "service/invoke.h"

/* The most items that get_many takes at once, whatever it is asked for: a client is not to have memory taken for
 * what is not there. */
#define MOST_AT_ONCE 1024u

static int try_put(mproc__invocation *call, mproc_timeout timeout)
{
    return mproc_queue_put(MPROC__SELF(call, mproc_queue), call->args.items[0], timeout);
}

static int put(mproc__invocation *call)
{
    mproc_value item;
    int rc = MPROC_UNPACK(&call->args, &item);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_put);
}

static int try_put_many(mproc__invocation *call, mproc_timeout timeout)
{
    const mproc_value *items = &call->args.items[0];
    size_t n = 0;
    int rc = mproc_queue_put_many(MPROC__SELF(call, mproc_queue), items->as.list.items + call->done,
                                  items->as.list.count - call->done, &n, timeout);
    call->done += n;
    return rc;
}

static int put_many(mproc__invocation *call)
{
    mproc_value items;
    int rc = MPROC_UNPACK(&call->args, &items);
    if (rc >= 0 && items.type != MPROC_LIST) {
        rc = mproc__fail(MPROC_ETYPE, "put_many: the items are no list");
    }
    if (rc >= 0) {
        rc = mproc__invoke_wait(call, try_put_many);
    }
    // Those that are in the queue are what has to be told.
    return mproc__invoke_int(call, call->done > 0 ? MPROC_OK : rc, (int64_t)call->done);
}

static int try_get(mproc__invocation *call, mproc_timeout timeout)
{
    return mproc_queue_get(MPROC__SELF(call, mproc_queue), &call->result, timeout);
}

static int get(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_get);
}

static int try_get_many(mproc__invocation *call, mproc_timeout timeout)
{
    size_t wanted = (size_t)call->args.items[0].as.integer;
    size_t n = 0;
    wanted = wanted < MOST_AT_ONCE ? wanted : MOST_AT_ONCE;
    mproc_value *items = mproc__calloc(wanted, sizeof(*items));
    if (items == NULL) {
        return mproc__fail(MPROC_ENOMEM, "get_many: no memory for %zu items", wanted);
    }
    int rc = mproc_queue_get_many(MPROC__SELF(call, mproc_queue), items, wanted, &n, timeout);
    const mproc_value list = mproc__value_list(items, n);
    if (rc >= 0) {
        rc = mproc_value_copy(&call->result, &list);
    }
    for (size_t i = 0; i < n; i++) {
        mproc_value_clear(&items[i]);
    }
    mproc__free(items);
    return rc;
}

static int get_many(mproc__invocation *call)
{
    uint32_t count;
    int rc = MPROC_UNPACK(&call->args, &count);
    if (rc >= 0 && (count == 0 || call->args.items[0].type != MPROC_INT)) {
        rc = mproc__fail(MPROC_EINVAL, "get_many: how many are wanted is no positive integer");
    }
    return rc < 0 ? rc : mproc__invoke_wait(call, try_get_many);
}

static int size(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return mproc__invoke_int(call, rc, (int64_t)mproc_queue_size(MPROC__SELF(call, mproc_queue)));
}

static int ask(mproc__invocation *call, bool (*fn)(const mproc_queue *queue))
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_bool(call, fn(MPROC__SELF(call, mproc_queue)));
}

static int is_empty(mproc__invocation *call)
{
    return ask(call, mproc_queue_is_empty);
}

static int is_full(mproc__invocation *call)
{
    return ask(call, mproc_queue_is_full);
}

static int is_shut_down(mproc__invocation *call)
{
    return ask(call, mproc_queue_is_shut_down);
}

static int shut_down(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_queue_shutdown(MPROC__SELF(call, mproc_queue));
}

static int task_done(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_queue_task_done(MPROC__SELF(call, mproc_queue));
}

static int try_join(mproc__invocation *call, mproc_timeout timeout)
{
    return mproc_queue_join(MPROC__SELF(call, mproc_queue), timeout);
}

static int join(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_join);
}

const mproc__method mproc__methods_queue[] = {
    {"put", put},
    {"get", get},
    {"task_done", task_done},
    {"put_many", put_many},
    {"get_many", get_many},
    {"size", size},
    {"is_empty", is_empty},
    {"is_full", is_full},
    {"join", join},
    {"shutdown", shut_down},
    {"is_shut_down", is_shut_down},
    {NULL, NULL},
};
