/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke.c: see invoke.h; the methods themselves are in the files beside this one.
 */
#include "service/invoke.h"

#include "base/deadline.h"
#include "base/status.h"
#include "family/sleep.h"

#include <string.h>

static const mproc__method *methods_of(uint32_t kind)
{
    switch (kind) {
    case MPROC__KIND_DICT:
        return mproc__methods_dict;
    case MPROC__KIND_LIST:
        return mproc__methods_list;
    case MPROC__KIND_QUEUE:
        return mproc__methods_queue;
    case MPROC__KIND_SHARED_VALUE:
        return mproc__methods_value;
    case MPROC__KIND_ARRAY:
        return mproc__methods_array;
    case MPROC__KIND_LOCK:
        return mproc__methods_lock;
    case MPROC__KIND_RLOCK:
        return mproc__methods_rlock;
    case MPROC__KIND_SEMAPHORE:
        return mproc__methods_semaphore;
    case MPROC__KIND_EVENT:
        return mproc__methods_event;
    case MPROC__KIND_CONDITION:
        return mproc__methods_condition;
    case MPROC__KIND_BARRIER:
        return mproc__methods_barrier;
    case MPROC__KIND_MANAGER:
        return mproc__methods_manager;
    default:
        return NULL;
    }
}

bool mproc__invoke_knows(uint32_t kind)
{
    return methods_of(kind) != NULL;
}

int mproc__invoke(mproc__invocation *call, const char *method)
{
    const mproc__method *at = methods_of(call->object->kind);
    const char *text = mproc__object_text(call->object->kind);
    if (at == NULL) {
        return mproc__fail(MPROC_ENOENT, "%s: %s has no methods by name", method, text);
    }
    while (at->name != NULL && strcmp(at->name, method) != 0) {
        at++;
    }
    if (at->name == NULL) {
        return mproc__fail(MPROC_ENOENT, "%s: %s has no such method", method, text);
    }
    call->result = MPROC_NIL_VALUE;
    call->done = 0;
    return at->fn(call);
}

int mproc__invoke_none(const mproc__invocation *call)
{
    return call->args.count == 0 ? MPROC_OK : mproc_unpack(&call->args, NULL, 0);
}

int mproc__invoke_bool(mproc__invocation *call, int status)
{
    if (status >= 0) {
        call->result = mproc__value_bool(status != 0);
    }
    return status < 0 ? status : MPROC_OK;
}

int mproc__invoke_int(mproc__invocation *call, int status, int64_t integer)
{
    if (status >= 0) {
        call->result = MPROC_VALUE(integer);
    }
    return status < 0 ? status : MPROC_OK;
}

int mproc__invoke_wait(mproc__invocation *call,
                       int (*attempt)(mproc__invocation *call, mproc_timeout timeout))
{
    if (mproc__patience == NULL || call->timeout == MPROC_NOWAIT) {
        return attempt(call, call->timeout);
    }
    mproc__deadline deadline = mproc__deadline_in(call->timeout);
    for (;;) {
        int64_t left = mproc__deadline_slice(deadline, MPROC__PATIENCE_NS) - mplat_now();
        int rc = attempt(call, left > 0 ? left : MPROC_NOWAIT);
        if (rc != MPROC_ETIMEDOUT || mproc__deadline_passed(deadline)) {
            return rc;
        }
        if (mproc__patience_is_over()) {
            return mproc__fail_shortly(MPROC_EPEER, "the client is gone that wanted this");
        }
    }
}
