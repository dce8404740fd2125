/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h: how far something has come, on a terminal or in a log.
 *
 *     mproc__progress progress;
 *     mproc__progress_begin(&progress, "hashing", n, 2);
 *     ...  mproc__progress_update(&progress, ++done);
 *     mproc__progress_end(&progress);
 *
 *     hashing  42% [########            ]  420/1000  140/s  0:03  0:04 left
 *
 * A terminal has one line, drawn anew ten times a second at most. Elsewhere, lines come now and then: at the begin, at the
 * end, and in between when another tenth is done, though not twice a second, or after five seconds, later after a tenth of
 * the time that has passed. One thread at a time uses a progress.
 */
#ifndef MPROC_SERVICE_PROGRESS_H
#define MPROC_SERVICE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/deadline.h"

/** It is not known how much there is to do. */
#define MPROC__PROGRESS_UNKNOWN UINT64_MAX

/** The longest line, in bytes, with its end. */
#define MPROC__PROGRESS_LINE 512

/** What a line says. */
typedef struct mproc__progress_state {
    char label[64]; /**< without control characters */
    uint64_t done;
    uint64_t total;     /**< or MPROC__PROGRESS_UNKNOWN */
    double per_second;  /**< lately; 0: not known yet */
    int64_t elapsed_ns; /**< since it began */
    int64_t idle_ns;    /**< since something was done last */
    bool is_over;       /**< nothing more will be done */
} mproc__progress_state;

/** Zero: nothing is shown. */
typedef struct mproc__progress {
    mproc__progress_state state; /**< its total may become known meanwhile */
    int64_t due;                 /**< when it may be time for another line, as mplat_now tells it */
    int stream;                  /**< where to: 1 or 2; or 0, and then: */
    int columns;                 /**< 0: no terminal */
    void (*write)(void *arg, const char *text, size_t size);
    void *arg;
    int64_t began, drawn, moved; /**< begin, last line, and last time that more was done */
    uint64_t drawn_done, moved_done;
    int width; /**< of what the terminal's line has */
} mproc__progress;

/**
 * Begin, and draw.
 *
 * @param label   what is done, copied; NULL: nothing is said
 * @param total   how much is to be done, or MPROC__PROGRESS_UNKNOWN
 * @param stream  1 or 2, as mplat_terminal_columns takes it; 0: nothing is shown
 */
void mproc__progress_begin(mproc__progress *progress, const char *label, uint64_t total,
                           int stream);

/** So much is done by now, of `total` if that was known; may also be what it was. Costs a look at the clock. */
void mproc__progress_update(mproc__progress *progress, uint64_t done);

/** Draw for the last time, and end the line. After that, nothing is shown. */
void mproc__progress_end(mproc__progress *progress);

/** Whether anything is shown. */
bool mproc__progress_is_on(const mproc__progress *progress);

/** How long who waits until `deadline` may wait before the next update. */
mproc__deadline mproc__progress_until(const mproc__progress *progress, mproc__deadline deadline);

/* What these are made of, for tests: no clock, no stream. */

/** As mproc__progress_begin; `columns`, `write` and `arg` are set, and `stream` is 0. */
void mproc__progress_begin_at(mproc__progress *progress, const char *label, uint64_t total,
                              int64_t now);
void mproc__progress_update_at(mproc__progress *progress, uint64_t done, int64_t now);
void mproc__progress_end_at(mproc__progress *progress, int64_t now);

/** A terminal's line of at most `width` columns. How many it has. */
int mproc__progress_bar(const mproc__progress_state *state, int width,
                        char ret_line[MPROC__PROGRESS_LINE]);

/** A plain line, without its end. */
void mproc__progress_plain(const mproc__progress_state *state, char ret_line[MPROC__PROGRESS_LINE]);

#endif
