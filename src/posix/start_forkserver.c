/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_forkserver.c: forkserver, the client's side.
 *
 * Why      A fork is fast while the process is small and has one thread, which an application is not.
 *          So a fresh copy of the program, which has done nothing yet, forks for all of the family.
 * How      A process orders children of the server and gets each as the wire to a process that waits
 *          for its job; a start takes one that is ready, and orders the next before it is needed.
 *          Whoever is started gets the server's door, through which it can become a client too.
 * Death    of the server: the connection ends, a new server is started, what it forked lives on; of a
 *          ready child: its wire ends, the next one is taken; of the client: all its wires end, and
 *          with them what was ready for it.
 */
#include "base/deadline.h"
#include "base/log.h"
#include "base/status.h"
#include "family/family.h"
#include "family/layout.h"
#include "family/sleep.h"
#include "object/process.h"
#include "object/server.h"
#include "object/start.h"
#include "posix/methods.h"
#include "posix/posix.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* Children kept ready, from the second start on: one start is the rule, two make a habit. */
#define SPARES 1

/* How long the server may take to hand over what is on order when it is to end. */
#define RETURN_NS ((int64_t)1000000000)

static struct {
    pthread_mutex_t mutex; /* one start at a time takes from the connection */
    int door;              /* to a server that is somebody's; -1: none known */
    int line;              /* our connection; -1: none */
    bool is_ours;          /* we started the server: child and member are its own */
    mplat_child server;
    mproc__member_id server_member;
    uint64_t n_ordered;
    uint64_t n_arrived;
    uint64_t n_starts;
    bool forgets;
} client = {.mutex = PTHREAD_MUTEX_INITIALIZER, .door = -1, .line = -1};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        mproc__posix_close(*fd);
        *fd = -1;
    }
}

/** In a copy of this process: the connection is the original's; the door is open to all. */
static void forget(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    client.mutex = fresh; // another thread may have held it
    client.line = -1;     // private, hence closed
    client.is_ours = false;
    client.n_starts = 0;
}

void mproc__server_adopt(mplat_handle door)
{
    client.door = (int)door.os;
    if (client.door >= 0) {
        mproc__posix_share(client.door);
        (void)mproc__posix_raise_fd(&client.door);
    }
}

mplat_handle mproc__server_door(void)
{
    return (mplat_handle){client.door};
}

bool mproc__server_is_up(void)
{
    return client.line >= 0;
}

/** Forget a server, and end it if it is ours. */
static void drop_server(void)
{
    if (client.is_ours) {
        // First: at the closing of the door it would begin to exit, and might have helpers by then.
        (void)mplat_process_signal(&client.server.who, MPLAT_KILL);
    }
    close_fd(&client.line);
    close_fd(&client.door);
    if (client.is_ours) {
        mplat_exit unused;
        size_t index;
        client.is_ours = false;
        mplat_handle_close(client.server.tree);
        (void)mplat_sentinel_wait(&client.server.sentinel, 1, MPROC__NEVER, &index);
        (void)mplat_process_reap(&client.server, &unused);
        mplat_handle_close(client.server.sentinel);
        mproc__member_bury(client.server_member);
        mproc__member_free(client.server_member);
        mproc__member_sweep();
    }
}

/** Spawn the process that will be the server; `door` is its end of the door. */
static int spawn_server(mplat_handle door)
{
    static const mproc_process_options options = {.is_daemon = true};
    const mproc__start_info info = {
        .function = (mproc__function)mproc__preload(), .name = "forkserver", .options = &options};
    mproc__launch launch = {.is_given = false};
    mplat_start start = {
        .stdio = {MPLAT_NO_HANDLE, MPLAT_NO_HANDLE, MPLAT_NO_HANDLE},
        .arena = &mproc__arena,
        .extra = &door,
        .boot = {.arena_size = mproc__arena.size, .purpose = MPROC__PURPOSE_SERVER},
    };
    int rc = mproc__program(&start.program);
    if (rc < 0 || (rc = mproc__member_new(mproc__self_id(), "forkserver", &launch.member)) < 0) {
        return rc;
    }
    start.boot.member = launch.member;
    rc = mproc__start_pack(&info, &launch.start);
    if (rc >= 0) {
        rc = mproc__launch_give(&launch);
        if (rc < 0) {
            mproc__block_release(launch.start);
        }
    }
    if (rc < 0 || (rc = mplat_process_spawn(&start, &client.server)) < 0) {
        mproc__member_bury(launch.member);
        mproc__member_free(launch.member);
        return rc;
    }
    mproc__member_note(launch.member, &client.server.who);
    client.server_member = launch.member;
    client.is_ours = true;
    return MPROC_OK;
}

static int start_server(void)
{
    int door[2];
    int rc = mproc__posix_socketpair(door, true);
    if (rc < 0) {
        return rc;
    }
    rc = spawn_server((mplat_handle){door[1]});
    mproc__posix_close(door[1]);
    if (rc < 0) {
        mproc__posix_close(door[0]);
        return rc;
    }
    client.door = door[0];
    mproc__posix_share(client.door); // copies may knock too
    return MPROC_OK;
}

