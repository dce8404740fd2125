/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protocol.c: see protocol.h.
 */
#include "service/protocol.h"

#include "base/alloc.h"
#include "base/status.h"

int mproc__protocol_send(mproc_connection *connection, const mproc__codec *codec,
                         const mproc_value *value, mproc_timeout timeout, bool *ret_was_encoded)
{
    char few[512];
    size_t size;
    *ret_was_encoded = false;
    int rc = mproc__codec_size(codec, value, &size, NULL);
    if (rc < 0) {
        return rc;
    }
    char *bytes = size <= sizeof(few) ? few : mproc__malloc(size);
    if (bytes == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a message of %zu bytes", size);
    }
    rc = mproc__codec_write(codec, value, bytes);
    if (rc >= 0) {
        *ret_was_encoded = true;
        rc = mproc_connection_send_bytes(connection, bytes, size, timeout);
    }
    if (bytes != few) {
        mproc__free(bytes);
    }
    return rc;
}
