/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke_types.c: objects made by the names of their types, for who does not know at compile time what it makes.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "mproc/array.h"
#include "mproc/barrier.h"
#include "mproc/condition.h"
#include "mproc/dict.h"
#include "mproc/event.h"
#include "mproc/list.h"
#include "mproc/queue.h"
#include "mproc/semaphore.h"
#include "mproc/shared_value.h"
#include "service/invoke.h"

#include <string.h>

typedef int (*create_fn)(const mproc_args *args, struct mproc_object **ret_object);

/* The handle that a create function made, as an object's. */
#define MADE(name)                         \
    do {                                   \
        if (rc >= 0) {                     \
            *ret_object = &(name)->object; \
        }                                  \
    } while (0)

static int make_dict(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_dict *dict = NULL;
    int rc = mproc_unpack(args, NULL, 0);
    if (rc >= 0) {
        rc = mproc_dict_create(&dict);
    }
    MADE(dict);
    return rc;
}

static int make_list(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_list *list = NULL;
    int rc = mproc_unpack(args, NULL, 0);
    if (rc >= 0) {
        rc = mproc_list_create(&list);
    }
    MADE(list);
    return rc;
}

static int make_queue(const mproc_args *args, bool is_joinable, struct mproc_object **ret_object)
{
    mproc_queue *queue = NULL;
    size_t max_items = 0;
    int rc = MPROC_UNPACK(args, MPROC_OPTIONAL(&max_items));
    if (rc >= 0) {
        rc = mproc_queue_create(
            &queue, &(mproc_queue_options){.max_items = max_items, .is_joinable = is_joinable});
    }
    MADE(queue);
    return rc;
}

static int make_plain_queue(const mproc_args *args, struct mproc_object **ret_object)
{
    return make_queue(args, false, ret_object);
}

static int make_joinable_queue(const mproc_args *args, struct mproc_object **ret_object)
{
    return make_queue(args, true, ret_object);
}

/** Set what has been made by its own method, or give it up again. */
static int initialize(struct mproc_object *object, const char *method, const mproc_args *args,
                      struct mproc_object **ret_object)
{
    mproc__invocation call = {.object = object, .args = *args, .timeout = MPROC_FOREVER};
    int rc = mproc__invoke(&call, method);
    if (rc < 0) {
        mproc__object_close(object);
    } else {
        *ret_object = object;
    }
    return rc;
}

static int make_value(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_shared_value *value = NULL;
    const char *typecode;
    mproc_value x = MPROC_VALUE(0);
    int rc = MPROC_UNPACK(args, &typecode, MPROC_OPTIONAL(&x));
    if (rc >= 0) {
        rc = mproc_shared_value_create(&value, typecode[0], NULL, NULL);
    }
    return rc < 0 ? rc : initialize(&value->object, "set", MPROC_ARGS(x), ret_object);
}

static int make_array(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_array *array = NULL;
    const char *typecode;
    mproc_value what;
    size_t length = 0;
    int rc = MPROC_UNPACK(args, &typecode, &what);
    bool has_elements = rc >= 0 && what.type == MPROC_LIST;
    if (has_elements) {
        length = what.as.list.count;
    } else if (rc >= 0) {
        rc =
            mproc_unpack(&(const mproc_args){1, &what}, &(const mproc_slot)MPROC__SLOT(&length), 1);
    }
    if (rc >= 0) {
        rc = mproc_array_create(&array, typecode[0], length, NULL, NULL);
    }
    if (rc >= 0 && has_elements) {
        return initialize(&array->object, "set_slice", MPROC_ARGS(0, what), ret_object);
    }
    MADE(array);
    return rc;
}

static int make_lock(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_lock *lock = NULL;
    int rc = mproc_unpack(args, NULL, 0);
    if (rc >= 0) {
        rc = mproc_lock_create(&lock, NULL);
    }
    MADE(lock);
    return rc;
}

static int make_rlock(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_rlock *rlock = NULL;
    int rc = mproc_unpack(args, NULL, 0);
    if (rc >= 0) {
        rc = mproc_rlock_create(&rlock, NULL);
    }
    MADE(rlock);
    return rc;
}

static int make_semaphore(const mproc_args *args, bool is_bounded, struct mproc_object **ret_object)
{
    mproc_semaphore *semaphore = NULL;
    uint32_t value = 1;
    int rc = MPROC_UNPACK(args, MPROC_OPTIONAL(&value));
    if (rc >= 0) {
        rc = mproc_semaphore_create(&semaphore, value,
                                    &(mproc_semaphore_options){.is_bounded = is_bounded});
    }
    MADE(semaphore);
    return rc;
}

static int make_plain_semaphore(const mproc_args *args, struct mproc_object **ret_object)
{
    return make_semaphore(args, false, ret_object);
}

static int make_bounded_semaphore(const mproc_args *args, struct mproc_object **ret_object)
{
    return make_semaphore(args, true, ret_object);
}

static int make_event(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_event *event = NULL;
    int rc = mproc_unpack(args, NULL, 0);
    if (rc >= 0) {
        rc = mproc_event_create(&event);
    }
    MADE(event);
    return rc;
}

static int make_condition(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_condition *condition = NULL;
    mproc_condition_options options = {NULL, NULL};
    struct mproc_object *lock = NULL;
    int rc = MPROC_UNPACK(args, MPROC_OPTIONAL(&lock));
    if (rc >= 0 && lock != NULL && lock->kind == MPROC__KIND_LOCK) {
        options.lock = MPROC__CONTAINER(lock, mproc_lock, object);
    } else if (rc >= 0 && lock != NULL && lock->kind == MPROC__KIND_RLOCK) {
        options.rlock = MPROC__CONTAINER(lock, mproc_rlock, object);
    } else if (rc >= 0 && lock != NULL) {
        rc = mproc__fail(MPROC_ETYPE, "create: a condition takes a lock or an rlock, not %s",
                         mproc__object_text(lock->kind));
    }
    if (rc >= 0) {
        rc = mproc_condition_create(&condition, &options);
    }
    MADE(condition);
    return rc;
}

static int make_barrier(const mproc_args *args, struct mproc_object **ret_object)
{
    mproc_barrier *barrier = NULL;
    uint32_t parties;
    int rc = MPROC_UNPACK(args, &parties);
    if (rc >= 0) {
        rc = mproc_barrier_create(&barrier, parties, NULL);
    }
    MADE(barrier);
    return rc;
}

int mproc__invoke_create(const char *type, const mproc_args *args, struct mproc_object **ret_object)
{
    static const struct {
        const char *name;
        create_fn fn;
    } types[] = {
        {"dict", make_dict},
        {"list", make_list},
        {"Namespace", make_dict},
        {"Queue", make_plain_queue},
        {"JoinableQueue", make_joinable_queue},
        {"Value", make_value},
        {"Array", make_array},
        {"Lock", make_lock},
        {"RLock", make_rlock},
        {"Semaphore", make_plain_semaphore},
        {"BoundedSemaphore", make_bounded_semaphore},
        {"Event", make_event},
        {"Condition", make_condition},
        {"Barrier", make_barrier},
    };
    for (size_t i = 0; i < MPROC__COUNT(types); i++) {
        if (strcmp(types[i].name, type) == 0) {
            return types[i].fn(args, ret_object);
        }
    }
    return mproc__fail(MPROC_ENOENT, "create: there is no type \"%s\"", type);
}