/** Say hello through the door: from then on there is a line to the server. */
static int connect_server(void)
{
    int line[2];
    int rc = mproc__posix_socketpair(line, true);
    if (rc < 0) {
        return rc;
    }
    const struct mproc__message hello = {.word = MPROC__WORD_HELLO, .member = mproc__self_id()};
    rc = mproc__posix_send(client.door, &hello, sizeof(hello), &line[1], 1);
    mproc__posix_close(line[1]);
    if (rc < 0) {
        mproc__posix_close(line[0]);
        return rc;
    }
    client.line = line[0];
    client.n_ordered = 0;
    client.n_arrived = 0;
    return MPROC_OK;
}

static int order(void)
{
    const struct mproc__message message = {.word = MPROC__WORD_ORDER,
                                           .order = client.n_ordered + 1};
    int rc = mproc__posix_send(client.line, &message, sizeof(message), NULL, 0);
    client.n_ordered += rc >= 0 ? 1 : 0;
    return rc;
}

/** Have a line with an order on it, from whichever server. The order's failure is only the last try's. */
static int order_somewhere(void)
{
    if (!client.forgets) {
        client.forgets = true;
        mproc__on_forget(forget);
    }
    if (client.line >= 0 && order() >= 0) {
        return MPROC_OK;
    }
    close_fd(&client.line);
    if (client.door >= 0 && connect_server() >= 0 && order() >= 0) {
        return MPROC_OK;
    }
    drop_server();
    int rc = start_server();
    if (rc < 0 || (rc = connect_server()) < 0) {
        return rc;
    }
    return order();
}

/** The next child that the server has made. What has failed earlier, when nobody wanted one, is old. */
static int receive_child(uint64_t newest, mproc__deadline deadline, mproc__launch *launch)
{
    for (;;) {
        struct mproc__message ready = {.word = 0};
        int fds[MPROC__POSIX_MAX_FDS];
        size_t n_fds;
        int rc = mproc__posix_receive(client.line, &ready, sizeof(ready), fds, &n_fds, deadline);
        if (ready.order > client.n_arrived) {
            client.n_arrived = ready.order; // it has come, even if its descriptors were lost
        }
        if (rc < 0) {
            return rc;
        }
        if (ready.status >= 0 && n_fds == MPROC__READY_FDS) {
            launch->member = ready.member;
            launch->child =
                (mplat_child){.who = {.pid = ready.pid}, .sentinel = {fds[1]}, .tree = {fds[0]}};
            launch->job = (mplat_handle){fds[2]};
            return MPROC_OK;
        }
        // With nothing more on its way, waiting on would be for ever.
        if (ready.order >= newest || client.n_arrived >= client.n_ordered) {
            ready.story[sizeof(ready.story) - 1] = '\0';
            return mproc__fail(ready.status < 0 ? (int)ready.status : MPROC_ECORRUPT,
                               "the fork server: %s", ready.story);
        }
    }
}

/** Take a child that is ready, or have one made. */
static int take_child(mproc__launch *launch)
{
    bool is_in_stock = client.line >= 0 && client.n_ordered > client.n_arrived;
    if (is_in_stock && receive_child(UINT64_MAX, MPROC__NEVER, launch) >= 0) {
        return MPROC_OK;
    }
    // A server that has been killed is noticed when something is sent to it, or received; the next
    // one should live a little longer.
    int rc = MPROC_EPEER;
    for (int attempt = 0; attempt < 3 && rc == MPROC_EPEER; attempt++) {
        rc = order_somewhere();
        if (rc >= 0) {
            rc = receive_child(client.n_ordered, MPROC__NEVER, launch);
        }
        if (rc == MPROC_EPEER) {
            drop_server();
        }
    }
    return rc;
}

/** Tell a ready child what to do. MPROC_EPEER: it has died while it waited. */
static int give_job(const mproc__launch *launch)
{
    struct mproc__message job = {.word = MPROC__WORD_JOB};
    int fds[MPROC__POSIX_MAX_FDS];
    size_t n_fds = 0;
    for (int i = 0; i < 3; i++) {
        // The streams it has are the server's; so it is given ours, but for the input.
        int fd = (int)launch->stdio[i].os;
        if (fd < 0 && i > 0 && fcntl(i, F_GETFD) >= 0) {
            fd = i;
        }
        if (fd >= 0) {
            fds[n_fds++] = fd;
            job.streams |= 1u << i;
        }
    }
    if (client.door >= 0) {
        fds[n_fds++] = client.door;
        job.streams |= 1u << 3;
    }
    // Ours stays ours until the child has its job: it may be dead, and another one needs it then.
    mproc__hold copy;
    int rc = mproc__member_accept(launch->member);
    if (rc < 0 || (rc = mproc__block_attach(launch->start.offset, &copy)) < 0) {
        return rc;
    }
    rc = mproc__block_give(copy, launch->member);
    if (rc < 0) {
        mproc__block_release(copy);
        return rc;
    }
    return mproc__posix_send((int)launch->job.os, &job, sizeof(job), fds, n_fds);
}

