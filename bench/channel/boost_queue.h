/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boost_queue.h: Boost.Interprocess message_queue, as C sees it.
 */
#ifndef MPROC_BENCH_BOOST_QUEUE_H
#define MPROC_BENCH_BOOST_QUEUE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A queue of a name that is gone at once: forked children have it as well. NULL: it cannot be made. */
void *boost_queue_create(size_t depth, size_t size);
void boost_queue_destroy(void *queue);
int boost_queue_put(void *queue, const void *data, size_t size);
int boost_queue_get(void *queue, void *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif
