/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager.c: mproc_manager: made, connected, started, ended. What is done with one is in manager_objects.c.
 */
#include "service/manager.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/sleep.h"
#include "family/thread.h"

#include <string.h>

#define DEFAULT_CLIENTS 1024u
#define DEFAULT_OBJECTS 65536u
#define DEFAULT_BYTES ((uint64_t)64 << 20)
#define RANDOM_KEY 32u

/* How long a server may take to end when its manager is closed. */
#define CLOSE_NS ((int64_t)1000000000)

static int is_null(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the manager, or something else, is NULL", verb);
}

/* ---- handles --------------------------------------------------------------------------------- */

static int end_server(const mproc_manager *manager, mproc_process *process, mproc_timeout timeout);

static void close_manager(struct mproc_object *object, bool is_held)
{
    struct mproc__manager_local *local = (struct mproc__manager_local *)object->local;
    mproc_manager *manager = MPROC__CONTAINER(object, mproc_manager, object);
    if (mproc__own_leave(object, is_held)) {
        if (local->process != NULL) {
            (void)end_server(manager, local->process, CLOSE_NS);
        }
        mproc__remote_release(local->remote);
        mproc__free(local);
    }
}

/** A manager whose block is zeroed but for what concerns this process. */
static int make(mproc_manager **ret_manager, uint32_t n_inside)
{
    struct mproc_object *object = NULL;
    struct mproc__manager_local *local = mproc__calloc(1, sizeof(*local));
    int rc = local != NULL
                 ? mproc__object_create(MPROC__KIND_MANAGER, sizeof(struct mproc__manager_shm),
                                        n_inside, &object)
                 : mproc__fail(MPROC_ENOMEM, "no memory for a manager");
    if (rc < 0) {
        mproc__free(local);
        return rc;
    }
    local->own = (struct mproc__own_local){{close_manager}, 1};
    object->local = local;
    *ret_manager = MPROC__CONTAINER(object, mproc_manager, object);
    mproc__manager_of(*ret_manager)->own =
        (struct mproc__own_shm){mplat_pid(), (uint64_t)(uintptr_t)local};
    return MPROC_OK;
}

/* ---- create ---------------------------------------------------------------------------------- */

static int check_options(const mproc_manager_options *options)
{
    size_t size = options->address != NULL ? strlen(options->address) : 0;
    if (size >= MPROC__MANAGER_TEXT || options->authkey_size > MPROC__MANAGER_TEXT) {
        return mproc__fail(MPROC_ETOOBIG, "create: the address or the key is too long");
    }
    if (options->authkey != NULL && options->authkey_size == 0) {
        return mproc__fail(MPROC_EINVAL, "create: the key is empty");
    }
    return MPROC_OK;
}

static int fill_in(struct mproc__manager_shm *shm, const mproc_manager_options *options)
{
    shm->max_clients = options->max_clients > 0 ? options->max_clients : DEFAULT_CLIENTS;
    shm->max_objects = options->max_objects > 0 ? options->max_objects : DEFAULT_OBJECTS;
    shm->max_bytes = options->max_bytes > 0 ? options->max_bytes : DEFAULT_BYTES;
    shm->is_public = options->is_public;
    if (options->address != NULL) {
        memcpy(shm->wish, options->address, strlen(options->address) + 1);
    }
    shm->key_size = options->authkey != NULL ? (uint32_t)options->authkey_size : RANDOM_KEY;
    if (options->authkey != NULL) {
        memcpy(shm->key, options->authkey, options->authkey_size);
        return MPROC_OK;
    }
    return mplat_random(shm->key, RANDOM_KEY);
}

/** Have the manager's block hold an object, whose handle is closed. */
static int keep(const mproc_manager *manager, struct mproc_object *object, uint64_t *ret_offset)
{
    int rc = mproc__block_embed(manager->object.offset, object->offset);
    if (rc >= 0) {
        *ret_offset = object->offset;
    }
    mproc__object_close(object);
    return rc;
}

static int furnish(mproc_manager *manager, const mproc_manager_options *options)
{
    struct mproc__manager_shm *shm = mproc__manager_of(manager);
    mproc_dict *names;
    mproc_event *stop;
    int rc = fill_in(shm, options);
    if (rc < 0 || (rc = mproc_dict_create(&names)) < 0 ||
        (rc = keep(manager, &names->object, &shm->names)) < 0 ||
        (rc = mproc_event_create(&stop)) < 0) {
        return rc;
    }
    return keep(manager, &stop->object, &shm->stop);
}

