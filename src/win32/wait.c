/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.c: wait and wake across processes: a parking lot in the arena over one event per thread.
 *
 * Why     WaitOnAddress stops at the border of the process. A kernel event does not, but has to be
 *         found: each registered thread has a parker in the arena that says what it sleeps on and
 *         where its event is.
 * Layout  mplat_parker.opaque:
 *           KEY    what the thread sleeps on: the word's distance from the first parker, with the
 *                  low bit set; 0: nothing. Set by the sleeper; cleared by it or by the one who
 *                  wakes it.
 *           PLACE  number of the process and value, there, of the thread's event; 0: no thread
 *           BIRTH  birth of that process
 *         PLACE and BIRTH are the claiming thread's, while KEY is 0.
 * Always  W1  the sleeper sets KEY, then looks at the word; the waker has changed the word, then
 *             looks at KEY. A full barrier lies between the two on either side, so at least one
 *             sees the other.
 *         W2  a wake is the swap of KEY to 0: each sleeper is counted once. A sleeper that finds
 *             its KEY cleared has been woken, even if its time ran out meanwhile.
 *         W3  an event's handle value means a parking event as long as its process lives: events
 *             are reused, never closed. So a late wake hits the wrong sleeper at worst, which is
 *             allowed.
 * Death   of a sleeper: its KEY stays and is cleared by the next wake, which goes on to another
 *         one. Of a waker between the swap and the event: the wake is lost; callers wait in slices.
 */
#include "base/atomic.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/status.h"
#include "platform.h"
#include "win32/peer.h"
#include "win32/win32.h"

#include <windows.h>

#include <stdlib.h>

enum { KEY, PLACE, BIRTH };

/** An event of this process; in use by a thread, or in the list of the free ones. */
typedef struct spot {
    HANDLE event; // auto-reset
    struct spot *next;
} spot;

static mplat_parking lot;                      // set once, before anybody waits
static MPROC__THREAD_LOCAL mplat_parker *mine; // the calling thread's, or NULL
static MPROC__THREAD_LOCAL spot *my_spot;      // the event in it

/* ---- events ---------------------------------------------------------------------------------- */

static SRWLOCK spots_lock = SRWLOCK_INIT;
static spot *free_spots;

/** NULL, and GetLastError() says why. */
static spot *take_spot(void)
{
    AcquireSRWLockExclusive(&spots_lock);
    spot *s = free_spots;
    if (s != NULL) {
        free_spots = s->next;
    }
    ReleaseSRWLockExclusive(&spots_lock);
    if (s == NULL) {
        HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
        if (event == NULL) {
            return NULL;
        }
        s = malloc(sizeof(*s));
        if (s == NULL) {
            (void)CloseHandle(event);
            SetLastError(ERROR_NOT_ENOUGH_MEMORY);
            return NULL;
        }
        s->event = event;
    }
    return s;
}

static void give_spot(spot *s)
{
    AcquireSRWLockExclusive(&spots_lock);
    s->next = free_spots;
    free_spots = s;
    ReleaseSRWLockExclusive(&spots_lock);
}

/* ---- parkers --------------------------------------------------------------------------------- */

void mplat_wait_setup(const mplat_parking *parking)
{
    lot = *parking;
}

int mplat_parker_claim(mplat_parker *parker)
{
    MPROC__CHECK(mine == NULL);
    spot *s = take_spot();
    if (s == NULL) {
        return mproc__fail_os((int)GetLastError(), "creating a thread's event");
    }
    mplat_identity self = mplat_self();
    // The system promises that handle values have 32 significant bits, for 32-bit programs' sake.
    uint64_t place = (uint64_t)(uint32_t)self.pid << 32 | (uint32_t)(uintptr_t)s->event;
    // A dead thread may have left its own. In this order, nobody sees its place with our birth.
    mproc__store64_release(&parker->opaque[PLACE], 0);
    mproc__store64_release(&parker->opaque[KEY], 0);
    mproc__store64_release(&parker->opaque[BIRTH], self.birth);
    mproc__store64_release(&parker->opaque[PLACE], place);
    mine = parker;
    my_spot = s;
    return 0;
}

void mplat_parker_release(mplat_parker *parker)
{
    MPROC__CHECK(mine == parker);
    mproc__store64_release(&parker->opaque[PLACE], 0);
    give_spot(my_spot);
    mine = NULL;
    my_spot = NULL;
}

static mplat_parker *parker_at(uint32_t index)
{
    return (mplat_parker *)(void *)((char *)lot.first + index * lot.stride);
}

/** The event a PLACE names, as a handle of the process it is in. */
static HANDLE event_of(uint64_t place)
{
    return (HANDLE)(intptr_t)(int32_t)(uint32_t)place;
}

