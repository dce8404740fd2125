/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.c: see remote.h.
 */
#include "service/remote.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "family/family.h"
#include "mproc/lock.h"
#include "service/protocol.h"

#include <stdio.h>

/* How long an answer may be on its way, beyond the time that the method may wait. */
#define GRACE_NS ((int64_t)10 * 1000000000)

struct mproc__remote {
    mproc_connection *connection;
    mproc_lock *calling;
    int64_t pid;    /**< whose it is */
    uint32_t users; /**< atomic */
    int ended;      /**< calling: 0, or the status that the connection has ended with */
    char address[256];

    /* The private lock: */
    uint64_t *drops; /**< references to be told */
    size_t n_drops;
    size_t capacity;
};

/** What all handles of a proxy have in common. */
struct proxy_local {
    struct mproc__own_local own;
    mproc__remote *remote;
    uint64_t reference;
};

static const struct proxy_local *local_of(const struct mproc_object *object)
{
    return object->kind == MPROC__KIND_PROXY ? object->local : NULL;
}

mproc__remote *mproc__remote_of(const struct mproc_object *object)
{
    const struct proxy_local *local = local_of(object);
    return local != NULL && local->remote->pid == mplat_pid() ? local->remote : NULL;
}

uint64_t mproc__remote_reference(const struct mproc_object *object)
{
    return local_of(object)->reference;
}

const char *mproc__remote_address(const mproc__remote *remote)
{
    return remote->address;
}

/* ---- drops ----------------------------------------------------------------------------------- */

/** Remember that a reference is to be given back; what there is no memory for goes with the connection. */
static void remember(mproc__remote *remote, uint64_t reference)
{
    mproc__private_lock();
    if (remote->n_drops == remote->capacity) {
        size_t capacity = remote->capacity > 0 ? 2 * remote->capacity : 16;
        uint64_t *drops = mproc__malloc(capacity * sizeof(*drops));
        if (drops != NULL) {
            for (size_t i = 0; i < remote->n_drops; i++) {
                drops[i] = remote->drops[i];
            }
            mproc__free(remote->drops);
            remote->drops = drops;
            remote->capacity = capacity;
        }
    }
    if (remote->n_drops < remote->capacity) {
        remote->drops[remote->n_drops++] = reference;
    }
    mproc__private_unlock();
}

/** Tell the server what is no longer used here; calling. */
static void tell_drops(mproc__remote *remote)
{
    static const mproc__codec plain;
    mproc_value references[64];
    bool was_encoded;
    size_t n = 1;
    while (n > 0 && remote->ended == 0) {
        mproc__private_lock();
        for (n = 0; n < MPROC__COUNT(references) && remote->n_drops > 0; n++) {
            references[n] = mproc__value_uint(remote->drops[--remote->n_drops]);
        }
        mproc__private_unlock();
        const mproc_value message =
            MPROC_LIST((int)MPROC__ASK_DROP, mproc__value_list(references, n));
        if (n > 0 && mproc__protocol_send(remote->connection, &plain, &message, GRACE_NS,
                                          &was_encoded) < 0) {
            remote->ended = MPROC_EPEER;
        }
    }
}

static void drop(mproc__remote *remote, uint64_t reference)
{
    remember(remote, reference);
    // Who is in a call tells it with the next one.
    if (mproc_lock_acquire(remote->calling, MPROC_NOWAIT) >= 0) {
        tell_drops(remote);
        (void)mproc_lock_release(remote->calling);
    }
}

/* ---- proxies --------------------------------------------------------------------------------- */

static void close_proxy(struct mproc_object *object, bool is_held)
{
    struct proxy_local *local = (struct proxy_local *)object->local;
    if (mproc__own_leave(object, is_held)) {
        drop(local->remote, local->reference);
        mproc__remote_release(local->remote);
        mproc__free(local);
    }
}

/** For the codec: a proxy of what an answer refers to. */
static int receive(void *arg, uint64_t reference, struct mproc_object **ret_object)
{
    mproc__remote *remote = arg;
    struct mproc_object *object;
    struct proxy_local *local = mproc__malloc(sizeof(*local));
    int rc = local != NULL ? mproc__object_create(MPROC__KIND_PROXY, sizeof(struct mproc__own_shm),
                                                  0, &object)
                           : mproc__fail(MPROC_ENOMEM, "no memory for a proxy");
    if (rc < 0) {
        remember(remote, reference);
        mproc__free(local);
        return rc;
    }
    *local = (struct proxy_local){{{close_proxy}, 1}, remote, reference};
    struct mproc__own_shm *shm = object->shm;
    *shm = (struct mproc__own_shm){mplat_pid(), (uint64_t)(uintptr_t)local};
    (void)mproc__add32(&remote->users, 1);
    object->local = local;
    object->is_lent = true;
    *ret_object = object;
    return MPROC_OK;
}

