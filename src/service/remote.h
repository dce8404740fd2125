/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.h: a connection to a manager's server, as its client has it.
 *
 * Layout  This process's memory. The manager's handles and all its proxies are its users; with the last one it ends.
 * Always  R1  between two calls no answer is on its way: a call that gets none in time ends the connection
 *         R2  a reference that the server has given out is in one proxy, or in `drops`, and is told to the server
 *             before the next call
 * Locks   `calling`, for whole calls; the private lock guards the drops, and nothing is sent under it
 */
#ifndef MPROC_SERVICE_REMOTE_H
#define MPROC_SERVICE_REMOTE_H

#include <stdint.h>

#include "family/object.h"
#include "mproc/listener.h"
#include "mproc/manager.h"

typedef struct mproc__remote mproc__remote;

/** Connect. As mproc_manager_connect; the caller is its first user. */
int mproc__remote_open(mproc__remote **ret_remote, const char *address,
                       const mproc_client_options *options, mproc_timeout timeout);

/** One user less; NULL is fine. */
void mproc__remote_release(mproc__remote *remote);

const char *mproc__remote_address(const mproc__remote *remote);

/** Have a method of the object at `reference` called. As mproc_proxy_call. */
int mproc__remote_call(mproc__remote *remote, uint64_t reference, const char *method,
                       const mproc_args *args, mproc_value *ret_result, mproc_timeout timeout);

/** Have many called, all of which are the remote's. 0: each has its status. */
int mproc__remote_call_many(mproc__remote *remote, mproc_operation *operations, size_t count);

/* ---- proxies of what is there ---- */

/** Whose proxy it is; NULL: none of this process's. */
mproc__remote *mproc__remote_of(const struct mproc_object *object);

/** What it stands for there. */
uint64_t mproc__remote_reference(const struct mproc_object *object);

#endif
