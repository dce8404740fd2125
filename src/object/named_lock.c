/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named_lock.c: mproc_named_lock: a lock of the system's, and a block that tells the family.
 *
 * Why       All handles that a process has of one lock share one use of it: so a thread is known for the
 *           holder whichever handle it comes with, and what it holds stays mapped until it has released
 *           it, for the C library has it in a list.
 * Layout    struct mproc__segment_shm in the arena, as of shared memory
 * Locks     the private lock guards the list of uses and their counts; the holder's word is written by
 *           the one thread that holds the lock
 * Death     before the block is gone the name is removed if nobody uses it, see family/segment.h
 */
#include "object/named_lock.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/deadline.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/segment.h"
#include "family/thread.h"
#include "object/shared_memory.h"

#include <string.h>

/* Memory of the same name shall not be in the way. */
#define PREFIX "lock."
#define PREFIX_BYTES (sizeof(PREFIX) - 1)

#define DEFAULT_MODE 0600u

/** A lock as all handles of this process have it. */
struct use {
    struct use *next;
    mplat_named_lock lock;
    mproc__thread_id holder; /**< of this process; 0: none. One that has ended may still be here */
    uint32_t n_handles;      /**< 0: it is held by a thread without one */
    char name[MPLAT_SEGMENT_NAME];
};

static struct use *uses;

static struct mproc__segment_shm *shm_of(const struct mproc_object *object)
{
    return object->shm;
}

static struct use *use_of(const mproc_named_lock *lock)
{
    return lock->object.local;
}

static int no_lock(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the lock is NULL", verb);
}

/* ---- uses ------------------------------------------------------------------------------------ */

/** In a copy of this process: what is held, the original's threads hold. */
static void forget(void)
{
    for (struct use *use = uses; use != NULL; use = use->next) {
        use->holder = 0;
    }
}

/** Have one handle more in the use of the same lock, or make `made` its first one. */
static struct use *join_locked(struct use *made)
{
    static bool is_known;
    if (!is_known) {
        is_known = true;
        mproc__on_forget(forget);
    }
    struct use *use = uses;
    while (use != NULL && (use->lock.id != made->lock.id || strcmp(use->name, made->name) != 0)) {
        use = use->next;
    }
    if (use == NULL) {
        made->next = uses;
        uses = use = made;
    }
    use->n_handles++;
    return use;
}

static int join(const struct mproc__segment_shm *shm, uint32_t mode, struct use **ret_use)
{
    struct use *made = mproc__malloc(sizeof(*made));
    if (made == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a lock by name");
    }
    *made = (struct use){.n_handles = 0};
    memcpy(made->name, shm->name, sizeof(made->name));
    int rc = mplat_named_lock_open(shm->name, mode, shm->id, &made->lock);
    if (rc < 0) {
        mproc__free(made);
        return rc;
    }
    mproc__private_lock();
    *ret_use = join_locked(made);
    mproc__private_unlock();
    if (*ret_use != made) {
        mplat_named_lock_close(&made->lock);
        mproc__free(made);
    }
    return MPROC_OK;
}

/** Take a handle out of a use; the use if it is nobody's any more, else NULL. */
static struct use *part_locked(struct use *use)
{
    mproc__thread_id holder = mproc__load64_relaxed(&use->holder);
    struct use **at = &uses;
    if (--use->n_handles > 0 || (holder != 0 && holder != mproc__thread_current)) {
        return NULL;
    }
    while (*at != use) {
        at = &(*at)->next;
    }
    *at = use->next;
    return use;
}

void mproc__named_lock_leave_local(struct mproc_object *object)
{
    mproc__private_lock();
    struct use *use = part_locked(object->local);
    mproc__private_unlock();
    object->local = NULL;
    if (use == NULL) {
        return;
    }
    if (use->holder != 0) {
        (void)mplat_named_lock_release(&use->lock);
    }
    mplat_named_lock_close(&use->lock);
    // The block's end sees to that for the family; this is for a copy, which the block knows nothing of.
    mplat_segment_reap(use->name);
    mproc__free(use);
}

int mproc__named_lock_open_local(struct mproc_object *object)
{
    struct use *use = NULL;
    int rc = join(shm_of(object), DEFAULT_MODE, &use);
    object->local = use;
    return rc;
}

