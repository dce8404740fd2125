/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/manager.h: managers: shared objects with names and methods, for the family and for strangers.
 *
 * In Python a manager is a server that keeps objects, and everybody sends it requests. Here the objects lie in
 * shared memory, where the family works on them directly: a proxy in the family is the object itself, and costs
 * no message. The manager's server is for the others, programs that are not of the family, on this machine or
 * another one: it does for them what they ask for. Both work on the same objects at once.
 *
 *     mproc_manager *manager;
 *     mproc_proxy *d;
 *     mproc_manager_create(&manager, NULL);
 *     mproc_manager_create_object(manager, "dict", NULL, &d);
 *     mproc_process_start(&child, work, MPROC_ARGS(d), NULL);
 *     ...
 *     mproc_proxy_call(d, "set", MPROC_ARGS("colour", "red"), NULL, MPROC_FOREVER);
 *
 * For strangers the same manager starts a server, and names what they are to find:
 *
 *     mproc_manager_publish(manager, "colours", d);
 *     mproc_manager_start(manager, NULL);
 *     printf("%s\n", mproc_manager_address(manager));
 *
 * and they connect to it, by a key that both know:
 *
 *     mproc_manager_connect(&manager, address, &(mproc_client_options){KEY}, MPROC_FOREVER);
 *     mproc_manager_get_object(manager, "colours", &d);
 *     mproc_proxy_call(d, "get", MPROC_ARGS("colour"), &colour, MPROC_FOREVER);
 *
 * Types, as they are created, and methods, each as the C function of that name: "setdefault" of a dict is
 * mproc_dict_setdefault, with its arguments in their order, but for the timeout, which is the call's own.
 *
 *     dict()                        set get get_many contains setdefault pop increment compare_and_set update
 *     Namespace()                   length clear items keys values; get and pop take a default, too
 *     list()                        append extend insert get set pop length clear slice
 *     Queue(max_items = 0)          put get put_many get_many size is_empty is_full is_shut_down shutdown
 *     JoinableQueue(max_items = 0)  these, and task_done join
 *     Value(typecode, x = 0)        get set acquire release typecode, and without its lock atomic_load atomic_store
 *                                   atomic_add atomic_compare_exchange
 *     Array(typecode, length or list) get(index) set(index, x) get_slice(first, count) set_slice(first, list)
 *                                   length acquire release typecode, and the atomic ones, each with an index
 *     Lock() RLock()                acquire release is_locked
 *     Semaphore(value = 1), BoundedSemaphore(value = 1)  acquire release get_value
 *     Event()                       set clear is_set wait
 *     Condition(lock = nil)         acquire release wait notify(n = 1) notify_all
 *     Barrier(parties)              wait reset abort parties n_waiting is_broken
 *
 * What a C function gives back is the call's result: append the new length, increment the sum, setdefault the
 * value, compare_and_set and contains a boolean, atomic_add what there was before, and so on. Of structs and
 * typecodes without numbers there are no elements to be had here.
 *
 * A proxy in arguments, in a queue, in a dict or a list is a reference: who takes it out works on the same object.
 * Everything else is a copy. In the family a proxy is a handle like any other, and the other way round:
 * MPROC_UNPACK puts a dict into a mproc_dict * or into a mproc_proxy *, as the program likes.
 *
 * Who is what to the locks: in the family a thread, as ever. Strangers' locks, permits and conditions are their
 * connection's: when that ends, however it does, they are released, and its references are dropped. So a connected
 * manager is for one thread at a time; others that call it meanwhile wait. Connect once for each thread that locks.
 */
#ifndef MPROC_MANAGER_H
#define MPROC_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mproc/export.h"
#include "mproc/listener.h"
#include "mproc/process.h"
#include "mproc/timeout.h"
#include "mproc/value.h"

MPROC_BEGIN_DECLS

/** A manager, one's own or one that is connected to: this process's handle of it. */
typedef struct mproc_manager mproc_manager;

/** Any shared object, as one that has methods with names; or one that a manager elsewhere keeps. */
typedef struct mproc_proxy mproc_proxy;

/** What is special about a manager; zero: nothing. Only its server cares. */
typedef struct mproc_manager_options {
    /** Where the server listens, as mproc_listener_options.address. */
    const char *address;
    /** What strangers must know; copied, at most 256 bytes. NULL: 32 random bytes, see mproc_manager_authkey. */
    const void *authkey;
    size_t authkey_size; /**< bytes; not 0 if there is a key */
    /** How many clients may be connected; 0: 1,024. One more is turned away. */
    uint32_t max_clients;
    /** How many objects a client may refer to at once; 0: 65,536. */
    uint32_t max_objects;
    /** How long a request may be, in bytes; 0: 64 MiB. */
    uint64_t max_bytes;
    /** Let other users of this machine connect, as mproc_listener_options.is_public. */
    bool is_public;
} mproc_manager_options;

