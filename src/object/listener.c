/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.c: accepting processes from outside of the family.
 *
 * Guests   Whoever has connected is a guest until the handshake is over. All guests are served by whichever
 *          thread is in accept, as their messages come: there is no thread of ours, and nobody is waited
 *          for alone. There are at most so many, and the one that has not moved for longest gives way.
 * Locks    turn, in a block of its own: one thread at a time serves; it guards the guests and the counts.
 * Death    of the process ends it all; of a thread, too.
 */
#include "mproc/listener.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/log.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/mutex.h"
#include "family/thread.h"
#include "object/auth.h"
#include "object/start.h"
#include "object/stranger.h"
#include "object/where.h"
#include "object/wire.h"

#include <apr_time.h>
#include <string.h>

#define BACKLOG 128
#define MAX_GUESTS 256
#define MOST_GUESTS 65536 /* of the option */
#define ADMIT_AT_ONCE 64  /* then the guests are looked after again */

typedef struct guest {
    mproc__wire *wire;
    mproc__auth auth;
    int64_t deadline; // for the next step
} guest;

struct mproc_listener {
    mplat_stream *stream;
    mplat_handle stop; // raised by close
    char address[MPROC__WHERE_TEXT];
    int64_t pid;
    uint32_t epoch;
    mproc__hold hold; // on the block with the turn
    struct mproc__mutex_shm *turn;
    uint32_t users, is_closing; // atomic; as a wire's

    unsigned char *key; // NULL: none
    size_t key_size;
    int64_t patience;
    uint64_t most;

    guest *guests; // who has not moved for longest comes first
    size_t n_guests, max_guests;
    mplat_stream **streams; // the listener's own, and the guests'
    bool *ready;
    uint64_t accepted, refused, dropped, in_handshake; // atomic
    char refusal[192]; // why somebody was turned away; not logged yet
};

/* ---- guests ---------------------------------------------------------------------------------- */

static void count(uint64_t *counter)
{
    (void)mproc__add64(counter, 1);
}

/** Take a guest off the list; the wire is the caller's. */
static mproc__wire *take_out(mproc_listener *listener, size_t index)
{
    mproc__wire *wire = listener->guests[index].wire;
    listener->n_guests--;
    memmove(listener->guests + index, listener->guests + index + 1,
            (listener->n_guests - index) * sizeof(guest));
    return wire;
}

static void drop_oldest(mproc_listener *listener)
{
    mproc__wire_close(take_out(listener, 0));
    count(&listener->dropped);
}

/** Somebody has been turned away, for the reason that mproc_last_error gives. */
static void note_refusal(mproc_listener *listener)
{
    count(&listener->refused);
    mproc__copy_string(listener->refusal, sizeof(listener->refusal), mproc_last_error());
}

/** The first of the handshake's messages goes out; it fits into any system's buffers. */
static int greet(mproc_listener *listener, mproc__wire *wire)
{
    mproc__auth_reply reply;
    guest made = {.wire = wire, .deadline = mplat_now() + listener->patience};
    int rc = mproc__auth_begin(&made.auth, true, listener->key, listener->key_size, &reply);
    if (rc < 0) { // without random bytes there is no handshake
        mproc__wire_close(wire);
        return rc;
    }
    if (mproc__wire_send(wire, reply.data, reply.size, 0) < 0) {
        mproc__wire_close(wire);
        note_refusal(listener);
        return MPROC_OK;
    }
    if (listener->n_guests == listener->max_guests) {
        drop_oldest(listener);
    }
    listener->guests[listener->n_guests++] = made;
    return MPROC_OK;
}

/**
 * Let in who has connected.
 *
 * @param ret_wire  without a key: the first of them
 * @return 1 when that is so, 0, or a negative status
 */
static int admit(mproc_listener *listener, mproc__wire **ret_wire)
{
    const bool has_key = listener->key != NULL;
    for (int i = 0; i < ADMIT_AT_ONCE; i++) {
        mplat_stream *stream = NULL;
        mproc__wire *wire = NULL;
        int rc = mplat_accept(listener->stream, &stream);
        if (rc == MPROC_EACCES) {
            note_refusal(listener);
            continue;
        }
        if (rc == MPROC_EMFILE && listener->n_guests > 0) {
            drop_oldest(listener); // rather than let silent ones keep others out
            continue;
        }
        if (rc < 0) {
            return rc == MPROC_ETIMEDOUT ? 0 : rc;
        }
        rc = mproc__wire_create(stream, has_key ? MPROC__AUTH_MOST : listener->most, &wire);
        if (rc >= 0 && !has_key) {
            *ret_wire = wire;
            return 1;
        }
        if (rc < 0 || (rc = greet(listener, wire)) < 0) {
            return rc;
        }
    }
    return 0;
}

