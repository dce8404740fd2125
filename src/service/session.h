/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h: what a manager's server has of one client.
 *
 * Why       A client names objects by references, which mean something in its session only: it cannot name what it
 *           was not given. What it has done that somebody else might wait for is known here, so that it is undone when
 *           the client is gone.
 * Layout    The server's memory. A reference is the object's kind, a generation, and a place in a table plus one; the
 *           generation keeps a reference that was given back from naming the next object of that place.
 * Locks     none: a session is its thread's alone, or parked (manager_server.c)
 * Death     Of the client: mproc__session_free drops its references and gives back its permits. Its locks are those of
 *           its thread, which ends: a robust lock finds that out itself, and a session that has any keeps its thread.
 */
#ifndef MPROC_SERVICE_SESSION_H
#define MPROC_SERVICE_SESSION_H

#include "mproc/manager.h"

typedef struct mproc__session mproc__session;

/** A session of a client; the connection is the session's from here on, also on failure. 0 or MPROC_ENOMEM. */
int mproc__session_create(mproc_manager *manager, mproc_connection *connection,
                          mproc__session **ret_session);

/** Its end; NULL is fine. */
void mproc__session_free(mproc__session *session);

mproc_connection *mproc__session_connection(const mproc__session *session);

/**
 * Take in a request if there is one in time, carry it out, and answer it.
 *
 * @return 0; MPROC_ETIMEDOUT (there was none); another negative status: the client is gone, or is to go
 */
int mproc__session_serve(mproc__session *session, mproc_timeout timeout);

/** Whether the client is gone, or breaks the rule that it asks one thing at a time; by the session's thread. */
bool mproc__session_is_cut(mproc__session *session);

#endif
