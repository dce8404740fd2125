/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_auth.c: libFuzzer target: whatever a stranger who does not know the key says in the handshake, he is
 * not let in, and learns nothing but what the protocol tells.
 *
 * The first byte says which side we are; then each message has a byte for its length in front.
 */
#include "mproc/error.h"
#include "object/auth.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition) \
    ((condition) ? (void)0 \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

static bool is_one_of_ours(int rc)
{
    return rc == MPROC_EACCES || rc == MPROC_EMALFORMED || rc == MPROC_ENOTSUP;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mproc__auth auth;
    mproc__auth_reply reply;
    if (size == 0) {
        return 0;
    }
    bool is_listener = data[0] & 1;
    PROMISE(mproc__auth_begin(&auth, is_listener, "a secret", 8, &reply) == 0);
    int rc = 0;
    for (size_t at = 1; at < size && rc == 0;) {
        size_t length = data[at++];
        length = length < size - at ? length : size - at;
        // An exact copy, so that a sanitizer sees a read past its end.
        uint8_t *message = malloc(length > 0 ? length : 1);
        PROMISE(message != NULL);
        memcpy(message, data + at, length);
        at += length;
        rc = mproc__auth_step(&auth, message, length, &reply);
        free(message);
        PROMISE(reply.size <= sizeof(reply.data));
        // Nobody guesses a MAC of 128 bits and more; a client also wants a welcome to be said.
        PROMISE(rc == 0 ? !is_listener : is_one_of_ours(rc));
        PROMISE(rc == 0 || reply.size == 0 || memcmp(reply.data, "#FAILURE#", 9) == 0);
    }
    return 0;
}