/** Go on with a guest. 1 when the handshake is over, 0, or a negative status: it is over for good. */
static int serve_one(mproc_listener *listener, size_t index)
{
    guest *who = &listener->guests[index];
    mproc__wire *wire = who->wire;
    mproc__auth_reply reply;
    int rc;
    while ((rc = mproc__wire_pump(wire)) >= 0) {
        rc = mproc__auth_step(&who->auth, wire->in.data, (size_t)wire->in.size, &reply);
        mproc__frame_next(&wire->in);
        if (reply.size > 0) {
            int sent = mproc__wire_send(wire, reply.data, reply.size, 0);
            rc = rc >= 0 && sent < 0 ? sent : rc;
        }
        if (rc != 0) {
            return rc;
        }
        who->deadline = mplat_now() + listener->patience;
    }
    return rc == MPROC_ETIMEDOUT ? 0 : rc;
}

/** Go on with all guests that are ready. 1 and a wire as soon as one is through. */
static int serve(mproc_listener *listener, mproc__wire **ret_wire)
{
    size_t place = 0;
    for (size_t i = 1; place < listener->n_guests; i++) {
        int rc = listener->ready[i] ? serve_one(listener, place) : 0;
        if (rc < 0) {
            mproc__wire_close(take_out(listener, place));
            note_refusal(listener);
        } else if (rc > 0) {
            *ret_wire = take_out(listener, place);
            (*ret_wire)->in.most = listener->most;
            return 1;
        } else {
            place++;
        }
    }
    return 0;
}

static int compare_deadlines(const guest *a, const guest *b)
{
    return a->deadline < b->deadline ? -1 : a->deadline > b->deadline ? 1 : 0;
}

/** Drop who has been silent for too long, and put the others in order again: most of them are. */
static void expire(mproc_listener *listener)
{
    const int64_t now = mplat_now();
    for (size_t i = 1; i < listener->n_guests; i++) {
        const guest moved = listener->guests[i];
        size_t place = i;
        for (; place > 0 && compare_deadlines(&listener->guests[place - 1], &moved) > 0; place--) {
            listener->guests[place] = listener->guests[place - 1];
        }
        listener->guests[place] = moved;
    }
    while (listener->n_guests > 0 && listener->guests[0].deadline <= now) {
        drop_oldest(listener);
    }
}

/* ---- accept ---------------------------------------------------------------------------------- */

static int is_closing(const mproc_listener *listener)
{
    return mproc__load32_acquire(&listener->is_closing) == 0
               ? MPROC_OK
               : mproc__fail_shortly(MPROC_ESTATE, "accept: the listener has been closed");
}

/** Wait until there is something to do. */
static int await(mproc_listener *listener, mproc__deadline deadline)
{
    listener->streams[0] = listener->stream;
    for (size_t i = 0; i < listener->n_guests; i++) {
        listener->streams[i + 1] = listener->guests[i].wire->stream;
    }
    if (listener->n_guests > 0 && listener->guests[0].deadline < deadline) {
        deadline = listener->guests[0].deadline;
    }
    int rc = mplat_stream_wait(listener->streams, listener->ready, listener->n_guests + 1,
                               listener->stop, deadline);
    if (rc == MPROC_ETIMEDOUT) {
        memset(listener->ready, 0, (listener->n_guests + 1) * sizeof(bool));
        rc = MPROC_OK;
    }
    return rc < 0 ? rc : is_closing(listener);
}

