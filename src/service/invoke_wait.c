/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke_wait.c: the methods of events, conditions and barriers by name; see mproc/event.h, mproc/condition.h and
 * mproc/barrier.h.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "family/sleep.h"
#include "mproc/barrier.h"
#include "mproc/condition.h"
#include "mproc/event.h"
#include "service/invoke.h"

/* ---- events ---------------------------------------------------------------------------------- */

static int event_set(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_event_set(MPROC__SELF(call, mproc_event));
}

static int event_clear(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_event_clear(MPROC__SELF(call, mproc_event));
}

static int event_is_set(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc
                  : mproc__invoke_bool(call, mproc_event_is_set(MPROC__SELF(call, mproc_event)));
}

static int try_event(mproc__invocation *call, mproc_timeout timeout)
{
    return mproc_event_wait(MPROC__SELF(call, mproc_event), timeout);
}

static int event_wait(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_event);
}

const mproc__method mproc__methods_event[] = {
    {"set", event_set},   {"clear", event_clear}, {"is_set", event_is_set},
    {"wait", event_wait}, {NULL, NULL},
};

/* ---- conditions ------------------------------------------------------------------------------ */

static int try_condition(mproc__invocation *call, mproc_timeout timeout)
{
    return mproc_condition_acquire(MPROC__SELF(call, mproc_condition), timeout);
}

static int condition_acquire(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc__invoke_wait(call, try_condition);
}

static int condition_release(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_condition_release(MPROC__SELF(call, mproc_condition));
}

static int condition_wait(mproc__invocation *call)
{
    // Not in slices: between two of them a notice would be missed.
    mproc_condition *condition = MPROC__SELF(call, mproc_condition);
    int rc = mproc__invoke_none(call);
    if (rc >= 0) {
        rc = mproc_condition_wait(condition, call->timeout);
    }
    if (rc >= 0 && mproc__patience_is_over()) {
        (void)mproc_condition_notify(condition,
                                     1); // the notice is for the next one, as of a dead thread
        rc = mproc__fail_shortly(MPROC_EPEER, "the client is gone that wanted this");
    }
    return rc;
}

static int condition_notify(mproc__invocation *call)
{
    uint32_t n = 1;
    int rc = MPROC_UNPACK(&call->args, MPROC_OPTIONAL(&n));
    if (rc >= 0) {
        rc = mproc_condition_notify(MPROC__SELF(call, mproc_condition), n);
    }
    return mproc__invoke_int(call, rc, rc);
}

static int condition_notify_all(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    if (rc >= 0) {
        rc = mproc_condition_notify_all(MPROC__SELF(call, mproc_condition));
    }
    return mproc__invoke_int(call, rc, rc);
}

const mproc__method mproc__methods_condition[] = {
    {"acquire", condition_acquire}, {"release", condition_release},       {"wait", condition_wait},
    {"notify", condition_notify},   {"notify_all", condition_notify_all}, {NULL, NULL},
};

/* ---- barriers -------------------------------------------------------------------------------- */

static int barrier_wait(mproc__invocation *call)
{
    // Not in slices: the end of the first one would break the barrier.
    int rc = mproc__invoke_none(call);
    if (rc >= 0) {
        rc = mproc_barrier_wait(MPROC__SELF(call, mproc_barrier), call->timeout);
    }
    return mproc__invoke_int(call, rc, rc);
}

static int barrier_reset(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_barrier_reset(MPROC__SELF(call, mproc_barrier));
}

static int barrier_abort(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_barrier_abort(MPROC__SELF(call, mproc_barrier));
}

static int barrier_parties(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return mproc__invoke_int(call, rc, mproc_barrier_parties(MPROC__SELF(call, mproc_barrier)));
}

static int barrier_n_waiting(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return mproc__invoke_int(call, rc, mproc_barrier_n_waiting(MPROC__SELF(call, mproc_barrier)));
}

static int barrier_is_broken(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc
                  : mproc__invoke_bool(call,
                                       mproc_barrier_is_broken(MPROC__SELF(call, mproc_barrier)));
}

const mproc__method mproc__methods_barrier[] = {
    {"wait", barrier_wait},
    {"reset", barrier_reset},
    {"abort", barrier_abort},
    {"parties", barrier_parties},
    {"n_waiting", barrier_n_waiting},
    {"is_broken", barrier_is_broken},
    {NULL, NULL},
};