int mproc_manager_create(mproc_manager **ret_manager, const mproc_manager_options *options)
{
    static const mproc_manager_options defaults;
    options = options != NULL ? options : &defaults;
    mproc_manager *manager;
    int rc = ret_manager != NULL ? check_options(options) : is_null("create");
    if (rc < 0 || (rc = make(&manager, 2)) < 0) {
        return rc;
    }
    rc = furnish(manager, options);
    if (rc < 0) {
        mproc_manager_close(manager);
        return rc;
    }
    *ret_manager = manager;
    return MPROC_OK;
}

int mproc_manager_connect(mproc_manager **ret_manager, const char *address,
                          const mproc_client_options *options, mproc_timeout timeout)
{
    mproc_manager *manager = NULL;
    int rc = ret_manager != NULL && address != NULL ? make(&manager, 0) : is_null("connect");
    if (rc < 0) {
        return rc;
    }
    mproc__manager_of(manager)->is_remote = 1;
    rc = mproc__remote_open(&((struct mproc__manager_local *)manager->object.local)->remote,
                            address, options, timeout);
    if (rc < 0) {
        mproc_manager_close(manager);
        return rc;
    }
    *ret_manager = manager;
    return MPROC_OK;
}

/* ---- the server ------------------------------------------------------------------------------ */

/** Whether the server that the phase tells of is no more. */
static bool is_dead(const struct mproc__manager_shm *shm)
{
    mproc__thread_id thread = mproc__load64_acquire(&shm->server_thread);
    return thread != 0 && mproc__thread_is_dead(thread);
}

/** From where there is no server to STARTING; or why not. */
static int claim(mproc_manager *manager)
{
    struct mproc__manager_shm *shm = mproc__manager_of(manager);
    uint32_t phase = mproc__load32_acquire(&shm->phase);
    bool is_free = phase == MPROC__MANAGER_IDLE || phase == MPROC__MANAGER_OVER || is_dead(shm);
    if (shm->is_remote != 0) {
        return mproc__fail(MPROC_ESTATE, "start: the manager is one that is connected to");
    }
    if (!is_free || !mproc__cas32(&shm->phase, &phase, MPROC__MANAGER_STARTING)) {
        return mproc__fail(MPROC_ESTATE, "start: the manager has a server");
    }
    mproc_event stop = mproc__manager_stop(manager);
    mproc__store64_release(&shm->server_thread, 0);
    return mproc_event_clear(&stop);
}

int mproc_manager_serve(mproc_manager *manager)
{
    int rc = manager != NULL ? mproc__family_enter() : is_null("serve");
    if (rc < 0 || (rc = claim(manager)) < 0) {
        return rc;
    }
    return mproc__manager_run(manager, NULL, NULL);
}

static void tell_ready(void *arg)
{
    (void)mproc_connection_send(arg, MPROC_LIST(MPROC_OK, ""), MPROC_FOREVER);
}

static int run_server(const mproc_args *args)
{
    mproc_manager *manager;
    mproc_connection *starter;
    int rc = MPROC_UNPACK(args, &manager, &starter);
    if (rc < 0) {
        return rc;
    }
    mplat_interrupt_ignore(); // Ctrl-C is its starter's business, with whom it ends
    rc = mproc__manager_run(manager, tell_ready, starter);
    if (rc < 0) {
        (void)mproc_connection_send(starter, MPROC_LIST(rc, mproc_last_error()), MPROC_FOREVER);
    }
    return 0;
}

/** Hear from the server that it listens, or why not. */
static int hear(mproc_connection *server)
{
    mproc_value word;
    int rc = mproc_connection_recv(server, &word, MPROC_FOREVER);
    if (rc < 0) {
        return mproc__fail(MPROC_EPEER, "start: the manager's server died before it listened");
    }
    const char *sentence;
    int status;
    rc = MPROC_UNPACK_LIST(&word, &status, &sentence);
    if (rc >= 0 && status < 0) {
        rc = mproc__fail(status, "start: %s", sentence);
    }
    mproc_value_clear(&word);
    return rc;
}

static int start_process(mproc_manager *manager, const mproc_process_options *options,
                         mproc_process **ret_process)
{
    mproc_connection *ours;
    mproc_connection *theirs;
    mproc_process *process;
    int rc = mproc_pipe_create(&ours, &theirs, &(mproc_pipe_options){.is_one_way = true});
    if (rc < 0) {
        return rc;
    }
    rc = mproc_process_start(&process, run_server, MPROC_ARGS(manager, theirs), options);
    mproc_connection_close(theirs);
    if (rc >= 0) {
        rc = hear(ours);
        if (rc < 0) {
            (void)mproc_process_join(process, MPROC_FOREVER); // it has said its last word, or died
            (void)mproc_process_close(process);
        }
    }
    mproc_connection_close(ours);
    if (rc >= 0) {
        *ret_process = process;
    }
    return rc;
}