/**
 * Create a manager. It has no server yet, which the family does not need.
 *
 * Python: multiprocessing.Manager(), SyncManager(address, authkey)
 *
 * @param ret_manager  close it with mproc_manager_close; it may be passed to other processes of the family
 * @param options      NULL: all defaults
 * @return 0; MPROC_EINVAL; MPROC_ETOOBIG (the address or the key is too long); MPROC_ENOMEM, MPROC_ENOSPC
 * @owner  the caller, until mproc_manager_close
 * @safety any thread of any member process
 * @death  a process killed inside this call leaves nothing behind
 */
MPROC_API MPROC_NODISCARD int mproc_manager_create(mproc_manager **ret_manager,
                                                   const mproc_manager_options *options);

/**
 * Start the manager's server: a process of its own, which lets strangers in.
 *
 * Python: BaseManager.start()
 *
 * @param options  as mproc_process_start; NULL: all defaults. It is a daemon in any case
 * @return 0: it listens. MPROC_ESTATE (it has a server, or had one, or it is connected to one elsewhere); as
 *         mproc_process_start and mproc_listener_create; MPROC_EPEER (the server died before it listened)
 * @blocking  until it listens
 * @safety any thread of the process that has created the manager
 * @death  of the server: clients find their connection ended at once, and what they held is released. The
 *         objects stay as they are: the family has them.
 */
MPROC_API int mproc_manager_start(mproc_manager *manager, const mproc_process_options *options);

/**
 * Be the manager's server, in this process and this thread, until mproc_manager_shutdown.
 *
 * Python: BaseManager.get_server().serve_forever()
 *
 * @return 0: it was shut down; MPROC_ESTATE and others as mproc_manager_start
 * @blocking  until it is shut down, by another thread or process
 * @safety any thread of any member process
 */
MPROC_API int mproc_manager_serve(mproc_manager *manager);

/**
 * Connect to a manager's server.
 *
 * Python: BaseManager(address, authkey).connect()
 *
 * @param ret_manager  close it with mproc_manager_close. It is this process's alone
 * @param address      see listener.h
 * @param options      with the server's key; NULL: all defaults
 * @param timeout      nanoseconds, MPROC_NOWAIT or MPROC_FOREVER
 * @return as mproc_client_connect; MPROC_EMALFORMED (there is something else)
 * @owner  the caller, until mproc_manager_close
 * @blocking  until then
 * @safety any thread
 */
MPROC_API MPROC_NODISCARD int mproc_manager_connect(mproc_manager **ret_manager,
                                                    const char *address,
                                                    const mproc_client_options *options,
                                                    mproc_timeout timeout);

/**
 * End the server: nobody is let in any more, all clients are cut off, what they held is released. A server that does
 * not end in time is killed if it is a process that this one has started. The objects stay. Without a server, or with
 * one that has ended, that is done already.
 *
 * Python: BaseManager.shutdown()
 *
 * @return 0; MPROC_ETIMEDOUT (it still serves); MPROC_ENOTSUP (the manager is one that is connected to: only its own
 *         family may do that); MPROC_EINVAL for NULL
 * @blocking  until the server has ended
 * @safety any thread of any member process
 */
MPROC_API int mproc_manager_shutdown(mproc_manager *manager, mproc_timeout timeout);

/**
 * Where the server listens, or where this manager is connected to. Python: BaseManager.address
 *
 * @return valid until the manager is closed; "" when it has no server yet, and for NULL
 */
MPROC_API const char *mproc_manager_address(const mproc_manager *manager);

/** What strangers must know; borrowed from the manager. Of one that is connected to, and of NULL: nothing. */
MPROC_API mproc_bytes mproc_manager_authkey(const mproc_manager *manager);

/**
 * Create an object of one of the types above.
 *
 * Python: manager.dict(), manager.list(), manager.Queue(maxsize) ...
 *
 * @param type       "dict", "list", ...
 * @param args       NULL: none
 * @param ret_proxy  close it with mproc_proxy_close; in the family a handle of the object itself
 * @return 0; MPROC_ENOENT (there is no such type); MPROC_ECOUNT, MPROC_ETYPE, MPROC_ERANGE (of the arguments); as the
 *         type's own create; as mproc_proxy_call
 * @owner  the caller, until mproc_proxy_close
 * @safety any thread of any member process
 */
MPROC_API MPROC_NODISCARD int mproc_manager_create_object(mproc_manager *manager, const char *type,
                                                          const mproc_args *args,
                                                          mproc_proxy **ret_proxy);

