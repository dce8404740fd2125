/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c: see session.h.
 */
#include "service/session.h"

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/status.h"
#include "family/codec.h"
#include "mproc/semaphore.h"
#include "service/invoke.h"
#include "service/manager.h"
#include "service/protocol.h"

#include <string.h>

/* How long a client may take to receive an answer before it is cut off. */
#define SEND_NS ((int64_t)10 * 1000000000)

/* Of so many semaphores a client may have permits at once. */
#define MOST_PERMITS 256u

#define PLACE_MASK UINT32_MAX
#define GENERATION_SHIFT 32
#define GENERATION_MASK 0xffffu
#define KIND_SHIFT 48

struct place {
    struct mproc_object *object; /**< NULL: free */
    uint32_t generation;
    uint32_t next_free; /**< place + 1; 0: none */
};

struct permit {
    struct mproc_object *semaphore;
    uint32_t count;
};

struct mproc__session {
    mproc_manager *manager; /**< borrowed */
    mproc_connection *connection;
    bool has_greeted;
    bool is_cut;
    struct place *places;
    uint32_t n_places;
    uint32_t capacity;
    uint32_t free; /**< place + 1; 0: none */
    struct permit permits[MOST_PERMITS];
    uint32_t n_permits;
};

/* ---- references ------------------------------------------------------------------------------ */

static int grow(mproc__session *session)
{
    uint32_t most = mproc__manager_of(session->manager)->max_objects;
    uint32_t capacity = session->capacity > 0 ? 2 * session->capacity : 16;
    capacity = capacity < most ? capacity : most;
    if (session->n_places >= capacity) {
        return mproc__fail(MPROC_ENOSPC, "a client refers to %u objects already", most);
    }
    struct place *places = mproc__malloc(capacity * sizeof(*places));
    if (places == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a client's references");
    }
    if (session->n_places > 0) {
        memcpy(places, session->places, session->n_places * sizeof(*places));
    }
    mproc__free(session->places);
    session->places = places;
    session->capacity = capacity;
    return MPROC_OK;
}

/** For the codec: give the client a reference of its own. */
static int export(void *arg, struct mproc_object *object, uint64_t *ret_reference)
{
    mproc__session *session = arg;
    struct mproc_object *held = NULL;
    bool is_useful = object->kind != MPROC__KIND_MANAGER && mproc__invoke_knows(object->kind);
    if (!is_useful) {
        return mproc__fail(MPROC_ETYPE, "%s is of no use outside of the family",
                           mproc__object_text(object->kind));
    }
    bool is_new = session->free == 0;
    int rc = is_new && session->n_places == session->capacity ? grow(session) : MPROC_OK;
    if (rc < 0 || (rc = mproc__object_attach(object->offset, &held)) < 0) {
        return rc;
    }
    uint32_t number = is_new ? session->n_places : session->free - 1;
    struct place *place = &session->places[number];
    if (is_new) {
        *place = (struct place){NULL, 0, 0};
        session->n_places++;
    } else {
        session->free = place->next_free;
    }
    place->object = held;
    *ret_reference = (uint64_t)held->kind << KIND_SHIFT |
                     (uint64_t)(place->generation & GENERATION_MASK) << GENERATION_SHIFT |
                     (number + 1);
    return MPROC_OK;
}

/** The place that a client's reference names; NULL: none. */
static struct place *find(mproc__session *session, uint64_t reference)
{
    uint64_t number = (reference & PLACE_MASK) - 1;
    if (number >= session->n_places) {
        return NULL;
    }
    struct place *place = &session->places[number];
    bool is_it =
        place->object != NULL && place->object->kind == reference >> KIND_SHIFT &&
        (place->generation & GENERATION_MASK) == (reference >> GENERATION_SHIFT & GENERATION_MASK);
    return is_it ? place : NULL;
}

static int no_reference(uint64_t reference)
{
    return mproc__fail(MPROC_ENOENT, "there is no object of reference %#llx",
                       (unsigned long long)reference);
}

