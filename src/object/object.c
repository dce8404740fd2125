/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.c: handles of shared objects: made, taken again, passed as values, closed.
 */
#include "family/object.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "mproc/arena.h"
#include "mproc/array.h"
#include "mproc/barrier.h"
#include "mproc/condition.h"
#include "mproc/connection.h"
#include "mproc/dict.h"
#include "mproc/event.h"
#include "mproc/handle.h"
#include "mproc/latch.h"
#include "mproc/list.h"
#include "mproc/lock.h"
#include "mproc/manager.h"
#include "mproc/once.h"
#include "mproc/rwlock.h"
#include "mproc/pool.h"
#include "mproc/queue.h"
#include "mproc/semaphore.h"
#include "mproc/shared_value.h"
#include "mproc/shareable_list.h"
#include "object/connection.h"
#include "object/leaks.h"
#include "object/named_lock.h"
#include "object/shared_memory.h"

#include <stddef.h>

static bool is_object_kind(uint32_t kind)
{
    switch (kind) {
#define CASE(name, NAME, number, text) case number:
        MPROC__OBJECTS(CASE)
#undef CASE
        return true;
    default:
        return false;
    }
}

static void open_own(struct mproc_object *object)
{
    const struct mproc__own_shm *shm = object->shm;
    mproc__private_lock();
    if (shm->pid == mplat_pid()) {
        struct mproc__own_local *local = (struct mproc__own_local *)(uintptr_t)shm->local;
        local->handles++;
        object->local = local;
    }
    mproc__private_unlock();
}

bool mproc__own_leave(struct mproc_object *object, bool is_held)
{
    struct mproc__own_local *local = object->local;
    struct mproc__own_shm *shm = object->shm;
    object->local = NULL;
    if (!is_held) {
        return false;
    }
    mproc__private_lock();
    // A copy made by fork leaves alone what it has got with its memory.
    bool is_last = shm->pid == mplat_pid() && --local->handles == 0;
    if (is_last) {
        shm->pid = 0; // messages may still hold the block
    }
    mproc__private_unlock();
    return is_last;
}

/** What a handle has in this process alone is opened when it is attached ... */
static int open_local(struct mproc_object *object, uint64_t ticket)
{
    switch (object->kind) {
    case MPROC__KIND_SHARED_MEMORY:
        return mproc__shared_memory_open_local(object);
    case MPROC__KIND_CONNECTION:
        return mproc__connection_open_local(object, ticket);
    case MPROC__KIND_NAMED_LOCK:
        return mproc__named_lock_open_local(object);
    case MPROC__KIND_PROXY:
    case MPROC__KIND_MANAGER:
        open_own(object);
        return MPROC_OK;
    default:
        return MPROC_OK;
    }
}

/** ... given up before the hold, for others look at that when the hold is gone ... */
static void leave_local(struct mproc_object *object, bool is_held)
{
    if (object->local != NULL && object->kind == MPROC__KIND_SHARED_MEMORY) {
        mplat_segment_leave(object->local);
    } else if (object->local != NULL && object->kind == MPROC__KIND_CONNECTION) {
        mproc__connection_close_local(object, is_held);
    } else if (object->local != NULL && object->kind == MPROC__KIND_NAMED_LOCK) {
        mproc__named_lock_leave_local(object);
    } else if (object->local != NULL &&
               (object->kind == MPROC__KIND_POOL || object->kind == MPROC__KIND_PROXY ||
                object->kind == MPROC__KIND_MANAGER)) {
        ((struct mproc__object_local *)object->local)->close(object, is_held);
    }
}

/** ... and closed after it, for that may take long. */
static void close_local(struct mproc_object *object, bool is_held)
{
    if (object->local != NULL && object->kind == MPROC__KIND_SHARED_MEMORY) {
        mproc__shared_memory_close_local(object, is_held);
    }
}

/** A handle for a hold; the hold is given back if there is no memory for it. */
static int wrap(uint32_t kind, mproc__hold hold, struct mproc_object **ret_object)
{
    struct mproc_object *object = mproc__malloc(sizeof(*object));
    if (object == NULL) {
        mproc__block_release(hold);
        return mproc__fail(MPROC_ENOMEM, "no memory for an object's handle");
    }
    *object = (struct mproc_object){
        .kind = kind,
        .ledger = hold.entry,
        .offset = hold.offset,
        .shm = mproc__block_at(hold.offset),
        .epoch = mproc__handle_epoch(),
    };
    *ret_object = object;
    return MPROC_OK;
}

int mproc__object_create(uint32_t kind, uint64_t size, uint32_t n_inside,
                         struct mproc_object **ret_object)
{
    mproc__hold hold = {0, 0};
    int rc = mproc__family_enter();
    if (rc < 0 || (rc = mproc__block_create(kind, size, n_inside, true, &hold)) < 0) {
        return rc;
    }
    rc = wrap(kind, hold, ret_object);
    if (rc >= 0) {
        mproc__leaks_note(*ret_object);
    }
    return rc;
}