/**
 * Give an object a name, by which all who have the manager find it, as long as the manager is there. The
 * object of that name before has it no more.
 *
 * Python: BaseManager.register(name, callable=lambda: the_object)
 *
 * @return 0; MPROC_ETYPE (an object of another manager's); as mproc_dict_set; as mproc_proxy_call
 * @safety any thread of any member process
 */
MPROC_API int mproc_manager_publish(mproc_manager *manager, const char *name, mproc_proxy *proxy);

/** Take a name away; the object stays for who has it. 0, MPROC_ENOENT, or as mproc_manager_publish. */
MPROC_API int mproc_manager_unpublish(mproc_manager *manager, const char *name);

/**
 * Find the object of a name.
 *
 * @param ret_proxy  close it with mproc_proxy_close
 * @return 0; MPROC_ENOENT (there is none); MPROC_ENOMEM; as mproc_proxy_call
 */
MPROC_API MPROC_NODISCARD int mproc_manager_get_object(mproc_manager *manager, const char *name,
                                                       mproc_proxy **ret_proxy);

/**
 * Call a method.
 *
 * Python: proxy.method(...), proxy._callmethod(method, args)
 *
 * @param method      see above
 * @param args        NULL: none
 * @param ret_result  what it returns; free it with mproc_value_clear, which closes proxies in it. NULL: who cares
 * @param timeout     how long the method may wait, for a lock or an item, say: Python's timeout of that method. The
 *                    way to a server and back does not count, but for ten seconds after that the server is given up
 * @return what the method does: 0, MPROC_OWNER_DIED, or a negative status, with the server's words in
 *         mproc_last_error(). MPROC_ENOENT: there is no such method, or what the method says; MPROC_ECOUNT, MPROC_ETYPE,
 *         MPROC_ERANGE: the arguments do not fit. MPROC_EPEER: the server is gone, or was given up; whether the call
 *         was carried out is not known. MPROC_ESTATE: the proxy is another process's, and of a manager elsewhere.
 * @blocking  as the method; while another thread calls the same server
 * @safety any thread of any member process
 * @death  in the family as the method. Of a server: MPROC_EPEER at once. Of a client: it has called or not; locks and
 *         permits that its connection had are released, its references dropped; an item that was taken out of a
 *         queue for it in that moment is gone with it
 */
MPROC_API int mproc_proxy_call(mproc_proxy *proxy, const char *method, const mproc_args *args,
                               mproc_value *ret_result, mproc_timeout timeout);

/** One call of many. */
typedef struct mproc_operation {
    mproc_proxy *proxy;
    const char *method;
    const mproc_args *args; /**< NULL: none */
    int status;             /**< set: as mproc_proxy_call */
    mproc_value result;     /**< set: nil, or what is to be freed with mproc_value_clear */
} mproc_operation;

/**
 * Call many methods, one after the other, in one message and one answer per manager elsewhere that they go to in a row. A
 * method that would wait does not: it is MPROC_ETIMEDOUT. One that fails does not keep the others from being done.
 *
 * @return 0: each has its status; MPROC_EPEER and others, as mproc_proxy_call: that is the status also of those
 *         that were not done, or of which nothing is known
 */
MPROC_API int mproc_proxy_call_many(mproc_operation *operations, size_t count);

/**
 * A proxy of the object in a value, which a call has returned.
 *
 * @param ret_proxy  close it with mproc_proxy_close; the value may be cleared
 * @return 0; MPROC_ETYPE (the value is no object); MPROC_ENOMEM; MPROC_EINVAL for NULL
 */
MPROC_API MPROC_NODISCARD int mproc_proxy_of(mproc_proxy **ret_proxy, const mproc_value *value);

/** The object's type as sentences have it, "a dict" say; of an object elsewhere, too. "nothing" for NULL. */
MPROC_API const char *mproc_proxy_type(const mproc_proxy *proxy);

/** Take one more hold on what a proxy stands for, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_proxy_attach(mproc_proxy **ret_proxy, const mproc_proxy *proxy);

/** Give up a proxy, as mproc_lock_close. The last hold frees the object; to a server that is told. */
MPROC_API void mproc_proxy_close(mproc_proxy *proxy);

/** Take one more hold on a manager, as mproc_block_attach does on a block. */
MPROC_API MPROC_NODISCARD int mproc_manager_attach(mproc_manager **ret_manager,
                                                   const mproc_manager *manager);

/**
 * Give up this process's hold on a manager. Who has started its server ends it with its last handle, as by
 * mproc_manager_shutdown within a second. A connection ends when its proxies are closed, too.
 */
MPROC_API void mproc_manager_close(mproc_manager *manager);

MPROC_END_DECLS

#endif