/** Words are aligned to 4, so the low bit is free to tell the key from 0. */
static uint64_t key_of(const uint32_t *word)
{
    return (uint64_t)(int64_t)((const char *)word - (const char *)lot.first) | 1;
}

/* ---- wait ------------------------------------------------------------------------------------ */

/** For a thread without a parker, which no waker can find: look again and again. */
static int wait_by_polling(const uint32_t *word, uint32_t expected, int64_t deadline,
                           const uint64_t holders[2])
{
    for (unsigned round = 1; mproc__load32_acquire(word) == expected; round++) {
        uint32_t milliseconds = mproc__win_milliseconds(deadline);
        if (milliseconds == 0) {
            return MPROC_ETIMEDOUT;
        }
        uint32_t pause = round < 8 ? 1 : 10;
        Sleep(milliseconds < pause ? milliseconds : pause);
        for (size_t i = 0; i < 2 && round % 8 == 0; i++) {
            if (holders[i] != 0 && !mproc__peer_alive(holders[i])) {
                return 0;
            }
        }
    }
    return 0;
}

/** Sleep on the thread's event, and on processes whose death ends the sleep, while KEY is ours. */
static int sleep_parked(const uint32_t *word, uint32_t expected, int64_t deadline,
                        const mproc__peer *peers, DWORD n_peers)
{
    HANDLE handles[3] = {my_spot->event, NULL, NULL};
    for (DWORD i = 0; i < n_peers; i++) {
        handles[1 + i] = peers[i].process;
    }
    while (mproc__load64_acquire(&mine->opaque[KEY]) != 0 &&
           mproc__load32_acquire(word) == expected) {
        uint32_t milliseconds = mproc__win_milliseconds(deadline);
        if (milliseconds == 0) {
            return MPROC_ETIMEDOUT;
        }
        DWORD rc = WaitForMultipleObjects(1 + n_peers, handles, FALSE, milliseconds);
        if ((rc > WAIT_OBJECT_0 && rc <= WAIT_OBJECT_0 + n_peers) || rc == WAIT_FAILED) {
            return 0; // one of them is dead; or anything may be wrong: the caller looks
        }
        // An event that is set while KEY is still ours was meant for an earlier sleep.
    }
    return 0;
}

/** The process that holds a token; 0 if there is no need to watch it: it cannot die without us. */
static uint64_t foreign_holder(const mplat_life *life)
{
    uint64_t holder = life != NULL ? mproc__life_holder(life) : 0;
    return holder == mproc__peer_self() ? 0 : holder;
}

/** The processes to watch. False: one of them is dead already. */
static bool get_peers(const uint64_t holders[2], mproc__peer peers[2], DWORD *ret_count)
{
    bool is_dead = false;
    *ret_count = 0;
    for (size_t i = 0; i < 2; i++) {
        if (holders[i] != 0 && (i == 0 || holders[i] != holders[0])) {
            int watched = mproc__peer_get(holders[i], &peers[*ret_count]);
            *ret_count += watched > 0 ? 1 : 0;
            is_dead = is_dead || watched == 0;
        }
    }
    return !is_dead;
}

int mplat_wait(uint32_t *word, uint32_t expected, int64_t deadline, mplat_life *owner,
               mplat_life *other)
{
    if (mproc__load32_acquire(word) != expected) {
        return 0;
    }
    if (deadline != INT64_MAX && mproc__win_milliseconds(deadline) == 0) {
        return MPROC_ETIMEDOUT;
    }
    const uint64_t holders[2] = {foreign_holder(owner), foreign_holder(other)};
    if (mine == NULL) {
        return wait_by_polling(word, expected, deadline, holders);
    }
    mproc__peer peers[2];
    DWORD n_peers;
    int rc = 0;
    bool was_woken = true;
    if (get_peers(holders, peers, &n_peers)) {
        (void)mproc__exchange64(&mine->opaque[KEY], key_of(word)); // W1: a full barrier
        MPROC__KILLPOINT("wait_published");
        rc = sleep_parked(word, expected, deadline, peers, n_peers);
        was_woken = mproc__exchange64(&mine->opaque[KEY], 0) == 0;
    }
    for (DWORD i = 0; i < n_peers; i++) {
        mproc__peer_put(&peers[i]);
    }
    return was_woken ? 0 : rc; // W2
}

/* ---- wake ------------------------------------------------------------------------------------ */

/*
 * Copies of other processes' events, so that a wake is one system call. Found by the parker's
 * index; a copy counts while its place and birth are the parker's.
 */
typedef struct copy {
    uint64_t place; // 0: empty
    uint64_t birth;
    HANDLE event;
} copy;

#define COPIES 512

static SRWLOCK copies_lock = SRWLOCK_INIT; // shared to use a copy, exclusive to change one
static copy copies[COPIES];