static int collect(mproc__member_id member, const mplat_child *child, mplat_exit *ret_exit);

/** Let a child go that was never given its job. */
static void dispose(mproc__launch *launch)
{
    mplat_exit unused;
    size_t index;
    mplat_handle_close(launch->child.tree);
    mplat_handle_close(launch->job); // ends it, if it is not dead already
    (void)mplat_sentinel_wait(&launch->child.sentinel, 1, MPROC__NEVER, &index);
    (void)collect(launch->member, &launch->child, &unused);
    mplat_handle_close(launch->child.sentinel);
    mproc__member_bury(launch->member);
    mproc__member_free(launch->member);
    launch->member = 0;
}

/** Let go of what was ordered and not taken, while there is a server that collects it. */
static void return_stock(void)
{
    const mproc__deadline deadline = mplat_now() + RETURN_NS;
    while (client.line >= 0 && client.n_ordered > client.n_arrived) {
        mproc__launch unwanted = {.is_given = false};
        if (receive_child(UINT64_MAX, deadline, &unwanted) < 0) {
            break;
        }
        dispose(&unwanted);
    }
    // What was lost on its way here, for want of descriptors, ends by itself; the server sees to it.
    mproc__member_id lost;
    while (client.is_ours && !mproc__deadline_passed(deadline) &&
           (lost = mproc__member_next_child(client.server_member, 0)) != 0) {
        uint32_t *word = mproc__low32(&mproc__member_at(lost)->outcome);
        uint32_t seen = mproc__load32_acquire(word);
        if (!(seen & MPROC__OUTCOME_REPORTED)) {
            (void)mproc__sleep(word, seen, deadline, NULL);
        }
    }
}

void mproc__server_stop(void)
{
    (void)pthread_mutex_lock(&client.mutex);
    return_stock();
    drop_server();
    client.n_starts = 0;
    (void)pthread_mutex_unlock(&client.mutex);
}

static int launch_locked(mproc__launch *launch)
{
    int rc;
    do {
        rc = take_child(launch);
        if (rc < 0) {
            return rc;
        }
        rc = give_job(launch);
        if (rc < 0) {
            dispose(launch);
        }
    } while (rc == MPROC_EPEER);
    if (rc >= 0) {
        mplat_handle_close(launch->job);
        mproc__block_release(launch->start);
        launch->is_given = true;
        client.n_starts++;
        if (client.n_starts > 1 && client.n_ordered - client.n_arrived < SPARES) {
            (void)order(); // a server that is gone is the next start's business
        }
    }
    return rc;
}

static int launch(mproc__launch *launch)
{
    (void)pthread_mutex_lock(&client.mutex);
    const mproc__member_id before = client.server_member;
    int rc = launch_locked(launch);
    const int64_t pid = client.server_member != before ? client.server.who.pid : 0;
    (void)pthread_mutex_unlock(&client.mutex);
    if (pid != 0) {
        mproc_log(MPROC_LOG_DEBUG, "started a fork server (pid %lld)", (long long)pid);
    }
    return rc;
}

/** The server collects the status, and writes it down in the member's slot. */
static int collect(mproc__member_id member, const mplat_child *child, mplat_exit *ret_exit)
{
    struct mproc__member_shm *slot = mproc__member_at(member);
    for (;;) {
        uint64_t outcome = mproc__member_outcome(member);
        if (outcome & MPROC__OUTCOME_REPORTED) {
            *ret_exit = (mplat_exit){
                .code = (int32_t)(outcome >> 32),
                .flags = (outcome & MPROC__OUTCOME_CORE ? MPLAT_EXIT_CORE : 0) |
                         (outcome & MPROC__OUTCOME_OOM ? MPLAT_EXIT_OOM : 0),
                .user_ns = (int64_t)slot->user_ns,
                .system_ns = (int64_t)slot->system_ns,
                .max_rss_bytes = (int64_t)slot->max_rss_bytes,
            };
            return outcome & MPROC__OUTCOME_UNKNOWN ? MPROC_EUNKNOWN : MPROC_OK;
        }
        mplat_identity unused;
        if (mproc__member_identity(member, &unused) < 0) {
            return mproc__fail(MPROC_EUNKNOWN, "it was never ours"); // its maker has let it go
        }
        int rc = mproc__sleep(mproc__low32(&slot->outcome), (uint32_t)outcome, MPROC__NEVER, NULL);
        if (rc == MPROC_ETIMEDOUT && mproc__member_is_gone(slot->maker)) {
            // Its status went with the server, unless the orphan has become a child of this process.
            return mplat_process_reap(child, ret_exit);
        }
    }
}

const mproc_context mproc__context_forkserver = {
    .name = "forkserver", .is_server_made = true, .launch = launch, .collect = collect};