/** The process of a server that has ended, if this one has started it: one caller gets it, to close it. */
static mproc_process *take_process(const mproc_manager *manager)
{
    struct mproc__manager_local *local = mproc__manager_local_of(manager);
    mproc_process *process = NULL;
    mproc__private_lock();
    if (local != NULL) {
        process = local->process;
        local->process = NULL;
    }
    mproc__private_unlock();
    return process;
}

int mproc_manager_start(mproc_manager *manager, const mproc_process_options *options)
{
    int rc = manager != NULL ? mproc__family_enter() : is_null("start");
    if (rc < 0) {
        return rc;
    }
    if (mproc__manager_local_of(manager) == NULL) {
        return mproc__fail(MPROC_ESTATE, "start: another process has created the manager");
    }
    rc = claim(manager);
    if (rc < 0) {
        return rc;
    }
    mproc_process_options with = options != NULL ? *options : (mproc_process_options){0};
    with.is_daemon = true;
    mproc_process *last = take_process(manager);
    if (last != NULL) {
        (void)mproc_process_join(last, MPROC_FOREVER);
        (void)mproc_process_close(last);
    }
    mproc_process *process;
    rc = start_process(manager, &with, &process);
    if (rc < 0) {
        mproc__store32_release(&mproc__manager_of(manager)->phase, MPROC__MANAGER_IDLE);
        return rc;
    }
    mproc__private_lock();
    mproc__manager_local_of(manager)->process = process;
    mproc__private_unlock();
    return MPROC_OK;
}

static int await_end(const mproc_manager *manager, mproc__deadline deadline)
{
    struct mproc__manager_shm *shm = mproc__manager_of(manager);
    for (;;) {
        uint32_t phase = mproc__load32_acquire(&shm->phase);
        if (phase == MPROC__MANAGER_IDLE || phase == MPROC__MANAGER_OVER || is_dead(shm)) {
            return MPROC_OK;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail_shortly(MPROC_ETIMEDOUT, "shutdown: the server still serves");
        }
        mproc__thread_id thread = mproc__load64_acquire(&shm->server_thread);
        (void)mproc__sleep(&shm->phase, phase, deadline, mproc__thread_life(thread));
    }
}

/** Have the server end; and its process, if that is one of this process's, which is killed if it does not. */
static int end_server(const mproc_manager *manager, mproc_process *process, mproc_timeout timeout)
{
    mproc_event stop = mproc__manager_stop(manager);
    (void)mproc_event_set(&stop);
    int rc = await_end(manager, mproc__deadline_in(timeout));
    if (process != NULL) {
        if (rc < 0) {
            (void)mproc_process_kill(process);
        }
        rc = mproc_process_join(process, MPROC_FOREVER);
        (void)mproc_process_close(process);
    }
    return rc < 0 ? rc : MPROC_OK;
}

int mproc_manager_shutdown(mproc_manager *manager, mproc_timeout timeout)
{
    int rc = manager != NULL ? mproc__family_enter() : is_null("shutdown");
    if (rc < 0) {
        return rc;
    }
    if (mproc__manager_of(manager)->is_remote != 0) {
        return mproc__fail(MPROC_ENOTSUP, "shutdown: only its own family ends a manager's server");
    }
    return end_server(manager, take_process(manager), timeout);
}

/* ---- what it is ------------------------------------------------------------------------------ */

const char *mproc_manager_address(const mproc_manager *manager)
{
    if (manager == NULL) {
        return "";
    }
    const struct mproc__manager_local *local = mproc__manager_local_of(manager);
    if (local != NULL && local->remote != NULL) {
        return mproc__remote_address(local->remote);
    }
    // The server has written it before that phase.
    const struct mproc__manager_shm *shm = mproc__manager_of(manager);
    return mproc__load32_acquire(&shm->phase) >= MPROC__MANAGER_SERVING ? shm->address : "";
}

mproc_bytes mproc_manager_authkey(const mproc_manager *manager)
{
    const struct mproc__manager_shm *shm = manager != NULL ? mproc__manager_of(manager) : NULL;
    return shm != NULL ? mproc_bytes_of(shm->key, shm->key_size) : mproc_bytes_of(NULL, 0);
}
