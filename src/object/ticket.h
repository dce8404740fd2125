/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket.h: a connection on its way, with the system's end of it.
 *
 * Why       What the system knows of a connection is a process's own. Who is to receive the connection must have it,
 *           too, and nobody else for longer: so it is in the family's bag for as long as the message is there.
 * Layout    a block of kind TICKET that holds the connection's; the payload begins with an mplat_bagged. The reference
 *           in the message is the ticket's.
 * Death     of who made it: the ticket goes with what holds it, and then what is in the bag; see family/bag.h
 */
#ifndef MPROC_OBJECT_TICKET_H
#define MPROC_OBJECT_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "family/block.h"

/**
 * Make a ticket.
 *
 * @param connection  offset of its block
 * @param size        bytes of the payload
 * @param native      what goes into the bag; stays the caller's
 * @return 0; MPROC_ENOMEM, MPROC_ENOSPC; others of mproc__bag_put
 */
int mproc__ticket_create(uint64_t connection, uint64_t size, intptr_t native,
                         mproc__hold *ret_hold);

/** Have what is in the bag for it. 0; MPROC_EMFILE (it can be tried again) and others of mproc__bag_get. */
int mproc__ticket_open(uint64_t ticket, bool is_private, intptr_t *ret_native);

#endif
