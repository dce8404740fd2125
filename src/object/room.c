/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.c: see room.h.
 */
#include "object/room.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/thread.h"

#define FIRST_SEGMENT 64u

struct mproc__seat_shm *mproc__room_seat(const mproc__room *room, uint32_t number)
{
    if (number < MPROC__ROOM_SEATS) {
        return &room->shm->seat[number];
    }
    uint32_t place = number - MPROC__ROOM_SEATS;
    uint32_t part = room->first_part;
    for (uint32_t size = FIRST_SEGMENT; place >= size; size *= 2) {
        place -= size;
        part++;
    }
    struct mproc__seat_shm *seats = mproc__block_at(mproc__block_part(room->container, part));
    return &seats[place];
}

/* ---- lines ----------------------------------------------------------------------------------- */

/** Others look at it without the lock. */
static void set_length(const mproc__room *room, uint32_t line, uint32_t length)
{
    mproc__store32_relaxed(&room->shm->line[line].length, length);
}

/** Put a seat in a line behind another one: its number + 1; 0: at the front. */
static void link_behind(const mproc__room *room, uint32_t number, enum mproc__line line,
                        uint32_t behind)
{
    struct mproc__seat_shm *seat = mproc__room_seat(room, number);
    uint32_t *first = &room->shm->line[line].first;
    uint32_t *last = &room->shm->line[line].last;
    uint32_t *to_it = behind != 0 ? &mproc__room_seat(room, behind - 1)->next : first;
    seat->line = line;
    seat->previous = behind;
    seat->next = *to_it;
    *(seat->next != 0 ? &mproc__room_seat(room, seat->next - 1)->previous : last) = number + 1;
    *to_it = number + 1;
    set_length(room, line, room->shm->line[line].length + 1);
}

void mproc__room_link(const mproc__room *room, uint32_t number, enum mproc__line line)
{
    link_behind(room, number, line, room->shm->line[line].last);
}

/** Behind those with older tickets: few places from the end, as a rule. */
static void link_by_ticket(const mproc__room *room, uint32_t number, enum mproc__line line)
{
    uint64_t ticket = mproc__room_seat(room, number)->ticket;
    uint32_t behind = room->shm->line[line].last;
    while (behind != 0 && mproc__room_seat(room, behind - 1)->ticket > ticket) {
        behind = mproc__room_seat(room, behind - 1)->previous;
    }
    link_behind(room, number, line, behind);
}

void mproc__room_unlink(const mproc__room *room, uint32_t number)
{
    struct mproc__seat_shm *seat = mproc__room_seat(room, number);
    if (seat->line != MPROC__LINE_NONE) {
        uint32_t *first = &room->shm->line[seat->line].first;
        uint32_t *last = &room->shm->line[seat->line].last;
        *(seat->previous != 0 ? &mproc__room_seat(room, seat->previous - 1)->next : first) =
            seat->next;
        *(seat->next != 0 ? &mproc__room_seat(room, seat->next - 1)->previous : last) =
            seat->previous;
        set_length(room, seat->line, room->shm->line[seat->line].length - 1);
        seat->line = MPROC__LINE_NONE;
    }
}

/* ---- free seats ------------------------------------------------------------------------------ */

void mproc__room_slip_away(struct mproc__seat_shm *seat)
{
    uint64_t thread = mproc__load64_relaxed(&seat->thread);
    if (thread != 0 && thread == mproc__thread_current) {
        mproc__thread_holds--;
    }
    mproc__store64_release(&seat->thread, 0);
}

void mproc__room_leave(const mproc__room *room, uint32_t number)
{
    struct mproc__seat_shm *seat = mproc__room_seat(room, number);
    mproc__room_unlink(room, number);
    mproc__room_slip_away(seat);
    mproc__store32_release(&seat->state, MPROC__SEAT_FREE);
    seat->next = room->shm->free;
    room->shm->free = number + 1;
}

/** Whether a seat that is not in the line, nor free, has been left; also by one that was no longer needed. */
static bool is_left(const struct mproc__seat_shm *seat)
{
    uint32_t state = mproc__load32_acquire(&seat->state);
    uint64_t thread = mproc__load64_acquire(&seat->thread);
    return state != MPROC__SEAT_FREE &&
           (thread == 0 || ((state == MPROC__SEAT_PASSED || state == MPROC__SEAT_BROKEN) &&
                            mproc__thread_is_dead(thread)));
}