/** For the codec: what a client refers to in its arguments. */
static int import(void *arg, uint64_t reference, struct mproc_object **ret_object)
{
    const struct place *place = find(arg, reference);
    if (place == NULL) {
        return no_reference(reference);
    }
    return mproc__object_receive(NULL, place->object->offset, ret_object);
}

static void drop(mproc__session *session, uint64_t reference)
{
    struct place *place = find(session, reference);
    if (place != NULL) {
        mproc__object_close(place->object);
        place->object = NULL;
        place->generation++;
        place->next_free = session->free;
        session->free = (uint32_t)(place - session->places) + 1;
    }
}

/* ---- permits --------------------------------------------------------------------------------- */

static struct permit *permit_of(mproc__session *session, uint64_t semaphore)
{
    for (uint32_t i = 0; i < session->n_permits; i++) {
        if (session->permits[i].semaphore->offset == semaphore) {
            return &session->permits[i];
        }
    }
    return NULL;
}

/** Before one is acquired: room to remember it. */
static int expect_permit(mproc__session *session, const struct mproc_object *semaphore)
{
    if (permit_of(session, semaphore->offset) != NULL) {
        return MPROC_OK;
    }
    if (session->n_permits == MOST_PERMITS) {
        return mproc__fail(MPROC_ENOSPC, "a client has permits of %u semaphores already",
                           MOST_PERMITS);
    }
    struct permit *permit = &session->permits[session->n_permits];
    int rc = mproc__object_attach(semaphore->offset, &permit->semaphore);
    if (rc >= 0) {
        permit->count = 0;
        session->n_permits++;
    }
    return rc;
}

static void forget_permit(mproc__session *session, struct permit *permit)
{
    mproc__object_close(permit->semaphore);
    *permit = session->permits[--session->n_permits];
}

/** A permit more or less; who releases what it has not acquired gives one anew, as in Python. */
static void count_permit(mproc__session *session, uint64_t semaphore, bool is_acquired)
{
    struct permit *permit = permit_of(session, semaphore);
    if (permit != NULL && is_acquired) {
        permit->count++;
    } else if (permit != NULL) {
        permit->count -= permit->count > 0 ? 1 : 0;
    }
    if (permit != NULL && permit->count == 0) {
        forget_permit(session, permit);
    }
}

static void return_permits(mproc__session *session)
{
    while (session->n_permits > 0) {
        struct permit *permit = &session->permits[0];
        for (; permit->count > 0; permit->count--) {
            (void)mproc_semaphore_release(
                MPROC__CONTAINER(permit->semaphore, mproc_semaphore, object));
        }
        forget_permit(session, permit);
    }
}

/** A call of a semaphore's method. */
static int invoke_semaphore(mproc__session *session, mproc__invocation *call, const char *method)
{
    bool is_acquire = strcmp(method, "acquire") == 0;
    int rc = is_acquire ? expect_permit(session, call->object) : MPROC_OK;
    if (rc >= 0) {
        rc = mproc__invoke(call, method);
        if (is_acquire || (rc >= 0 && strcmp(method, "release") == 0)) {
            // One that was not acquired is neither more nor less: then only the room for it goes.
            struct permit *permit = permit_of(session, call->object->offset);
            if (rc >= 0) {
                count_permit(session, call->object->offset, is_acquire);
            } else if (permit != NULL && permit->count == 0) {
                forget_permit(session, permit);
            }
        }
    }
    return rc;
}

/* ---- requests -------------------------------------------------------------------------------- */

static int malformed(void)
{
    return mproc__fail(MPROC_EMALFORMED, "that is no request of a manager's client");
}

/** Whether items [1, 4) of a request, or [0, 3) of a part of a batch, are what they have to be. */
static bool is_call(const mproc_value *items)
{
    bool is_number =
        (items[0].type == MPROC_INT && items[0].as.integer >= 0) || items[0].type == MPROC_UINT;
    return is_number && items[1].type == MPROC_STRING && items[2].type == MPROC_LIST;
}

