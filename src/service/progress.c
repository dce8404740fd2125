/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.c: when to say how far something has come, and how fast it goes.
 */
#include "service/progress.h"

#include "platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S ((int64_t)1000000000)
#define REDRAW_NS (NS_PER_S / 10)
#define PLAIN_MIN_NS (NS_PER_S / 2)
#define PLAIN_MAX_NS (5 * NS_PER_S)

/* What was done longer ago than this counts for little in the rate. */
#define MEMORY_NS (10 * NS_PER_S)

static void copy_label(char *ret_label, size_t size, const char *label)
{
    size_t n = 0;
    for (; label != NULL && label[n] != '\0' && n < size - 1; n++) {
        unsigned char c = (unsigned char)label[n];
        ret_label[n] = c < ' ' || c == 0x7F ? '?' : label[n];
    }
    // Of a character that does not fit, nothing is left.
    if (label != NULL && ((unsigned char)label[n] & 0xC0) == 0x80) {
        while (n > 0 && ((unsigned char)ret_label[n - 1] & 0xC0) == 0x80) {
            n--;
        }
        n -= n > 0 ? 1 : 0;
    }
    ret_label[n] = '\0';
}

/** A mean that forgets: of all that was done at first, later of the last seconds above all. */
static void measure(mproc__progress *progress, int64_t now)
{
    mproc__progress_state *state = &progress->state;
    int64_t elapsed = now - progress->began;
    int64_t since = now - progress->moved;
    if (state->done > progress->moved_done && since > 0) {
        double rate =
            (double)(state->done - progress->moved_done) * (double)NS_PER_S / (double)since;
        double memory = (double)(elapsed < MEMORY_NS ? elapsed : MEMORY_NS);
        double weight = (double)since / memory;
        weight = weight < 1 ? weight : 1;
        state->per_second += weight * (rate - state->per_second);
        progress->moved = now;
        progress->moved_done = state->done;
    }
    state->elapsed_ns = elapsed;
    state->idle_ns = now - progress->moved;
}

static void write_out(const mproc__progress *progress, const char *text, size_t size)
{
    if (progress->stream != 0) {
        mplat_terminal_write(progress->stream, text, size);
    } else {
        progress->write(progress->arg, text, size);
    }
}

/** The line anew, over what there is. `end` comes behind it. */
static void draw_bar(mproc__progress *progress, const char *end)
{
    char line[MPROC__PROGRESS_LINE];
    char text[2 * MPROC__PROGRESS_LINE];
    if (progress->stream != 0) {
        // Its window may have another width now; or be gone, which is no reason to change the manner.
        int columns = mplat_terminal_columns(progress->stream);
        progress->columns = columns > 0 ? columns : progress->columns;
    }
    // Not the last column: behind it, some terminals begin another line.
    int most = progress->columns - 1 < MPROC__PROGRESS_LINE / 2 ? progress->columns - 1
                                                                : MPROC__PROGRESS_LINE / 2;
    int width = mproc__progress_bar(&progress->state, most, line);
    int before = progress->width < most ? progress->width : most;
    int n = snprintf(text, sizeof(text), "\r%s%*s%s", line, before > width ? before - width : 0, "",
                     end);
    progress->width = width;
    if (n > 0) {
        write_out(progress, text, (size_t)n);
    }
}

static void draw_plain(mproc__progress *progress)
{
    char line[MPROC__PROGRESS_LINE];
    char text[MPROC__PROGRESS_LINE + 2];
    mproc__progress_plain(&progress->state, line);
    int n = snprintf(text, sizeof(text), "%s\n", line);
    if (n > 0) {
        write_out(progress, text, (size_t)n);
    }
}

static void draw(mproc__progress *progress, int64_t now, const char *end)
{
    if (progress->columns > 0) {
        draw_bar(progress, end);
    } else {
        draw_plain(progress);
    }
    progress->drawn = now;
    progress->drawn_done = progress->state.done;
}

/** Whether a plain line is worth while: a tenth more is done, or it was long ago. */
static bool is_news(const mproc__progress *progress, int64_t now)
{
    const mproc__progress_state *state = &progress->state;
    int64_t elapsed = now - progress->began;
    int64_t longest = elapsed / 10 > PLAIN_MAX_NS ? elapsed / 10 : PLAIN_MAX_NS;
    if (now - progress->drawn >= longest) {
        return true;
    }
    // A total below ten has no tenths but those it has.
    return state->total != MPROC__PROGRESS_UNKNOWN && state->total > 0 &&
           (double)state->done / (double)state->total * 10 >=
               (double)(int)((double)progress->drawn_done / (double)state->total * 10) + 1;
}

void mproc__progress_begin_at(mproc__progress *progress, const char *label, uint64_t total,
                              int64_t now)
{
    progress->state = (mproc__progress_state){.total = total};
    copy_label(progress->state.label, sizeof(progress->state.label), label);
    progress->began = now;
    progress->moved = now;
    progress->moved_done = 0;
    progress->width = 0;
    draw(progress, now, "");
    progress->due = now + (progress->columns > 0 ? REDRAW_NS : PLAIN_MIN_NS);
}

void mproc__progress_update_at(mproc__progress *progress, uint64_t done, int64_t now)
{
    progress->state.done = done;
    if (now < progress->due) {
        return;
    }
    measure(progress, now);
    if (progress->columns > 0) {
        draw(progress, now, "");
        progress->due = now + REDRAW_NS;
    } else {
        if (is_news(progress, now)) {
            draw(progress, now, "");
        }
        progress->due = now + PLAIN_MIN_NS;
    }
}

void mproc__progress_end_at(mproc__progress *progress, int64_t now)
{
    mproc__progress_state *state = &progress->state;
    measure(progress, now);
    state->is_over = true;
    // In the end it is of interest how fast all of it went.
    if (state->elapsed_ns > 0) {
        state->per_second = (double)state->done * (double)NS_PER_S / (double)state->elapsed_ns;
    }
    draw(progress, now, "\n");
}

void mproc__progress_begin(mproc__progress *progress, const char *label, uint64_t total, int stream)
{
    *progress = (mproc__progress){.stream = stream};
    if (stream != 0) {
        progress->columns = mplat_terminal_columns(stream);
        mproc__progress_begin_at(progress, label, total, mplat_now());
    }
}

void mproc__progress_update(mproc__progress *progress, uint64_t done)
{
    if (mproc__progress_is_on(progress)) {
        mproc__progress_update_at(progress, done, mplat_now());
    }
}

void mproc__progress_end(mproc__progress *progress)
{
    if (mproc__progress_is_on(progress)) {
        mproc__progress_end_at(progress, mplat_now());
        progress->stream = 0;
    }
}

bool mproc__progress_is_on(const mproc__progress *progress)
{
    return progress->stream != 0;
}

mproc__deadline mproc__progress_until(const mproc__progress *progress, mproc__deadline deadline)
{
    return mproc__progress_is_on(progress) ? mproc__deadline_slice(deadline, REDRAW_NS) : deadline;
}