/* ---- open ------------------------------------------------------------------------------------ */

int mproc_named_lock_open(mproc_named_lock **ret_lock, const char *name,
                          const mproc_named_lock_options *options)
{
    uint32_t mode = options != NULL && options->mode != 0 ? options->mode : DEFAULT_MODE;
    struct mproc_object *object = NULL;
    struct use *use = NULL;
    if (ret_lock == NULL) {
        return no_lock("open");
    }
    if ((mode & ~0777u) != 0 || (mode & 0600u) != 0600) {
        return mproc__fail(MPROC_EINVAL,
                           "open: a lock's mode has permission bits within 0777, and its "
                           "owner can read and write");
    }
    int rc = mproc__segment_check_name("open", "a lock", name,
                                       MPLAT_SEGMENT_NAME - 1 - PREFIX_BYTES, &name);
    rc = rc < 0 ? rc
                : mproc__object_create(MPROC__KIND_NAMED_LOCK, sizeof(struct mproc__segment_shm), 0,
                                       &object);
    if (rc < 0) {
        return rc;
    }
    struct mproc__segment_shm *shm = shm_of(object);
    memcpy(shm->name, PREFIX, PREFIX_BYTES);
    memcpy(shm->name + PREFIX_BYTES, name, strlen(name) + 1);
    shm->flags = MPLAT_SEGMENT_AUTO; // killed from here on, its name is looked after
    rc = join(shm, mode, &use);
    if (rc < 0) {
        shm->flags = 0; // whoever has the name, it is not ours
        mproc__object_close(object);
        return rc;
    }
    shm->id = use->lock.id;
    object->local = use;
    *ret_lock = MPROC__CONTAINER(object, mproc_named_lock, object);
    return MPROC_OK;
}

const char *mproc_named_lock_name(const mproc_named_lock *lock)
{
    return lock != NULL ? shm_of(&lock->object)->name + PREFIX_BYTES : NULL;
}

/* ---- acquire and release --------------------------------------------------------------------- */

/** As mplat_named_lock_acquire; who has to wait is on the list of waits. */
static int acquire(const mproc_named_lock *lock, mproc_timeout timeout)
{
    struct use *use = use_of(lock);
    int rc = mplat_named_lock_acquire(&use->lock, 0);
    if (rc == MPROC_ETIMEDOUT && timeout != MPROC_NOWAIT) {
        mproc__deadline deadline = mproc__deadline_in(timeout);
        mproc__note_begin(lock->object.offset, deadline);
        mproc__note_show();
        rc = mplat_named_lock_acquire(&use->lock, deadline);
        mproc__note_end();
    }
    return rc;
}

int mproc_named_lock_acquire(mproc_named_lock *lock, mproc_timeout timeout)
{
    if (lock == NULL) {
        return no_lock("acquire");
    }
    int rc = mproc__thread_current != 0 ? MPROC_OK : mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    struct use *use = use_of(lock);
    mproc__thread_id self = mproc__thread_current;
    if (mproc__load64_relaxed(&use->holder) == self) {
        return mproc__fail_shortly(MPROC_ESTATE,
                                   "acquire: the calling thread holds the lock already");
    }
    rc = acquire(lock, timeout);
    if (rc < 0) {
        return rc == MPROC_ETIMEDOUT
                   ? mproc__fail_shortly(rc, "acquire: timed out; the lock is held")
                   : rc;
    }
    mproc__store64_relaxed(&use->holder, self);
    return rc > 0 ? MPROC_OWNER_DIED : MPROC_OK;
}

int mproc_named_lock_release(mproc_named_lock *lock)
{
    if (lock == NULL) {
        return no_lock("release");
    }
    struct use *use = use_of(lock);
    mproc__thread_id self = mproc__thread_current;
    if (self == 0 || mproc__load64_relaxed(&use->holder) != self) {
        return mproc__fail_shortly(MPROC_ESTATE,
                                   "release: the calling thread does not hold the lock");
    }
    mproc__store64_relaxed(&use->holder, 0); // before: afterwards it is the next holder's
    return mplat_named_lock_release(&use->lock);
}
