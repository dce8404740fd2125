/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doorbell.h: the ends of a pipe as the system's own calls can wait for them.
 *
 * Why       Messages lie in the arena, of which poll() knows nothing. So a pipe can have a bell beside its rings: a
 *           pair of the platform's ends (mplat_doorbell_make), of which each process that has an end of the pipe has
 *           the one that belongs to it. It is readable while messages are in the ring, see pipe.c, and when
 *           nobody has the other one: that is known to the system itself, whoever was killed.
 * Layout    A process's handles of one end share one struct mproc__doorbell, object.local. What is on its way
 *           to another process is a ticket (ticket.h): the system's end is in the family's bag for as long, and no
 *           longer, or nobody would ever see it gone.
 * Always    B1  a process that has a handle of a connection with a bell has the system's end open
 *           B2  what holds such a connection is a process, or a ticket
 * Locks     the private lock guards the list of doorbells and their counts; the bag's around tickets
 * Death     of a process: its ends go with it. Of a ticket, however: see family/bag.h
 */
#ifndef MPROC_OBJECT_DOORBELL_H
#define MPROC_OBJECT_DOORBELL_H

#include <stdint.h>

#include "object/connection.h"
#include "platform.h"

typedef struct mproc__doorbell {
    struct mproc__connection_local local;
    struct mproc__doorbell *next;
    uint64_t connection; /**< offset of its block ... */
    uint32_t epoch;      /**< ... in the eyes of whom: see mproc__handle_epoch */
    uint32_t n_handles;
    mplat_handle end;
} mproc__doorbell;

/** Make a connection's, new handle's, doorbell of an end, which it owns from here on, also on failure. */
int mproc__doorbell_hang(struct mproc_object *object, mplat_handle end);

/**
 * Have a handle that has been attached share its process's doorbell, or make one of the end that is in the bag.
 *
 * @param ticket  0: the handle came by another way, and the process has a doorbell already
 * @return 0; MPROC_EMFILE (it can be tried again) and others of mproc__bag_get; MPROC_ESTATE; MPROC_ENOMEM
 */
int mproc__doorbell_open(struct mproc_object *object, uint64_t ticket);

/** Take a handle's share back. */
void mproc__doorbell_close(struct mproc_object *object);

/** The doorbell of a connection; NULL: it has none. */
static inline mproc__doorbell *mproc__doorbell_of(const struct mproc_object *object)
{
    struct mproc__connection_local *local = object->local;
    return local != NULL && local->transport == &mproc__transport_ring
               ? MPROC__CONTAINER(local, mproc__doorbell, local)
               : NULL;
}

/** Have a block hold a ticket for a connection that has a doorbell: its offset, which is to be written there. */
int mproc__doorbell_send(uint64_t container, const struct mproc_object *object,
                         uint64_t *ret_ticket);

#endif