int mproc__object_attach(uint64_t offset, struct mproc_object **ret_object)
{
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    uint32_t kind = mproc__block_kind(offset);
    uint64_t ticket = kind == MPROC__KIND_TICKET ? offset : 0;
    if (ticket != 0) {
        offset = mproc__block_part(ticket, 0);
        kind = mproc__block_kind(offset);
    }
    if (!is_object_kind(kind)) {
        return mproc__fail(MPROC_ECORRUPT, "there is no shared object at reference %#llx",
                           (unsigned long long)offset);
    }
    mproc__hold hold = {0, 0};
    struct mproc_object *object = NULL;
    if ((rc = mproc__block_attach(offset, &hold)) < 0 || (rc = wrap(kind, hold, &object)) < 0) {
        return rc;
    }
    rc = open_local(object, ticket);
    if (rc < 0) {
        mproc__object_close(object);
        return rc;
    }
    *ret_object = object;
    return MPROC_OK;
}

int mproc__object_embed(void *hold, struct mproc_object *object, uint64_t *ret_reference)
{
    const mproc__hold *block = hold;
    if (object->kind == MPROC__KIND_CONNECTION) {
        return mproc__connection_pass(block->offset, object, ret_reference);
    }
    *ret_reference = object->offset;
    return mproc__block_embed(block->offset, object->offset);
}

int mproc__object_receive(void *unused, uint64_t reference, struct mproc_object **ret_object)
{
    (void)unused;
    int rc = mproc__object_attach(reference, ret_object);
    if (rc >= 0) {
        (*ret_object)->is_lent = true;
    }
    return rc;
}

static void give_up(struct mproc_object *object)
{
    MPROC__CHECK(is_object_kind(object->kind));
    mproc__leaks_drop(object);
    bool is_held = object->epoch == mproc__handle_epoch();
    leave_local(object, is_held);
    if (is_held && mproc__family_enter() >= 0) {
        mproc__block_release((mproc__hold){object->offset, object->ledger});
    }
    close_local(object, is_held);
    object->offset = 0;
    object->shm = NULL;
}

static void close_alone(struct mproc_object *object)
{
    if (object != NULL) {
        if (object->offset != 0) {
            give_up(object);
        }
        mproc__free(object);
    }
}

void mproc__object_let_go(struct mproc_object *object)
{
    if (object != NULL && object->is_lent) {
        if (object->offset != 0) {
            give_up(object);
        }
    } else {
        mproc__object_close(object);
    }
}

void mproc__object_close(struct mproc_object *object)
{
    if (object != NULL) {
        close_alone(object->part); // parts have no parts
        close_alone(object);
    }
}

struct mproc_object *mproc__object_part(struct mproc_object *object, uint64_t offset)
{
    mproc__private_lock();
    struct mproc_object *part = object->part;
    mproc__private_unlock();
    if (part != NULL) {
        return part;
    }
    // Without the private lock, for it may have to wait for the family's.
    if (mproc__object_attach(offset, &part) < 0) {
        return NULL;
    }
    mproc__private_lock();
    struct mproc_object *superfluous = NULL;
    if (object->part == NULL) {
        object->part = part;
    } else {
        superfluous = part; // another thread was quicker
        part = object->part;
    }
    mproc__private_unlock();
    close_alone(superfluous);
    return part;
}

static int attach_again(const struct mproc_object *object, bool has_place, const char *text,
                        struct mproc_object **ret_object)
{
    if (object == NULL || !has_place) {
        return mproc__fail(MPROC_EINVAL, "attach: there is no handle of %s", text);
    }
    int rc = mproc__object_attach(object->offset, ret_object);
    if (rc >= 0) {
        mproc__leaks_note(*ret_object);
    }
    return rc;
}

static mproc_value value_of(struct mproc_object *object)
{
    mproc_value value = {.type = object != NULL ? MPROC_OBJECT : MPROC_NIL};
    if (object != NULL) {
        value.as.object = object;
    }
    return value;
}

/* What every type of object has: mproc_<name>_attach, mproc_<name>_close, mproc_value_<name>. */
#define DEFINE_FACE(name, NAME, kind, text)                                                      \
    int mproc_##name##_attach(mproc_##name **ret_##name, const mproc_##name *(name))             \
    {                                                                                            \
        struct mproc_object *made = NULL;                                                        \
        int rc = attach_again((name) != NULL ? &(name)->object : NULL, ret_##name != NULL, text, \
                              &made);                                                            \
        if (rc >= 0) {                                                                           \
            *ret_##name = MPROC__CONTAINER(made, mproc_##name, object);                          \
        }                                                                                        \
        return rc;                                                                               \
    }                                                                                            \
    void mproc_##name##_close(mproc_##name *(name))                                              \
    {                                                                                            \
        mproc__object_let_go((name) != NULL ? &(name)->object : NULL);                           \
    }                                                                                            \
    mproc_value mproc_value_##name(mproc_##name *(name))                                         \
    {                                                                                            \
        return value_of((name) != NULL ? &(name)->object : NULL);                                \
    }
MPROC__OBJECTS(DEFINE_FACE)
