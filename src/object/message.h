/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h: what goes through rings: bytes, and values with the objects in them.
 */
#ifndef MPROC_OBJECT_MESSAGE_H
#define MPROC_OBJECT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "family/ring.h"
#include "mproc/value.h"

/** A message to be put. */
typedef struct mproc__message {
    const mproc_value *value; /**< NULL: bytes */
    mproc_bytes bytes;
    uint64_t limit;     /**< the largest size that is allowed; 0: any */
    size_t size;        /**< as it will be on the way */
    mproc__hold parcel; /**< offset 0: it fits into a record */
} mproc__message;

/** Of bytes, or of a value that is some: no encoding is needed. */
static inline bool mproc__message_is_bytes(const mproc__message *message)
{
    return message->value == NULL || message->value->type == MPROC_BYTES;
}

/**
 * Make all ready that can be made ready outside of the ring. What is large is copied now.
 *
 * @param message  with value or bytes filled in, and perhaps the limit; else zero
 * @return 0; MPROC_ENOMEM, MPROC_ENOSPC, MPROC_ETOOBIG or MPROC_EINVAL
 */
int mproc__message_prepare(mproc__message *message);

/** Whether a limit, 0: none, allows so many bytes. 0 or MPROC_ETOOBIG. */
int mproc__message_check_size(uint64_t size, uint64_t limit);

/** Put it into a ring, uncommitted unless it is a parcel. As mproc__ring_put_reserve. */
bool mproc__message_put(mproc__message *message, mproc__ring_end *end, int *ret_status);

/** Give up what was made ready and not put. */
void mproc__message_drop(mproc__message *message);

/**
 * Make a value of bytes that are yet to be copied to `*ret_place`.
 *
 * @return 0 or MPROC_ENOMEM
 */
int mproc__message_make_room(uint64_t size, mproc_value *ret_value, void **ret_place);

/**
 * Make a value of a message.
 *
 * @param ret_value  owns what it points to
 * @return 0; MPROC_ENOMEM; MPROC_EMALFORMED or MPROC_ECORRUPT when somebody has written over it
 */
int mproc__message_open(const mproc__ring_item *item, mproc_value *ret_value);

/** A large message that has become this process's, and where it is to be copied when the others can go on. */
typedef struct mproc__luggage {
    mproc__hold parcel; /**< offset 0: none */
    void *place;
} mproc__luggage;

/** Whether it takes longer to copy these bytes than to hand them over. */
bool mproc__luggage_is(const mproc__ring_item *item);

/**
 * Take such a message out of the ring.
 *
 * @param place  item->size bytes
 * @return 0; MPROC_ENOMEM or MPROC_ENOSPC: it stays
 */
int mproc__luggage_take(mproc__ring_end *end, const mproc__ring_item *item, void *place,
                        mproc__luggage *luggage);

/** After the end was given back: copy it, if there is one. */
void mproc__luggage_unpack(mproc__luggage *luggage);

#endif
