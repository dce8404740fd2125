/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/wait.h: waiting for many things at once.
 *
 *     mproc_wait_item items[] = {
 *         MPROC_WAIT_ITEM(requests),       // a queue
 *         MPROC_WAIT_ITEM(stop),           // an event
 *         MPROC_WAIT_ITEM(child),          // a process
 *         MPROC_WAIT_ITEM(socket_of_ours), // a descriptor
 *     };
 *     int n = mproc_wait(items, 4, mproc_seconds(1));
 *     if (n > 0 && items[0].is_ready) {
 *         ...
 */
#ifndef MPROC_WAIT_H
#define MPROC_WAIT_H

#include <stdbool.h>
#include <stddef.h>

#include "mproc/connection.h"
#include "mproc/event.h"
#include "mproc/export.h"
#include "mproc/latch.h"
#include "mproc/process.h"
#include "mproc/queue.h"
#include "mproc/timeout.h"

MPROC_BEGIN_DECLS

/**
 * What can be waited for together with other things, and when it is ready.
 *
 * Locks, semaphores and conditions are missing, as in Python: what could be had when it was seen may be
 * another one's when the call returns. For a timer there is the timeout, or one of the system's.
 */
typedef enum mproc_wait_type {
    MPROC_WAIT_QUEUE = 1,  /**< an item is in it, or it has been shut down */
    MPROC_WAIT_CONNECTION, /**< a whole message can be received, or the other end is gone */
    MPROC_WAIT_EVENT,      /**< it is set, or has been set since the call began */
    MPROC_WAIT_LATCH,      /**< it is open, or broken */
    MPROC_WAIT_PROCESS,    /**< it has ended; mproc_process_join is still to be called */
    /**
     * A descriptor or handle of the system's own. POSIX: something can be read from it, or the other side
     * is gone, or it is in error. Windows: it is signalled, and is taken as WaitForSingleObject takes it:
     * an automatic event is reset. Neither mutexes nor sockets: WSAEventSelect makes an event of these.
     */
    MPROC_WAIT_NATIVE
} mproc_wait_type;

/** One thing to wait for. MPROC_WAIT_ITEM makes one of a handle. */
typedef struct mproc_wait_item {
    mproc_wait_type type;
    bool is_ready; /**< set by mproc_wait, true or false */
    union {
        mproc_queue *queue;
        mproc_connection *connection;
        mproc_event *event;
        mproc_latch *latch;
        mproc_process *process; /**< a child of this process, or its parent */
        mproc_os_handle native;
    } as; /**< the member that goes with the type; borrowed: keep it open during the call */
} mproc_wait_item;

/**
 * Wait until at least one of many things is ready.
 *
 * Python: multiprocessing.connection.wait(object_list, timeout)
 *
 * Nothing is taken out of what is ready, and all who wait for it are woken. Others may be quicker: get
 * with MPROC_NOWAIT then. (Many that wait for one queue do better with mproc_queue_get, which wakes one.)
 * Any number of things of any types, on Windows too; the same one may be among them several times.
 * With descriptors, processes or connections to strangers and other things in one call, and when nothing was
 * ready at first, the call has the former watched by a thread that is gone when it returns; on Windows by
 * the system's. While a call waits for nothing but such things, other threads receive from such a connection
 * when it has returned, as with mproc_connection_poll.
 *
 * @param items    `count` of them; is_ready is set in all of them, unless the call fails
 * @param count    at least 1
 * @param timeout  nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 *
 * @return how many are ready; 0: none was in time (Python: [])
 * @return MPROC_EINVAL  there is nothing to wait for, or an item is NULL or a handle that is not open
 * @return MPROC_ESTATE  a process is this one, or another one's child; a connection can only send, or is
 *         one to a stranger that another process has, or another thread has closed it or passed it on meanwhile
 *         or another negative status: MPROC_ENOMEM, MPROC_EMFILE
 *
 * @blocking  looks for some microseconds, then sleeps; each round looks at all of them
 * @safety any thread of any member process, also at things that others wait for; not in signal handlers. A
 *         handle that another thread closes meanwhile is a bug of the program's, as in any other call, but for
 *         a connection to a stranger: that ends the wait
 * @death  of one who made something ready, whenever: it is noticed. Of others who wait: costs nobody
 *         anything
 */
MPROC_API MPROC_NODISCARD int mproc_wait(mproc_wait_item *items, size_t count,
                                         mproc_timeout timeout);

static inline mproc_wait_item mproc__wait_queue(mproc_queue *queue)
{
    mproc_wait_item item;
    item.type = MPROC_WAIT_QUEUE;
    item.is_ready = false;
    item.as.queue = queue;
    return item;
}

static inline mproc_wait_item mproc__wait_event(mproc_event *event)
{
    mproc_wait_item item;
    item.type = MPROC_WAIT_EVENT;
    item.is_ready = false;
    item.as.event = event;
    return item;
}

static inline mproc_wait_item mproc__wait_latch(mproc_latch *latch)
{
    mproc_wait_item item;
    item.type = MPROC_WAIT_LATCH;
    item.is_ready = false;
    item.as.latch = latch;
    return item;
}

static inline mproc_wait_item mproc__wait_connection(mproc_connection *connection)
{
    mproc_wait_item item;
    item.type = MPROC_WAIT_CONNECTION;
    item.is_ready = false;
    item.as.connection = connection;
    return item;
}

static inline mproc_wait_item mproc__wait_process(mproc_process *process)
{
    mproc_wait_item item;
    item.type = MPROC_WAIT_PROCESS;
    item.is_ready = false;
    item.as.process = process;
    return item;
}

static inline mproc_wait_item mproc__wait_native(mproc_os_handle native)
{
    mproc_wait_item item;
    item.type = MPROC_WAIT_NATIVE;
    item.is_ready = false;
    item.as.native = native;
    return item;
}

static inline mproc_wait_item mproc__wait_handle(void *handle)
{
    return mproc__wait_native((mproc_os_handle)handle);
}

MPROC_END_DECLS

/**
 * An item of what `x` is: a queue, a connection, an event, a latch, a process, a descriptor (any signed integer) or a HANDLE.
 */
#ifdef __cplusplus

#include <type_traits>

extern "C++" {
namespace mproc_detail {

inline mproc_wait_item wait_item(mproc_queue *queue)
{
    return mproc__wait_queue(queue);
}

inline mproc_wait_item wait_item(mproc_event *event)
{
    return mproc__wait_event(event);
}

inline mproc_wait_item wait_item(mproc_latch *latch)
{
    return mproc__wait_latch(latch);
}

inline mproc_wait_item wait_item(mproc_connection *connection)
{
    return mproc__wait_connection(connection);
}

inline mproc_wait_item wait_item(mproc_process *process)
{
    return mproc__wait_process(process);
}

template <class T> inline mproc_wait_item wait_item(T native)
{
    static_assert(std::is_integral_v<T> && std::is_signed_v<T>,
                  "MPROC_WAIT_ITEM cannot make an item of this type");
    return mproc__wait_native(native);
}

inline mproc_wait_item wait_item(void *handle)
{
    return mproc__wait_handle(handle);
}

} // namespace mproc_detail
} // extern "C++"

#define MPROC_WAIT_ITEM(x) mproc_detail::wait_item(x)

#else

/* clang-format off */
#define MPROC_WAIT_ITEM(x) \
    _Generic((x), \
        mproc_queue *: mproc__wait_queue, \
        mproc_event *: mproc__wait_event, \
        mproc_latch *: mproc__wait_latch, \
        mproc_connection *: mproc__wait_connection, \
        mproc_process *: mproc__wait_process, \
        int: mproc__wait_native, \
        long: mproc__wait_native, \
        long long: mproc__wait_native, \
        void *: mproc__wait_handle)(x)
/* clang-format on */

#endif

#endif