static bool set_copy(uint32_t index, uint64_t place, uint64_t birth)
{
    const copy *c = &copies[index % COPIES];
    AcquireSRWLockShared(&copies_lock);
    bool is_there = c->place == place && c->birth == birth;
    if (is_there) {
        (void)SetEvent(c->event);
    }
    ReleaseSRWLockShared(&copies_lock);
    return is_there;
}

static void keep_copy(uint32_t index, copy added)
{
    copy *c = &copies[index % COPIES];
    AcquireSRWLockExclusive(&copies_lock);
    HANDLE old = c->event;
    *c = added;
    ReleaseSRWLockExclusive(&copies_lock);
    if (old != NULL) {
        (void)CloseHandle(old);
    }
}

void mproc__win_parking_forget(const mplat_identity *who)
{
    AcquireSRWLockExclusive(&copies_lock);
    for (size_t i = 0; i < COPIES; i++) {
        if (copies[i].place >> 32 == (uint32_t)who->pid && copies[i].birth == who->birth) {
            (void)CloseHandle(copies[i].event);
            copies[i] = (copy){0, 0, NULL};
        }
    }
    ReleaseSRWLockExclusive(&copies_lock);
}

/** Set an event of another process. False: that process is dead, or not to be reached. */
static bool set_remote(uint32_t index, uint64_t place, uint64_t birth)
{
    mplat_identity who = {(int64_t)(place >> 32), birth};
    mproc__peer peer;
    if (mproc__peer_get(mproc__peer_word(&who), &peer) <= 0) {
        return false;
    }
    // Only a living process's handle value is what it was; and a wake should go to the living.
    bool is_alive = WaitForSingleObject(peer.process, 0) == WAIT_TIMEOUT;
    bool is_set = is_alive && set_copy(index, place, birth);
    if (is_alive && !is_set) {
        HANDLE event = NULL;
        is_set = DuplicateHandle(peer.process, event_of(place), GetCurrentProcess(), &event,
                                 EVENT_MODIFY_STATE, FALSE, 0);
        if (is_set) {
            (void)SetEvent(event);
            keep_copy(index, (copy){place, birth, event});
        }
    }
    mproc__peer_put(&peer);
    if (!is_alive) {
        mproc__peer_forget(mproc__peer_word(&who));
        mproc__win_parking_forget(&who);
    }
    return is_set;
}

/** Where a parker's thread is to be found. BIRTH first: see mplat_parker_claim. */
static mplat_identity read_place(const mplat_parker *parker, uint64_t *ret_place)
{
    uint64_t birth = mproc__load64_acquire(&parker->opaque[BIRTH]);
    *ret_place = mproc__load64_acquire(&parker->opaque[PLACE]);
    return (mplat_identity){(int64_t)(*ret_place >> 32), birth};
}

/** Set the event of the thread that has a parker now. False: it is dead, or there is none. */
static bool rouse(uint32_t index, uint64_t place, const mplat_identity *who)
{
    mplat_identity self = mplat_self();
    if (place == 0) {
        return false;
    }
    if (who->pid == self.pid && who->birth == self.birth) {
        (void)SetEvent(event_of(place));
        return true;
    }
    return set_remote(index, place, who->birth);
}

/*
 * Wake the thread in a parker if it sleeps on `key`. True when a living thread has certainly got
 * it.
 *
 * The thread is looked up again after the swap, since its parker may have become another thread's,
 * which slept on the same word. Then that one is woken; but as the swap may also have hit what a
 * dead thread had left, the wake is not counted, and one more sleeper may be woken than was asked
 * for.
 */
static bool wake_one(uint32_t index, uint64_t key)
{
    mplat_parker *parker = parker_at(index);
    if (mproc__load64_relaxed(&parker->opaque[KEY]) != key) {
        return false;
    }
    uint64_t before;
    uint64_t place;
    mplat_identity was = read_place(parker, &before);
    if (!mproc__cas64(&parker->opaque[KEY], &key, 0)) {
        return false;
    }
    MPROC__KILLPOINT(
        "wake_claimed"); /* DEATH: the sleeper is not woken; it looks again in its slice. */
    mplat_identity who = read_place(parker, &place);
    return rouse(index, place, &who) && place == before && who.birth == was.birth;
}

int mplat_wake(uint32_t *word, int n)
{
    static uint32_t turn;
    mproc__fence(); // W1: the caller's change of the word comes before the look at the keys
    uint32_t count = lot.first != NULL ? mproc__load32_acquire(lot.count) : 0;
    uint64_t key = key_of(word);
    // Begin at another place each time: with the same one, the last sleepers might never have a
    // turn.
    uint32_t index = count != 0 ? mproc__add32(&turn, 1) % count : 0;
    int woken = 0;
    for (uint32_t seen = 0; seen < count && woken < n; seen++) {
        woken += wake_one(index, key) ? 1 : 0;
        index = index + 1 < count ? index + 1 : 0;
    }
    return woken;
}