static int accept_one(mproc_listener *listener, mproc__deadline deadline, mproc__wire **ret_wire)
{
    int rc = is_closing(listener);
    // The first time without waiting, so that MPROC_NOWAIT finds what is there.
    for (mproc__deadline until = 0; rc >= 0; until = deadline) {
        rc = await(listener, until);
        if (rc < 0 || (rc = serve(listener, ret_wire)) != 0) {
            break;
        }
        if (listener->ready[0] && (rc = admit(listener, ret_wire)) != 0) {
            break;
        }
        expire(listener);
        mproc__store64_release(&listener->in_handshake, listener->n_guests);
        if (until == deadline && mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "accept: timed out; nobody has connected");
        }
    }
    if (rc > 0) {
        count(&listener->accepted);
    }
    mproc__store64_release(&listener->in_handshake, listener->n_guests);
    return rc < 0 ? rc : MPROC_OK;
}

static void leave(mproc_listener *listener)
{
    (void)mproc__add32(&listener->users, UINT32_MAX);
}

/** Begin a call; until leave() the listener stays. */
static int enter(mproc_listener *listener)
{
    if (listener->pid != mplat_pid()) {
        return mproc__fail(MPROC_ESTATE, "a listener is its process's alone: that is %lld",
                           (long long)listener->pid);
    }
    (void)mproc__add32(&listener->users, 1);
    int rc = is_closing(listener);
    if (rc >= 0) {
        rc = mproc__family_enter();
    }
    if (rc < 0) {
        leave(listener);
    }
    return rc;
}

/** What a call has to log when it holds nothing any more, for who is told may want all of it. */
typedef struct tidings {
    char address[MPROC__WHERE_TEXT];
    char refusal[192]; // "": none
} tidings;

static void gather(mproc_listener *listener, tidings *ret_news)
{
    mproc__copy_string(ret_news->address, sizeof(ret_news->address), listener->address);
    mproc__copy_string(ret_news->refusal, sizeof(ret_news->refusal), listener->refusal);
    listener->refusal[0] = '\0';
}

static void tell(const tidings *news, bool is_accepted)
{
    if (news->refusal[0] != '\0') {
        mproc_log(MPROC_LOG_DEBUG, "%s: refused a connection: %s", news->address, news->refusal);
    }
    if (is_accepted) {
        mproc_log(MPROC_LOG_DEBUG, "%s: accepted a connection", news->address);
    }
}

int mproc_listener_accept(mproc_listener *listener, mproc_connection **ret_connection,
                          mproc_timeout timeout)
{
    mproc__wire *wire = NULL;
    tidings news = {.refusal = ""};
    if (listener == NULL || ret_connection == NULL) {
        return mproc__fail(MPROC_EINVAL, "accept: there is no %s",
                           listener == NULL ? "listener" : "place for the connection");
    }
    const mproc__deadline deadline = mproc__deadline_in(timeout);
    int rc = enter(listener);
    if (rc < 0) {
        return rc;
    }
    rc = mproc__mutex_acquire(listener->turn, mproc__thread_self(), deadline, NULL);
    if (rc >= 0) {
        rc = accept_one(listener, deadline, &wire);
        gather(listener, &news);
        (void)mproc__mutex_release(listener->turn);
    } else {
        rc = mproc__fail_shortly(rc, "accept: timed out; another thread is accepting");
    }
    leave(listener);
    tell(&news, rc >= 0);
    return rc < 0 ? rc : mproc__wire_connect(wire, ret_connection);
}

/* ---- create and close ------------------------------------------------------------------------ */

static int check_options(const mproc_listener_options *options)
{
    int rc = mproc__stranger_check_key("listener", options->authkey, options->authkey_size);
    if (rc >= 0 && (options->backlog < 0 || options->max_handshakes > MOST_GUESTS)) {
        rc = mproc__fail(MPROC_EINVAL, "listener: a backlog of %d, %zu handshakes",
                         options->backlog, options->max_handshakes);
    }
    return rc;
}

/** What needs memory of this process. */
static int prepare(mproc_listener *listener, const mproc_listener_options *options)
{
    const size_t n = options->max_handshakes == 0 ? MAX_GUESTS : options->max_handshakes;
    listener->max_guests = n;
    listener->guests = mproc__calloc(n, sizeof(*listener->guests));
    listener->streams = mproc__calloc(n + 1, sizeof(void *));
    listener->ready = mproc__calloc(n + 1, sizeof(*listener->ready));
    if (options->authkey != NULL) {
        listener->key = mproc__malloc(options->authkey_size);
    }
    if (listener->guests == NULL || listener->streams == NULL || listener->ready == NULL ||
        (options->authkey != NULL && listener->key == NULL)) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a listener");
    }
    if (listener->key != NULL) {
        memcpy(listener->key, options->authkey, options->authkey_size);
        listener->key_size = options->authkey_size;
    }
    return MPROC_OK;
}