/** Carry a call out; the result, if it is not negative, is the caller's. */
static int invoke(mproc__session *session, const mproc_value *items, mproc_timeout timeout,
                  mproc_value *ret_result)
{
    uint64_t reference = items[0].as.uinteger; // of both types the same bits
    const char *method = items[1].as.string.data;
    mproc__invocation call = {.args = {items[2].as.list.count, items[2].as.list.items},
                              .timeout = timeout};
    if (reference == MPROC__REFERENCE_MANAGER) {
        call.object = &session->manager->object;
    } else {
        const struct place *place = find(session, reference);
        if (place == NULL) {
            return no_reference(reference);
        }
        call.object = place->object;
    }
    int rc = call.object->kind == MPROC__KIND_SEMAPHORE ? invoke_semaphore(session, &call, method)
                                                        : mproc__invoke(&call, method);
    *ret_result = call.result;
    return rc;
}

/** The second half of an answer: a result, which is taken over, or the sentence, in `text`. */
static void explain(int rc, mproc_value *result, char *text, size_t size)
{
    if (rc < 0) {
        const char *sentence = mproc_last_error();
        size_t length = strlen(sentence);
        length = length < size - 1 ? length : size - 1;
        memcpy(text, sentence, length);
        text[length] = '\0';
        *result = mproc__value_string(text);
    }
}

/** Send an answer; what cannot be told is told to be so. */
static int answer(mproc__session *session, const mproc_value *value)
{
    const mproc__codec codec = {.put_object = export, .arg = session};
    bool was_encoded = false;
    int rc = mproc__protocol_send(session->connection, &codec, value, SEND_NS, &was_encoded);
    if (rc < 0 && !was_encoded) {
        const mproc_value refusal = MPROC_LIST(rc, mproc_last_error());
        rc = mproc__protocol_send(session->connection, &codec, &refusal, SEND_NS, &was_encoded);
    }
    return rc;
}

static int serve_call(mproc__session *session, const mproc_value *items, size_t count)
{
    char text[512];
    mproc_value result = MPROC_NIL_VALUE;
    bool is_limited = count == 5 && items[4].type == MPROC_INT && items[4].as.integer >= 0;
    if (count != 5 || !is_call(items + 1) || (!is_limited && items[4].type != MPROC_NIL)) {
        return malformed();
    }
    int status =
        invoke(session, items + 1, is_limited ? items[4].as.integer : MPROC_FOREVER, &result);
    explain(status, &result, text, sizeof(text));
    const mproc_value reply = MPROC_LIST(status, result);
    int rc = answer(session, &reply);
    mproc_value_clear(&result);
    return rc;
}

/** One part of a batch: its answer is a list of two, which are given. */
static int serve_part(mproc__session *session, const mproc_value *part, mproc_value *pair)
{
    char text[512];
    mproc_value result = MPROC_NIL_VALUE;
    if (part->type != MPROC_LIST || part->as.list.count != 3 || !is_call(part->as.list.items)) {
        return malformed();
    }
    int status = invoke(session, part->as.list.items, MPROC_NOWAIT, &result);
    explain(status, &result, text, sizeof(text));
    pair[0] = MPROC_VALUE(status);
    if (status >= 0) {
        pair[1] = result;
        return MPROC_OK;
    }
    return mproc_value_copy(&pair[1], &result);
}

static int serve_batch(mproc__session *session, const mproc_value *items, size_t count)
{
    if (count != 2 || items[1].type != MPROC_LIST || items[1].as.list.count > MPROC__BATCH_MAX) {
        return malformed();
    }
    size_t n = items[1].as.list.count;
    mproc_value *answers = mproc__calloc(n + 1, 3 * sizeof(*answers));
    if (answers == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a batch");
    }
    mproc_value *pairs = answers + n;
    int rc = MPROC_OK;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = serve_part(session, &items[1].as.list.items[i], &pairs[2 * i]);
        answers[i] = mproc__value_list(&pairs[2 * i], 2);
    }
    if (rc >= 0) {
        const mproc_value reply = mproc__value_list(answers, n);
        rc = answer(session, &reply);
    }
    for (size_t i = 0; i < n; i++) {
        mproc_value_clear(&pairs[2 * i + 1]);
    }
    mproc__free(answers);
    return rc;
}

