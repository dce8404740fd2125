/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.c: mproc_event: a flag in one word.
 *
 * Layout  one word: bit 0 the flag, bit 1 somebody may sleep on it, bit 2 somebody watches who waits for
 *         other things, too (stir.h), above them how often it was set. Beside it the watchers' marks
 * Commit  the compare-and-swap of the word
 * Death   killed between the word and the wake, the setter is found dead, and the sleepers look again
 */
#include "mproc/event.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"
#include "family/note.h"
#include "family/object.h"
#include "family/sleep.h"
#include "family/stir.h"
#include "object/waitable.h"

#include <stddef.h>

#define SET 1u
#define SLEEPERS 2u
#define WATCHED 4u
#define ONE_SET 8u

struct event_shm {
    uint32_t word;
    uint32_t reserved;
    uint64_t marks;
};

static struct event_shm *shm_of(const mproc_event *event)
{
    return event->object.shm;
}

static int no_event(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the event is NULL", verb);
}

int mproc_event_create(mproc_event **ret_event)
{
    struct mproc_object *object = NULL;
    int rc = ret_event != NULL
                 ? mproc__object_create(MPROC__KIND_EVENT, sizeof(struct event_shm), 0, &object)
                 : no_event("create");
    if (rc >= 0) {
        *ret_event = MPROC__CONTAINER(object, mproc_event, object);
    }
    return rc;
}

int mproc_event_set(mproc_event *event)
{
    if (event == NULL) {
        return no_event("set");
    }
    struct event_shm *shm = shm_of(event);
    uint32_t *word = &shm->word;
    uint32_t old = mproc__load32_relaxed(word);
    do {
        if (old & SET) {
            return MPROC_OK;
        }
    } while (!mproc__cas32(word, &old, ((old & ~(SLEEPERS | WATCHED)) | SET) + ONE_SET));
    MPROC__KILLPOINT("event.set");
    if (old & SLEEPERS) {
        (void)mplat_wake(word, INT32_MAX);
    }
    if (old & WATCHED) {
        mproc__stir_marked(&shm->marks);
    }
    return MPROC_OK;
}

int mproc_event_clear(mproc_event *event)
{
    if (event == NULL) {
        return no_event("clear");
    }
    uint32_t *word = &shm_of(event)->word;
    uint32_t old = mproc__load32_relaxed(word);
    while ((old & SET) != 0 && !mproc__cas32(word, &old, old & ~SET)) {
    }
    return MPROC_OK;
}

bool mproc_event_is_set(const mproc_event *event)
{
    return event != NULL && (mproc__load32_acquire(&shm_of(event)->word) & SET) != 0;
}

/** Set now, or set since it was seen, however soon it was cleared. */
static bool was_set(uint32_t now, uint32_t before)
{
    return (now & SET) != 0 || now / ONE_SET != before / ONE_SET;
}

static int wait_until(uint32_t *word, uint32_t before, mproc__deadline deadline)
{
    (void)mproc__spin(word, before);
    for (;;) {
        uint32_t seen = mproc__load32_acquire(word);
        if (was_set(seen, before)) {
            return MPROC_OK;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "wait: timed out; the event is not set");
        }
        if ((seen & SLEEPERS) != 0 || mproc__cas32(word, &seen, seen | SLEEPERS)) {
            (void)mproc__sleep(word, seen | SLEEPERS, deadline, NULL);
        }
    }
}

static int wait_slowly(const mproc_event *event, uint32_t before, mproc_timeout timeout)
{
    mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = mproc__family_enter(); // for the sake of a sleep that others can watch over
    if (rc >= 0) {
        mproc__note_begin(event->object.offset, deadline);
        rc = wait_until(&shm_of(event)->word, before, deadline);
        mproc__note_end();
    }
    return rc;
}

int mproc_event_wait(mproc_event *event, mproc_timeout timeout)
{
    if (event == NULL) {
        return no_event("wait");
    }
    uint32_t *word = &shm_of(event)->word;
    uint32_t before = mproc__load32_acquire(word);
    if (before & SET) {
        return MPROC_OK;
    }
    return timeout != MPROC_NOWAIT
               ? wait_slowly(event, before, timeout)
               : mproc__fail_shortly(MPROC_ETIMEDOUT, "wait: timed out; the event is not set");
}

/* ---- for who waits for other things, too ------------------------------------------------------ */

static uint32_t look(const struct mproc_object *object)
{
    const struct event_shm *shm = object->shm;
    return mproc__load32_acquire(&shm->word);
}

static bool is_ready(const struct mproc_object *object, uint32_t before)
{
    return was_set(look(object), before);
}

static void watch(struct mproc_object *object)
{
    struct event_shm *shm = object->shm;
    mproc__stir_mark(&shm->marks);
    uint32_t old = mproc__load32_acquire(&shm->word);
    while ((old & (SET | WATCHED)) == 0 && !mproc__cas32(&shm->word, &old, old | WATCHED)) {
    }
}

const struct mproc__waitable mproc__event_waitable = {
    .look = look, .is_ready = is_ready, .watch = watch};
