/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h: the handshake of CPython's multiprocessing.connection, as a machine that is fed messages.
 *
 * Wire     The listener sends "#CHALLENGE#" and a text that nobody can foresee; the client answers with the
 *          text's HMAC under the key; the listener says "#WELCOME#" or "#FAILURE#". Then the same the
 *          other way round. Since Python 3.12 the text begins with "{sha256}" or the like and is longer
 *          than 20 bytes, and the answer begins with its own digest's name; before, a text has 20 bytes,
 *          and an answer is a bare MD5 HMAC. Ours is of the new form: an old client answers it
 *          with a bare MD5 HMAC all the same, and an old listener's challenge gets one from us.
 * Trust    None: messages of more than MPROC__AUTH_MOST bytes need not even be read.
 */
#ifndef MPROC_OBJECT_AUTH_H
#define MPROC_OBJECT_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#define MPROC__AUTH_MOST 256 /* CPython's own limit */

/** A message to be sent; size 0: none. */
typedef struct mproc__auth_reply {
    unsigned char data[96];
    size_t size;
} mproc__auth_reply;

typedef struct mproc__auth {
    const void *key; /**< borrowed */
    size_t key_size;
    bool is_listener;
    int state;
    unsigned char text[64]; /**< of our challenge */
    size_t text_size;
} mproc__auth;

/** Begin. 0, or MPROC_ESYSTEM (there are no random bytes). */
int mproc__auth_begin(mproc__auth *auth, bool is_listener, const void *key, size_t key_size,
                      mproc__auth_reply *ret_reply);

/**
 * A message has come.
 *
 * @param ret_reply  to be sent, also after a failure
 * @return 1 (both know the key), 0 (go on), MPROC_EACCES (the other one does not know the key, or says that
 *         we do not), MPROC_EMALFORMED (no such message is due), MPROC_ENOTSUP (a digest that this system
 *         does not have)
 */
int mproc__auth_step(mproc__auth *auth, const void *data, size_t size,
                     mproc__auth_reply *ret_reply);

#endif
