/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imap_window.h: how far the source of an imap is ahead of who takes the results. Numbers only.
 *
 * Always   n_handed <= n_taken <= n_handed + size
 */
#ifndef MPROC_SERVICE_IMAP_WINDOW_H
#define MPROC_SERVICE_IMAP_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mproc__window {
    size_t size;  /**< items */
    size_t chunk; /**< of which so many are taken at a time */
    size_t
        batch; /**< and not before there is room for so many: to be woken for each would cost more */
    size_t n_taken, n_handed;
    bool is_exhausted; /**< the source has no more */
} mproc__window;

/** `*chunk` gets no larger than the window; size 0: `n_chunks` of them. */
static inline void mproc__window_init(mproc__window *window, size_t *chunk, size_t size,
                                      size_t n_chunks)
{
    *chunk = size != 0 && *chunk > size ? size : *chunk;
    window->size = size != 0 ? size : *chunk * n_chunks;
    window->chunk = *chunk;
    window->batch = window->size / 4 > *chunk ? window->size / 4 : *chunk;
    window->n_taken = window->n_handed = 0;
    window->is_exhausted = false;
}

/** How many items are to be taken for one more piece; 0: none just now. */
static inline size_t mproc__window_more(const mproc__window *window)
{
    const size_t free = window->size - (window->n_taken - window->n_handed);
    return !window->is_exhausted && free >= window->chunk ? window->chunk : 0;
}

/** The same, if it is worth while to begin; or in any case, if nothing is under way. */
static inline size_t mproc__window_room(const mproc__window *window, bool is_idle)
{
    const size_t free = window->size - (window->n_taken - window->n_handed);
    return is_idle || free >= window->batch ? mproc__window_more(window) : 0;
}

static inline void mproc__window_took(mproc__window *window, size_t count, bool is_end)
{
    window->n_taken += count;
    window->is_exhausted = window->is_exhausted || is_end;
}

static inline void mproc__window_handed(mproc__window *window)
{
    window->n_handed++;
}

#endif