/** Free what others have slipped away from. */
static void collect(const mproc__room *room)
{
    for (uint32_t i = 0; i < room->shm->n_used; i++) {
        if (is_left(mproc__room_seat(room, i))) {
            mproc__room_leave(room, i);
        }
    }
}

/** How many seats there are, in n_parts segments. */
static uint32_t capacity(const mproc__room *room, uint32_t *ret_parts)
{
    uint32_t n = MPROC__ROOM_SEATS;
    *ret_parts = 0;
    while (mproc__block_part(room->container, room->first_part + *ret_parts) != 0) {
        n += FIRST_SEGMENT << *ret_parts;
        (*ret_parts)++;
    }
    return n;
}

bool mproc__room_is_full(const mproc__room *room)
{
    uint32_t unused;
    return room->shm->free == 0 && room->shm->n_used == capacity(room, &unused);
}

/** One more segment: it is there when the container holds it. */
static int grow(const mproc__room *room, uint32_t n_parts)
{
    mproc__hold hold;
    uint64_t size = (uint64_t)(FIRST_SEGMENT << n_parts) * sizeof(struct mproc__seat_shm);
    int rc = n_parts < MPROC__ROOM_SEGMENTS
                 ? mproc__block_create(MPROC__KIND_ROOM, size, 0, true, &hold)
                 : mproc__fail(MPROC_ENOSPC, "too many threads wait for one object");
    if (rc >= 0) {
        rc = mproc__block_embed(room->container, hold.offset);
        mproc__block_release(hold);
    }
    return rc;
}

static int take_free(const mproc__room *room, uint32_t *ret_number)
{
    struct mproc__room_shm *shm = room->shm;
    uint32_t n_parts;
    if (shm->free == 0 && shm->n_used == capacity(room, &n_parts)) {
        collect(room);
        int rc = shm->free == 0 ? grow(room, n_parts) : MPROC_OK;
        if (rc < 0) {
            return rc;
        }
    }
    if (shm->free == 0) {
        *ret_number = shm->n_used;
        shm->n_used++;
    } else {
        *ret_number = shm->free - 1;
        shm->free = mproc__room_seat(room, *ret_number)->next;
    }
    return MPROC_OK;
}

int mproc__room_enter(const mproc__room *room, uint32_t *ret_number)
{
    int rc = take_free(room, ret_number);
    if (rc >= 0) {
        struct mproc__seat_shm *seat = mproc__room_seat(room, *ret_number);
        seat->ticket = room->shm->tickets++;
        mproc__store32_release(&seat->state, MPROC__SEAT_WAITING);
        MPROC__KILLPOINT("room.seat_taken");
        mproc__thread_holds++;
        mproc__store64_release(&seat->thread, mproc__thread_self()); /* COMMIT: somebody waits */
        MPROC__KILLPOINT("room.entered");
        mproc__room_link(room, *ret_number, MPROC__LINE_WAITING);
    }
    return rc;
}

/* ---- the lock -------------------------------------------------------------------------------- */

/** DEATH: of the owner of the books. Their links are made anew from the seats. */
static void relink(const mproc__room *room)
{
    struct mproc__room_shm *shm = room->shm;
    for (uint32_t line = 0; line < MPROC__LINES; line++) {
        shm->line[line].first = shm->line[line].last = 0;
        set_length(room, line, 0);
    }
    shm->free = 0;
    for (uint32_t i = 0; i < shm->n_used; i++) {
        struct mproc__seat_shm *seat = mproc__room_seat(room, i);
        uint32_t state = mproc__load32_acquire(&seat->state);
        seat->line = MPROC__LINE_NONE;
        if (mproc__load64_acquire(&seat->thread) == 0 || state == MPROC__SEAT_FREE) {
            mproc__room_leave(room, i);
        } else if (state == MPROC__SEAT_WAITING || state == MPROC__SEAT_ASLEEP) {
            link_by_ticket(room, i, MPROC__LINE_WAITING);
        } else if (state == MPROC__SEAT_RELEASED) {
            link_by_ticket(room, i, MPROC__LINE_HERD);
        }
    }
}

int mproc__room_lock(const mproc__room *room)
{
    int rc = mproc__mutex_acquire(&room->shm->mutex, mproc__thread_self(), MPROC__NEVER, NULL);
    if (rc == MPROC_OWNER_DIED) {
        relink(room);
    }
    return rc;
}

void mproc__room_unlock(const mproc__room *room)
{
    (void)mproc__mutex_release(&room->shm->mutex);
}
