/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c: see auth.h.
 */
#include "object/auth.h"

#include "base/compiler.h"
#include "base/status.h"
#include "platform.h"

#include <string.h>

#define CHALLENGE "#CHALLENGE#"
#define WELCOME "#WELCOME#"
#define FAILURE "#FAILURE#"
#define OUR_DIGEST "{sha256}"
#define RANDOM_BYTES 40 /* as CPython's */
#define LEGACY_TEXT 20  /* a text of this size wants a bare MD5 HMAC */
#define LEGACY_MAC 16

/* What is due next. */
enum { DUE_ANSWER, DUE_CHALLENGE, DUE_VERDICT };

static const struct {
    const char *name;
    enum mplat_digest digest;
} digests[] = {
    {"{md5}", MPLAT_MD5},           {"{sha256}", MPLAT_SHA256},     {"{sha384}", MPLAT_SHA384},
    {"{sha3_256}", MPLAT_SHA3_256}, {"{sha3_384}", MPLAT_SHA3_384},
};

static void put(mproc__auth_reply *reply, const void *data, size_t size)
{
    memcpy(reply->data + reply->size, data, size);
    reply->size += size;
}

static bool starts_with(const unsigned char *data, size_t size, const char *prefix)
{
    size_t length = strlen(prefix);
    return size >= length && memcmp(data, prefix, length) == 0;
}

/** Which digest a text or an answer names at its beginning: its index, or -1. */
static int find_digest(const unsigned char *data, size_t size)
{
    for (int i = 0; i < (int)MPROC__COUNT(digests); i++) {
        if (starts_with(data, size, digests[i].name)) {
            return i;
        }
    }
    return -1;
}

static int send_challenge(mproc__auth *auth, mproc__auth_reply *reply)
{
    const size_t length = strlen(OUR_DIGEST);
    memcpy(auth->text, OUR_DIGEST, length);
    auth->text_size = length + RANDOM_BYTES;
    put(reply, CHALLENGE, strlen(CHALLENGE));
    int rc = mplat_random(auth->text + length, RANDOM_BYTES);
    if (rc < 0) {
        reply->size = 0;
        return rc;
    }
    put(reply, auth->text, auth->text_size);
    auth->state = DUE_ANSWER;
    return MPROC_OK;
}

static int answer_challenge(mproc__auth *auth, const unsigned char *data, size_t size,
                            mproc__auth_reply *reply)
{
    mplat_mac mac;
    const size_t prefix = strlen(CHALLENGE);
    if (!starts_with(data, size, CHALLENGE) || size - prefix < LEGACY_TEXT) {
        return mproc__fail(MPROC_EMALFORMED, "handshake: what came is no challenge");
    }
    data += prefix;
    size -= prefix;
    // Not our own text: who sends it back wants us to answer what we asked.
    if (size == auth->text_size && memcmp(data, auth->text, size) == 0) {
        return mproc__fail(MPROC_EACCES, "handshake: our own challenge came back");
    }
    bool is_legacy = size == LEGACY_TEXT;
    int index = is_legacy ? 0 : find_digest(data, size);
    if (index < 0) {
        return mproc__fail(MPROC_ENOTSUP, "handshake: the other side wants an unknown digest");
    }
    int rc = mplat_hmac(digests[index].digest, auth->key, auth->key_size, data, size, &mac);
    if (rc >= 0) {
        if (!is_legacy) {
            put(reply, digests[index].name, strlen(digests[index].name));
        }
        put(reply, mac.bytes, mac.size);
        auth->state = DUE_VERDICT;
    }
    return rc;
}

/** Whether an answer proves that the other side knows the key. */
static int check_answer(const mproc__auth *auth, const unsigned char *data, size_t size)
{
    mplat_mac mac;
    int index = size == LEGACY_MAC ? 0 : find_digest(data, size);
    if (index < 0) {
        return mproc__fail(MPROC_EACCES, "handshake: what came is no answer to the challenge");
    }
    int rc = mplat_hmac(digests[index].digest, auth->key, auth->key_size, auth->text,
                        auth->text_size, &mac);
    if (rc < 0) {
        return rc;
    }
    size_t prefix = size == LEGACY_MAC ? 0 : strlen(digests[index].name);
    bool is_right =
        size - prefix == mac.size && mplat_secret_equal(data + prefix, mac.bytes, mac.size);
    mplat_secret_clear(&mac, sizeof(mac));
    return is_right ? MPROC_OK
                    : mproc__fail(MPROC_EACCES, "handshake: the other side has another key");
}

/** The verdict on our answer has come. */
static int take_verdict(mproc__auth *auth, const unsigned char *data, size_t size,
                        mproc__auth_reply *reply)
{
    if (size != strlen(WELCOME) || memcmp(data, WELCOME, size) != 0) {
        return mproc__fail(MPROC_EACCES, "handshake: the other side does not accept our key");
    }
    // The listener has asked first; the client asks now.
    return auth->is_listener ? 1 : send_challenge(auth, reply);
}

static int take_answer(mproc__auth *auth, const unsigned char *data, size_t size,
                       mproc__auth_reply *reply)
{
    int rc = check_answer(auth, data, size);
    if (rc < 0) {
        put(reply, FAILURE, strlen(FAILURE));
        return rc;
    }
    put(reply, WELCOME, strlen(WELCOME));
    auth->state = DUE_CHALLENGE;
    return auth->is_listener ? 0 : 1;
}

int mproc__auth_begin(mproc__auth *auth, bool is_listener, const void *key, size_t key_size,
                      mproc__auth_reply *ret_reply)
{
    *auth = (mproc__auth){
        .key = key, .key_size = key_size, .is_listener = is_listener, .state = DUE_CHALLENGE};
    ret_reply->size = 0;
    return is_listener ? send_challenge(auth, ret_reply) : MPROC_OK;
}

int mproc__auth_step(mproc__auth *auth, const void *data, size_t size, mproc__auth_reply *ret_reply)
{
    ret_reply->size = 0;
    if (size > MPROC__AUTH_MOST) {
        return mproc__fail(MPROC_EMALFORMED, "handshake: a message of %zu bytes", size);
    }
    switch (auth->state) {
    case DUE_ANSWER:
        return take_answer(auth, data, size, ret_reply);
    case DUE_CHALLENGE:
        return answer_challenge(auth, data, size, ret_reply);
    default:
        return take_verdict(auth, data, size, ret_reply);
    }
}