static int open_address(mproc_listener *listener, const mproc_listener_options *options)
{
    mplat_address wanted;
    mplat_address found;
    int rc = options->address != NULL ? mproc__where_parse(options->address, &wanted)
                                      : mplat_address_choose(&wanted);
    if (rc >= 0) {
        rc = mplat_listen(&wanted, options->backlog == 0 ? BACKLOG : options->backlog,
                          options->is_public, &listener->stream, &found);
    }
    if (rc >= 0) {
        mproc__where_format(&found, listener->address, sizeof(listener->address));
    }
    return rc;
}

static void free_listener(mproc_listener *listener)
{
    const bool is_own = listener->pid == mplat_pid();
    while (listener->n_guests > 0) {
        mproc__wire_close(take_out(listener, 0));
    }
    mplat_stream_close(listener->stream);
    if (is_own) { // a copy's has been closed when it was made
        mplat_handle_close(listener->stop);
    }
    if (listener->hold.offset != 0 && listener->epoch == mproc__handle_epoch()) {
        mproc__block_release(listener->hold);
    }
    if (listener->key != NULL) {
        mplat_secret_clear(listener->key, listener->key_size);
    }
    mproc__free(listener->key);
    mproc__free(listener->ready);
    mproc__free(listener->streams);
    mproc__free(listener->guests);
    mproc__free(listener);
}

int mproc_listener_create(mproc_listener **ret_listener, const mproc_listener_options *options)
{
    static const mproc_listener_options defaults;
    options = options != NULL ? options : &defaults;
    if (ret_listener == NULL) {
        return mproc__fail(MPROC_EINVAL, "listener: there is no place for it");
    }
    int rc = check_options(options);
    if (rc < 0 || (rc = mproc__family_enter()) < 0) {
        return rc;
    }
    mproc_listener *listener = mproc__calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for a listener");
    }
    listener->stop = MPLAT_NO_HANDLE;
    listener->pid = mplat_pid();
    listener->epoch = mproc__handle_epoch();
    listener->patience = mproc__stranger_patience(options->handshake_timeout);
    listener->most = mproc__stranger_most(options->max_bytes);
    rc = prepare(listener, options);
    if (rc >= 0) {
        rc = mproc__block_create(MPROC__KIND_LISTENER, sizeof(*listener->turn), 0, true,
                                 &listener->hold);
    }
    if (rc < 0 || (rc = mplat_signal_make(&listener->stop)) < 0 ||
        (rc = open_address(listener, options)) < 0) {
        free_listener(listener);
        return rc;
    }
    listener->turn = mproc__block_at(listener->hold.offset);
    mproc_log(MPROC_LOG_DEBUG, "listener created with address=%s", listener->address);
    *ret_listener = listener;
    return MPROC_OK;
}

const char *mproc_listener_address(const mproc_listener *listener)
{
    return listener != NULL ? listener->address : "";
}

int mproc_listener_get_info(mproc_listener *listener, mproc_listener_info *ret_info)
{
    if (listener == NULL || ret_info == NULL) {
        return mproc__fail(MPROC_EINVAL, "get_info: there is no %s",
                           listener == NULL ? "listener" : "place for the answer");
    }
    *ret_info = (mproc_listener_info){
        .accepted = mproc__load64_acquire(&listener->accepted),
        .refused = mproc__load64_acquire(&listener->refused),
        .dropped = mproc__load64_acquire(&listener->dropped),
        .n_handshakes = (size_t)mproc__load64_acquire(&listener->in_handshake),
    };
    return MPROC_OK;
}

void mproc__listener_stop(mproc_listener *listener)
{
    (void)mproc__exchange32(&listener->is_closing, 1);
    mplat_signal_raise(listener->stop);
}

void mproc_listener_close(mproc_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    if (listener->pid == mplat_pid()) {
        mproc__listener_stop(listener);
        while (mproc__load32(&listener->users) > 0) {
            apr_sleep(50); // they have been told, and only leave
        }
    }
    free_listener(listener);
}
