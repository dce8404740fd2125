/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waits.c: who waits for whom, and circles of such.
 *
 * How       Threads leave notes of what they wait for (note.h), locks name their holders. Each thread
 *           waits for one at most, so a circle is found by going from one to the next.
 * Always    C1  a lock is looked at under the family lock, while the note of who waits for it stands:
 *               he holds a reference, and the memory is there
 *           C2  a circle is believed when it was seen twice with the same waits and holders: between the
 *               two rounds all of them waited at once, none could acquire anything until the second
 *               round had come to him, and so what each held then, he had held all the time
 * Locks     none while it goes from one to the next: all may change meanwhile
 */
#include "mproc/waits.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/layout.h"
#include "family/note.h"
#include "family/thread.h"
#include "object/lock.h"
#include "object/waits.h"

#include <stdarg.h>
#include <stdio.h>

/** A wait as it was seen. */
typedef struct view {
    mproc__thread_id thread;
    uint64_t note; /* mproc__thread_shm.waits_for */
    uint64_t since;
    mproc__thread_id holder; /* 0: nobody */
    int64_t pid;             /* of the holder, or of the process that is to end */
    uint32_t kind;           /* enum mproc__kind; 0: a process */
} view;

typedef struct circle {
    size_t length; /* 0: none */
    view step[MPROC_CIRCLE_MAX];
} circle;

/* ---- one wait -------------------------------------------------------------------------------- */

/** The thread whose end is a process's: its main one, where the system numbers so, or its only one. */
static mproc__thread_id main_thread_of(int64_t pid)
{
    uint32_t n;
    mproc__thread_id found = 0;
    size_t count = 0;
    (void)mproc__thread_slots(&n);
    for (uint32_t i = 0; i < n; i++) {
        mproc__thread_id id = mproc__thread_at(i);
        if (id == 0 || mproc__thread_pid(id) != pid || mproc__thread_is_dead(id)) {
            continue;
        }
        if (mproc__thread_number(id) == pid) {
            return id;
        }
        found = id;
        count++;
    }
    return count == 1 ? found : 0;
}

/** Whether a thread still waits as was seen. */
static bool is_still(const struct mproc__thread_shm *slot, const view *seen)
{
    return mproc__load64_acquire(&slot->waits_for) == seen->note &&
           mproc__load64_acquire(&slot->waits_since) == seen->since &&
           mproc__thread_slot_of(seen->thread) == slot;
}

/** Fill in what object it is and who holds it; false: it waits no longer. */
static bool look_at_object(const struct mproc__thread_shm *slot, view *seen)
{
    uint64_t reference = seen->note & ~(uint64_t)MPROC__NOTE_FLAGS;
    mproc__family_lock();
    bool is_there = is_still(slot, seen); // C1
    if (is_there) {
        seen->kind = mproc__block_kind(reference);
        if (seen->kind == MPROC__KIND_LOCK || seen->kind == MPROC__KIND_RLOCK) {
            const struct mproc__lock_shm *lock = mproc__block_at(reference);
            seen->holder = mproc__mutex_owner(&lock->mutex);
        }
    }
    mproc__family_unlock();
    // Its own lock it has just got, unless it had it before.
    bool has_got_it = seen->holder == seen->thread && (seen->note & MPROC__NOTE_OWN) == 0;
    if (seen->holder != 0 && mproc__thread_is_dead(seen->holder)) {
        seen->holder = 0; // it is about to be inherited
    }
    seen->pid = seen->holder != 0 ? mproc__thread_pid(seen->holder) : 0;
    return is_there && seen->kind != 0 && !has_got_it;
}

/** What a thread waits for; false: for nothing, or it is dead. */
static bool look(mproc__thread_id thread, view *ret_view)
{
    const struct mproc__thread_shm *slot = mproc__thread_slot_of(thread);
    if (slot == NULL) {
        return false;
    }
    view seen = {.thread = thread, .since = mproc__load64_acquire(&slot->waits_since)};
    seen.note = mproc__load64_acquire(&slot->waits_for);
    if (seen.note == 0 || !is_still(slot, &seen) || mproc__thread_is_dead(thread)) {
        return false;
    }
    if ((seen.note & MPROC__NOTE_MEMBER) != 0) {
        const struct mproc__member_shm *member =
            mproc__at(seen.note & ~(uint64_t)MPROC__NOTE_FLAGS);
        seen.pid = (int64_t)mproc__load64_acquire(&member->pid);
        seen.holder = main_thread_of(seen.pid);
    } else if (!look_at_object(slot, &seen)) {
        return false;
    }
    *ret_view = seen;
    return is_still(slot, &seen);
}

