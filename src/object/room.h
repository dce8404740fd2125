/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.h: a room for those who wait, in the order in which they came.
 *
 * Why       A condition and a barrier must know who waits, or a dead one would count.
 * Layout    struct mproc__room_shm lies in the object's payload, with a few seats; more come in blocks
 *           that the object's block holds, each twice as large as the one before.
 * Always    R1  a seat with a thread and state WAITING or ASLEEP is in the line, in the order of the
 *               tickets; one with state RELEASED may be in the herd, see condition.c
 *           R2  a seat whose thread is 0 is nobody's; it comes to the free ones when they run out
 * Locks     mutex, but for a seat's state, which its thread changes from WAITING to ASLEEP by
 *           compare-and-swap, and its thread, which that clears when it leaves
 * Commit    to come: the store of the thread; to be called: that of the state
 * Death     Links are derived: who takes the mutex from a dead owner makes them anew from the seats.
 *           Seats of dead threads are the object's business.
 */
#ifndef MPROC_OBJECT_ROOM_H
#define MPROC_OBJECT_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "family/mutex.h"
#include "family/object.h"

/* mproc__seat_shm.state */
#define MPROC__SEAT_WAITING 0u
#define MPROC__SEAT_ASLEEP 1u   /* waiting, and to be woken */
#define MPROC__SEAT_CALLED 2u   /* by name: should it die, somebody else must be called */
#define MPROC__SEAT_RELEASED 3u /* with all others */
#define MPROC__SEAT_PASSED 4u
#define MPROC__SEAT_BROKEN 5u
#define MPROC__SEAT_FREE 6u

/* Where a seat is linked. */
enum mproc__line {
    MPROC__LINE_NONE = 0,
    MPROC__LINE_WAITING,
    MPROC__LINE_HERD, /**< released, and not yet woken */
    MPROC__LINES
};

struct mproc__seat_shm {
    uint64_t thread; /**< id of who sits here; 0: nobody */
    uint64_t ticket;
    uint32_t state; /**< its thread sleeps on it, if the object has no better place */
    uint32_t line;  /**< enum mproc__line */
    uint32_t next;  /**< in that line, or of the free ones: number + 1; 0: none */
    uint32_t previous;
    uint64_t dead_pid; /**< with BROKEN: whose death did that; 0: nobody's, or not known */
    uint32_t reserved[6];
};

_Static_assert(sizeof(struct mproc__seat_shm) == 64, "neighbours do not share cache lines");

#define MPROC__ROOM_SEATS 4
#define MPROC__ROOM_SEGMENTS 11 /* 4 + 64 + 128 ... : one for every thread there can be */

struct mproc__room_shm {
    struct mproc__mutex_shm mutex;
    uint64_t tickets;
    struct {
        uint32_t first, last; /**< number + 1; 0: none */
        uint32_t length;      /**< anybody may look at it */
    } line[MPROC__LINES];
    uint32_t free;   /**< first free seat: number + 1 */
    uint32_t n_used; /**< seats [0, n_used) have been somebody's */
    uint32_t reserved;
    struct mproc__seat_shm seat[MPROC__ROOM_SEATS];
};

_Static_assert(sizeof(struct mproc__room_shm) == 64 + MPROC__ROOM_SEATS * 64, "seats are aligned");

/** A room of this process's view. */
typedef struct mproc__room {
    struct mproc__room_shm *shm;
    uint64_t container;  /**< reference of the block that it is in */
    uint32_t first_part; /**< which of the blocks held by that is the first with seats */
} mproc__room;

/** Enter the room's books. The calling thread has entered the family. MPROC_OWNER_DIED: made anew. */
int mproc__room_lock(const mproc__room *room);
void mproc__room_unlock(const mproc__room *room);

/** The seat with a number below n_used. */
struct mproc__seat_shm *mproc__room_seat(const mproc__room *room, uint32_t number);

/** Whether the next one to come needs a seat that others have left, or a new segment. Locked. */
bool mproc__room_is_full(const mproc__room *room);

/**
 * Take a seat for the calling thread, at the end of the line. Locked.
 *
 * @return 0, MPROC_ENOMEM or MPROC_ENOSPC
 */
int mproc__room_enter(const mproc__room *room, uint32_t *ret_number);

/** Put a seat that is in no line at the end of one, or take it out of the one it is in. Locked. */
void mproc__room_link(const mproc__room *room, uint32_t number, enum mproc__line line);
void mproc__room_unlink(const mproc__room *room, uint32_t number);

/** Give a seat back, out of whatever line it is in. Locked. */
void mproc__room_leave(const mproc__room *room, uint32_t number);

/** The same by its own thread without the lock, when it is in no line. */
void mproc__room_slip_away(struct mproc__seat_shm *seat);

#endif