static int serve_drops(mproc__session *session, const mproc_value *items, size_t count)
{
    if (count != 2 || items[1].type != MPROC_LIST) {
        return malformed();
    }
    for (size_t i = 0; i < items[1].as.list.count; i++) {
        const mproc_value *reference = &items[1].as.list.items[i];
        if (reference->type == MPROC_INT || reference->type == MPROC_UINT) {
            drop(session, reference->as.uinteger);
        }
    }
    return MPROC_OK;
}

static int serve_hello(mproc__session *session, const mproc_value *items, size_t count)
{
    bool is_ours = count == 3 && items[1].type == MPROC_STRING &&
                   strcmp(items[1].as.string.data, MPROC__PROTOCOL_NAME) == 0;
    const mproc_value reply = MPROC_LIST(0, MPROC__PROTOCOL_VERSION);
    session->has_greeted = is_ours;
    return is_ours ? answer(session, &reply) : malformed();
}

static int dispatch(mproc__session *session, const mproc_value *request)
{
    const mproc_value *items = request->as.list.items;
    size_t count = request->as.list.count;
    if (request->type != MPROC_LIST || count == 0 || items[0].type != MPROC_INT) {
        return malformed();
    }
    if (items[0].as.integer == MPROC__ASK_HELLO) {
        return serve_hello(session, items, count);
    }
    if (!session->has_greeted) {
        return malformed();
    }
    switch (items[0].as.integer) {
    case MPROC__ASK_CALL:
        return serve_call(session, items, count);
    case MPROC__ASK_BATCH:
        return serve_batch(session, items, count);
    case MPROC__ASK_DROP:
        return serve_drops(session, items, count);
    default:
        return malformed();
    }
}

int mproc__session_serve(mproc__session *session, mproc_timeout timeout)
{
    const mproc__codec codec = {.get_object = import, .arg = session};
    mproc_value bytes;
    mproc_value request;
    int rc = mproc_connection_recv_bytes(session->connection, &bytes, SIZE_MAX, NULL, timeout);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__codec_read(&codec, bytes.as.bytes.data, bytes.as.bytes.size, &request);
    mproc_value_clear(&bytes);
    if (rc == MPROC_ENOENT) {
        // A reference in the arguments that the client does not have: no reason to cut it off.
        const mproc_value refusal = MPROC_LIST(rc, mproc_last_error());
        return answer(session, &refusal);
    }
    if (rc >= 0) {
        rc = dispatch(session, &request);
        mproc_value_clear(&request);
    }
    // Nobody has taken the answer in time, or has waited for it.
    return rc == MPROC_ETIMEDOUT || (rc >= 0 && session->is_cut) ? MPROC_EPEER : rc;
}

/* ---- life ------------------------------------------------------------------------------------ */

bool mproc__session_is_cut(mproc__session *session)
{
    session->is_cut = session->is_cut ||
                      mproc_connection_poll(session->connection, MPROC_NOWAIT) != MPROC_ETIMEDOUT;
    return session->is_cut;
}

mproc_connection *mproc__session_connection(const mproc__session *session)
{
    return session->connection;
}

int mproc__session_create(mproc_manager *manager, mproc_connection *connection,
                          mproc__session **ret_session)
{
    mproc__session *session = mproc__calloc(1, sizeof(*session));
    if (session == NULL) {
        mproc_connection_close(connection);
        return mproc__fail(MPROC_ENOMEM, "no memory for a client");
    }
    session->manager = manager;
    session->connection = connection;
    *ret_session = session;
    return MPROC_OK;
}

void mproc__session_free(mproc__session *session)
{
    if (session != NULL) {
        mproc_connection_close(session->connection);
        return_permits(session);
        for (uint32_t i = 0; i < session->n_places; i++) {
            mproc__object_close(session->places[i].object);
        }
        mproc__free(session->places);
        mproc__free(session);
    }
}