/* ---- circles --------------------------------------------------------------------------------- */

/** Go from one to the next until that is the first again; no circle: length 0. */
static void follow(mproc__thread_id first, circle *ret_circle)
{
    size_t n = 0;
    mproc__thread_id next = first;
    ret_circle->length = 0;
    do {
        if (n == MPROC_CIRCLE_MAX || !look(next, &ret_circle->step[n])) {
            return;
        }
        MPROC__KILLPOINT("waits.step"); // here tests let others go on
        next = ret_circle->step[n++].holder;
    } while (next != 0 && next != first);
    ret_circle->length = next == first ? n : 0;
}

static bool is_same(const circle *a, const circle *b)
{
    bool result = a->length == b->length;
    for (size_t i = 0; result && i < a->length; i++) {
        const view *x = &a->step[i];
        const view *y = &b->step[i];
        result = x->thread == y->thread && x->note == y->note && x->since == y->since &&
                 x->holder == y->holder;
    }
    return result;
}

/** The circle that a thread is part of, if it is. */
static bool find_circle(mproc__thread_id thread, circle *ret_circle)
{
    circle before;
    follow(thread, &before);
    if (before.length == 0) {
        return false;
    }
    follow(thread, ret_circle);
    return is_same(&before, ret_circle); // C2
}

/** Whether nobody can leave the circle of his own accord, nor be let out of it. */
static bool is_deadlock(const circle *found)
{
    for (size_t i = 0; i < found->length; i++) {
        const view *step = &found->step[i];
        if ((step->note & MPROC__NOTE_TIMED) != 0 ||
            (step->kind != 0 && step->kind != MPROC__KIND_RLOCK)) {
            return false;
        }
    }
    return true;
}

/** The thread that stands for the circle: its slot is the first one. */
static mproc__thread_id leader_of(const circle *found)
{
    mproc__thread_id leader = found->step[0].thread;
    for (size_t i = 1; i < found->length; i++) {
        mproc__thread_id other = found->step[i].thread;
        leader = mproc__thread_slot_of(other) < mproc__thread_slot_of(leader) ? other : leader;
    }
    return leader;
}

/** A number for a circle: no thread is part of two. */
static uint32_t number_of(const circle *found)
{
    return mproc__thread_number(leader_of(found));
}

/* ---- lists ----------------------------------------------------------------------------------- */

static mproc_wait_info info_of(const view *seen)
{
    circle found;
    bool is_in_circle = find_circle(seen->thread, &found) && found.step[0].since == seen->since;
    return (mproc_wait_info){
        .pid = mproc__thread_pid(seen->thread),
        .thread = mproc__thread_number(seen->thread),
        .kind = seen->kind != 0 ? mproc__object_text(seen->kind) : "a process",
        .object = seen->kind != 0 ? seen->note & ~(uint64_t)MPROC__NOTE_FLAGS : (uint64_t)seen->pid,
        .waited_ns = mplat_now() - (int64_t)seen->since,
        .has_timeout = (seen->note & MPROC__NOTE_TIMED) != 0,
        .holder_pid = seen->pid,
        .holder_thread = seen->holder != 0 ? mproc__thread_number(seen->holder) : 0,
        .circle = is_in_circle ? number_of(&found) : 0,
        .is_deadlock = is_in_circle && is_deadlock(&found),
    };
}

int mproc_list_waits(mproc_wait_info *ret_infos, size_t capacity, size_t *ret_count)
{
    if (ret_count == NULL || (ret_infos == NULL && capacity > 0)) {
        return mproc__fail(MPROC_EINVAL, "list_waits: there is no place for the list");
    }
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    uint32_t n;
    size_t count = 0;
    (void)mproc__thread_slots(&n);
    for (uint32_t i = 0; i < n; i++) {
        view seen;
        mproc__thread_id thread = mproc__thread_at(i);
        if (thread == 0 || !look(thread, &seen)) {
            continue;
        }
        if (count < capacity) {
            ret_infos[count] = info_of(&seen);
        }
        count++;
    }
    *ret_count = count;
    return MPROC_OK;
}

/* ---- text ------------------------------------------------------------------------------------ */