/** For the codec: what a proxy in a request refers to. */
static int refer(void *arg, struct mproc_object *object, uint64_t *ret_reference)
{
    if (mproc__remote_of(object) != arg) {
        return mproc__fail(MPROC_ETYPE,
                           "to a manager elsewhere only its own proxies can be passed, not %s",
                           mproc__object_text(object->kind));
    }
    *ret_reference = local_of(object)->reference;
    return MPROC_OK;
}

/* ---- questions and answers ------------------------------------------------------------------- */

static int end(mproc__remote *remote, const char *what)
{
    char story[256];
    (void)snprintf(story, sizeof(story), "%s", mproc_last_error());
    remote->ended = MPROC_EPEER;
    return mproc__fail(MPROC_EPEER, "the manager at %s is gone: %s: %s", remote->address, what,
                       story);
}

static int receive_answer(mproc__remote *remote, mproc_timeout timeout, mproc_value *ret_answer)
{
    const mproc__codec codec = {.get_object = receive, .arg = remote};
    mproc_value bytes;
    int rc = mproc_connection_recv_bytes(remote->connection, &bytes, SIZE_MAX, NULL, timeout);
    if (rc < 0) {
        return end(remote, "no answer");
    }
    rc = mproc__codec_read(&codec, bytes.as.bytes.data, bytes.as.bytes.size, ret_answer);
    mproc_value_clear(&bytes);
    return rc < 0 && rc != MPROC_ENOMEM ? end(remote, "its answer makes no sense") : rc;
}

/** Ask, and have the answer. It waits for the method, and for the way. */
static int converse(mproc__remote *remote, const mproc_value *question, mproc_timeout timeout,
                    mproc_value *ret_answer)
{
    const mproc__codec codec = {.put_object = refer, .arg = remote};
    bool was_encoded;
    int rc = mproc_lock_acquire(remote->calling, MPROC_FOREVER);
    if (rc < 0) {
        return rc;
    }
    tell_drops(remote);
    if (remote->ended < 0) {
        rc = mproc__fail(remote->ended, "the manager at %s is gone", remote->address);
    } else {
        rc =
            mproc__protocol_send(remote->connection, &codec, question, MPROC_FOREVER, &was_encoded);
        if (rc < 0 && was_encoded) {
            rc = end(remote, "it takes no request");
        }
    }
    if (rc >= 0) {
        bool is_limited = timeout >= 0 && timeout < INT64_MAX - GRACE_NS;
        rc = receive_answer(remote, is_limited ? timeout + GRACE_NS : MPROC_FOREVER, ret_answer);
    }
    (void)mproc_lock_release(remote->calling);
    return rc;
}

/** Take one answer apart: a list of the status and the result, or the sentence. Not the connection's end. */
static int take_apart(const mproc_value *answer, const mproc_value **ret_result)
{
    const mproc_value *items = answer->as.list.items;
    if (answer->type != MPROC_LIST || answer->as.list.count != 2 || items[0].type != MPROC_INT ||
        items[0].as.integer > INT16_MAX || items[0].as.integer < INT16_MIN) {
        return mproc__fail(MPROC_EMALFORMED, "the manager's answer makes no sense");
    }
    int status = (int)items[0].as.integer;
    if (status < 0) {
        return mproc__fail(status, "%s",
                           items[1].type == MPROC_STRING ? items[1].as.string.data
                                                         : "no reason was given");
    }
    *ret_result = &items[1];
    return status;
}

int mproc__remote_call(mproc__remote *remote, uint64_t reference, const char *method,
                       const mproc_args *args, mproc_value *ret_result, mproc_timeout timeout)
{
    const mproc_value limit = timeout < 0 ? MPROC_NIL_VALUE : MPROC_VALUE(timeout);
    const mproc_value question =
        MPROC_LIST((int)MPROC__ASK_CALL, mproc__value_uint(reference), method, args, limit);
    const mproc_value *result = NULL;
    mproc_value answer = MPROC_NIL_VALUE;
    int rc = converse(remote, &question, timeout, &answer);
    if (rc < 0) {
        return rc;
    }
    int status = take_apart(&answer, &result);
    if (status >= 0 && ret_result != NULL) {
        rc = mproc_value_copy(ret_result, result);
    }
    mproc_value_clear(&answer);
    return rc < 0 ? rc : status;
}

