/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke.h: methods of shared objects by their names, for who does not know at compile time what it calls.
 *
 * Why     One table a type, one way to carry a call out: in the caller's own process when it is of the family, in
 *         the server's for a client that is not (session.h). So both do the same, and what there is to be said about
 *         a method stands in the header of its C function.
 * Rule    A method is the C function of that name, with its arguments in their order; its timeout is the call's. What
 *         it returns beside a status is the result.
 * Waits   A session calls on behalf of somebody who may be gone, so its thread has a patience (family/sleep.h):
 *         conditions and barriers look at it while they wait, all others wait in slices, here.
 */
#ifndef MPROC_SERVICE_INVOKE_H
#define MPROC_SERVICE_INVOKE_H

#include "family/object.h"
#include "mproc/manager.h"

/** A call. */
typedef struct mproc__invocation {
    struct mproc_object *object; /**< borrowed, as all that the arguments point to */
    mproc_args args;
    mproc_timeout timeout;
    mproc_value
        result;  /**< nil; set by the method if it has one and succeeds, and then its caller's */
    size_t done; /**< by methods that go on where they were in the last slice */
} mproc__invocation;

/** A method; a name that is NULL ends a table. */
typedef struct mproc__method {
    const char *name;
    int (*fn)(mproc__invocation *call);
} mproc__method;

extern const mproc__method mproc__methods_dict[];      /* invoke_dict.c */
extern const mproc__method mproc__methods_list[];      /* invoke_list.c */
extern const mproc__method mproc__methods_queue[];     /* invoke_queue.c */
extern const mproc__method mproc__methods_value[];     /* invoke_array.c */
extern const mproc__method mproc__methods_array[];     /* invoke_array.c */
extern const mproc__method mproc__methods_lock[];      /* invoke_lock.c */
extern const mproc__method mproc__methods_rlock[];     /* invoke_lock.c */
extern const mproc__method mproc__methods_semaphore[]; /* invoke_lock.c */
extern const mproc__method mproc__methods_event[];     /* invoke_wait.c */
extern const mproc__method mproc__methods_condition[]; /* invoke_wait.c */
extern const mproc__method mproc__methods_barrier[];   /* invoke_wait.c */
extern const mproc__method mproc__methods_manager[];   /* manager_objects.c */

/** Whether objects of a kind have methods. */
bool mproc__invoke_knows(uint32_t kind);

/**
 * Carry a call out.
 *
 * @return as mproc_proxy_call; call->result is set only when it is not negative
 */
int mproc__invoke(mproc__invocation *call, const char *method);

/** Create an object of a type by its name; the handle is the caller's. As mproc_manager_create_object. */
int mproc__invoke_create(const char *type, const mproc_args *args,
                         struct mproc_object **ret_object);

/* ---- for methods ----------------------------------------------------------------------------- */

/** The handle of the object as what it is: MPROC__SELF(call, mproc_dict). */
#define MPROC__SELF(call, type) MPROC__CONTAINER((call)->object, type, object)

/** No arguments are expected. 0, or MPROC_ECOUNT. */
int mproc__invoke_none(const mproc__invocation *call);

/** The result is a boolean or an integer, if the status is not negative; returns the status, or 0. */
int mproc__invoke_bool(mproc__invocation *call, int status);
int mproc__invoke_int(mproc__invocation *call, int status, int64_t integer);

/**
 * Wait, for as long as the call may, and as somebody wants to know.
 *
 * @param attempt  does it, waiting no longer than `timeout`; MPROC_ETIMEDOUT: it can be repeated
 * @return what it returned; MPROC_EPEER: nobody wants to know any more
 */
int mproc__invoke_wait(mproc__invocation *call,
                       int (*attempt)(mproc__invocation *call, mproc_timeout timeout));

#endif