#define LINE_SIZE 256
#define TEXT_SIZE ((size_t)MPROC_CIRCLE_MAX * LINE_SIZE)

/** Text under way: it is cut where it does not fit. */
typedef struct text {
    char *data;
    size_t size;
    size_t length;
} text;

static void add(text *to, const char *format, ...) MPROC__PRINTF(2, 3);

static void add(text *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to->data + to->length, to->size - to->length, format, args);
    va_end(args);
    size_t room = to->size - to->length - 1;
    to->length += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
}

static void add_thread(text *to, mproc__thread_id thread)
{
    add(to, "process %lld (thread %u)", (long long)mproc__thread_pid(thread),
        (unsigned)mproc__thread_number(thread));
}

static void add_wait(text *to, const view *seen)
{
    int64_t ms = (mplat_now() - (int64_t)seen->since) / 1000000;
    add_thread(to, seen->thread);
    add(to, " has waited %lld.%03d s for ", (long long)(ms / 1000), (int)(ms % 1000));
    if (seen->kind == 0) {
        add(to, "process %lld to end", (long long)seen->pid);
        return;
    }
    add(to, "%s (%#llx)", mproc__object_text(seen->kind),
        (unsigned long long)(seen->note & ~(uint64_t)MPROC__NOTE_FLAGS));
    if (seen->holder != 0) {
        add(to, ", which ");
        add_thread(to, seen->holder);
        add(to, " holds");
    }
}

static void add_circle(text *to, const circle *found)
{
    size_t n = found->length;
    add(to, is_deadlock(found) ? "deadlock: " : "circle: ");
    for (size_t i = 0; i < n; i++) {
        add(to, i == 0 ? "" : i + 1 == n ? " and " : ", ");
        add_thread(to, found->step[i].thread);
    }
    add(to, n == 1 ? " waits for itself" : " wait for each other");
    if (!is_deadlock(found)) {
        add(to, ", unless a timeout or a release by another thread ends that");
    }
}

/** The lines of the waits, or those of the circles. */
static void report(bool is_of_circles, char *data, mproc_line_fn line, void *context)
{
    uint32_t n;
    (void)mproc__thread_slots(&n);
    for (uint32_t i = 0; i < n; i++) {
        view seen;
        circle found;
        text to = {data, TEXT_SIZE, 0};
        mproc__thread_id thread = mproc__thread_at(i);
        if (thread == 0 || !look(thread, &seen)) {
            continue;
        }
        if (!is_of_circles) {
            add_wait(&to, &seen);
        } else if (find_circle(thread, &found) && leader_of(&found) == thread) {
            add_circle(&to, &found);
        } else {
            continue;
        }
        line(data, context);
    }
}

int mproc_report_waits(mproc_line_fn line, void *context)
{
    int rc = line != NULL ? mproc__family_enter()
                          : mproc__fail(MPROC_EINVAL, "report_waits: nobody takes the lines");
    if (rc < 0) {
        return rc;
    }
    char *data = mproc__malloc(TEXT_SIZE);
    if (data == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a line of the report");
    }
    report(false, data, line, context);
    report(true, data, line, context);
    mproc__free(data);
    return MPROC_OK;
}

uint64_t mproc_object_reference(mproc_value object)
{
    return object.type == MPROC_OBJECT && object.as.object != NULL ? object.as.object->offset : 0;
}

/* ---- unasked --------------------------------------------------------------------------------- */

/** Whether a circle's first thread was the last one to come: when others looked, there was none yet. */
static bool has_closed_it(const circle *found)
{
    for (size_t i = 1; i < found->length; i++) {
        // Who waits for a process's end does not look himself.
        if (found->step[i].kind != 0 && found->step[i].since > found->step[0].since) {
            return false;
        }
    }
    return true;
}

bool mproc__deadlock_report(void)
{
    circle found;
    if (!find_circle(mproc__thread_self(), &found) || !has_closed_it(&found)) {
        return false;
    }
    char *data = mproc__malloc(TEXT_SIZE);
    if (data != NULL) {
        text to = {data, TEXT_SIZE, 0};
        add(&to, "mproc: ");
        add_circle(&to, &found);
        for (size_t i = 0; i < found.length; i++) {
            add(&to, "\n  ");
            add_wait(&to, &found.step[i]);
        }
        fprintf(stderr, "%s\n", data); // in one piece
        mproc__free(data);
    }
    return data != NULL;
}