/** Give each operation its answer. */
static int hand_out(const mproc_value *answers, mproc_operation *operations, size_t count)
{
    const mproc_value *none;
    if (answers->type == MPROC_LIST && answers->as.list.count == 2 &&
        answers->as.list.items[0].type == MPROC_INT) {
        return take_apart(answers, &none); // the batch as a whole was refused
    }
    if (answers->type != MPROC_LIST || answers->as.list.count != count) {
        return mproc__fail(MPROC_EMALFORMED, "the manager's answer makes no sense");
    }
    for (size_t i = 0; i < count; i++) {
        const mproc_value *result = NULL;
        int status = take_apart(&answers->as.list.items[i], &result);
        int rc = status < 0 ? status : mproc_value_copy(&operations[i].result, result);
        operations[i].status = rc < 0 ? rc : status;
    }
    return MPROC_OK;
}

int mproc__remote_call_many(mproc__remote *remote, mproc_operation *operations, size_t count)
{
    mproc_value *items = mproc__calloc(count, 4 * sizeof(*items));
    if (items == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for %zu operations", count);
    }
    mproc_value *parts = items + count;
    for (size_t i = 0; i < count; i++, parts += 3) {
        const mproc_operation *operation = &operations[i];
        parts[0] = mproc__value_uint(local_of(&operation->proxy->object)->reference);
        parts[1] = MPROC_VALUE(operation->method);
        parts[2] = mproc__value_args(operation->args);
        items[i] = mproc__value_list(parts, 3);
    }
    const mproc_value question = MPROC_LIST((int)MPROC__ASK_BATCH, mproc__value_list(items, count));
    mproc_value answer = MPROC_NIL_VALUE;
    int rc = converse(remote, &question, MPROC_NOWAIT, &answer);
    mproc__free(items);
    if (rc >= 0) {
        rc = hand_out(&answer, operations, count);
        mproc_value_clear(&answer);
    }
    return rc;
}

/* ---- the connection -------------------------------------------------------------------------- */

static int greet(mproc__remote *remote, mproc_timeout timeout)
{
    const mproc_value hello =
        MPROC_LIST((int)MPROC__ASK_HELLO, MPROC__PROTOCOL_NAME, MPROC__PROTOCOL_VERSION);
    const mproc_value *version = NULL;
    mproc_value answer = MPROC_NIL_VALUE;
    int rc = converse(remote, &hello, timeout, &answer);
    if (rc >= 0) {
        rc = take_apart(&answer, &version);
    }
    if (rc >= 0 && (version->type != MPROC_INT || version->as.integer != MPROC__PROTOCOL_VERSION)) {
        rc = mproc__fail(MPROC_EMALFORMED, "the manager at %s speaks another version",
                         remote->address);
    }
    mproc_value_clear(&answer);
    return rc;
}

int mproc__remote_open(mproc__remote **ret_remote, const char *address,
                       const mproc_client_options *options, mproc_timeout timeout)
{
    mproc__deadline deadline = mproc__deadline_in(timeout);
    mproc__remote *remote = mproc__calloc(1, sizeof(*remote));
    if (remote == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a connection to a manager");
    }
    remote->pid = mplat_pid();
    remote->users = 1;
    (void)snprintf(remote->address, sizeof(remote->address), "%s", address);
    int rc = mproc_lock_create(&remote->calling, NULL);
    if (rc >= 0) {
        rc = mproc_client_connect(&remote->connection, address, options, timeout);
    }
    if (rc >= 0) {
        int64_t left = deadline == MPROC__NEVER ? MPROC_FOREVER : deadline - mplat_now();
        rc = greet(remote, left >= 0 || deadline == MPROC__NEVER ? left : MPROC_NOWAIT);
    }
    if (rc < 0) {
        mproc__remote_release(remote);
        return rc;
    }
    *ret_remote = remote;
    return MPROC_OK;
}

void mproc__remote_release(mproc__remote *remote)
{
    if (remote != NULL && mproc__add32(&remote->users, UINT32_MAX) == 1) {
        mproc_connection_close(remote->connection);
        mproc_lock_close(remote->calling);
        mproc__free(remote->drops);
        mproc__free(remote);
    }
}
