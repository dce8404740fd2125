/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress_line.c: what the lines of a progress look like.
 */
#include "service/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S ((int64_t)1000000000)
#define BAR_MIN 5
#define BAR_MAX 40

/* Times beyond this, about 30 years, are not told. */
#define LONGEST_S 1e9

static bool is_known(const mproc__progress_state *state)
{
    return state->total != MPROC__PROGRESS_UNKNOWN;
}

/** How much of `whole` is done; all of nothing is. */
static int part_of(const mproc__progress_state *state, int whole)
{
    if (state->done >= state->total) {
        return whole;
    }
    return (int)((double)state->done / (double)state->total * whole);
}

/** "0:03", "1:02:03" */
static void format_time(int64_t seconds, char *ret_text, size_t size)
{
    int64_t hours = seconds / 3600;
    int minutes = (int)(seconds / 60 % 60);
    int rest = (int)(seconds % 60);
    if (hours > 0) {
        (void)snprintf(ret_text, size, "%" PRId64 ":%02d:%02d", hours, minutes, rest);
    } else {
        (void)snprintf(ret_text, size, "%d:%02d", minutes, rest);
    }
}

/** "0.25/s", "3.1/s", "140/s", "12.3k/s"; "" when it is not known. */
static void format_rate(double rate, char *ret_text, size_t size)
{
    static const char units[] = " kMGT";
    size_t unit = 0;
    for (; rate >= 999.5 && units[unit + 1] != '\0'; unit++) {
        rate /= 1000;
    }
    int digits = rate < 0.995 ? 2 : rate < 99.95 ? 1 : 0;
    if (rate <= 0) {
        ret_text[0] = '\0';
    } else if (unit == 0) {
        (void)snprintf(ret_text, size, "%.*f/s", digits, rate);
    } else {
        (void)snprintf(ret_text, size, "%.*f%c/s", digits, rate, units[unit]);
    }
}

/** How long the rest will take, if that can be told. */
static bool find_left(const mproc__progress_state *state, int64_t *ret_seconds)
{
    bool is_done = state->is_over || state->done >= state->total;
    if (!is_known(state) || is_done || state->per_second <= 0) {
        return false;
    }
    double left = (double)(state->total - state->done) / state->per_second -
                  (double)state->idle_ns / (double)NS_PER_S;
    *ret_seconds = left <= 0 ? 0 : left < LONGEST_S ? (int64_t)(left + 0.5) : 0;
    return left < LONGEST_S;
}

/** The parts of a line; those that cannot be told are empty. */
typedef struct parts {
    char count[48], percent[8], rate[32], elapsed[32], left[32];
} parts;

static parts parts_of(const mproc__progress_state *state)
{
    parts made = {.count = ""};
    int64_t left = 0;
    (void)snprintf(made.count, sizeof(made.count), "%" PRIu64, state->done);
    if (is_known(state)) {
        // As wide as the total, so that what follows stays where it is.
        char total[24];
        int width = snprintf(total, sizeof(total), "%" PRIu64, state->total);
        (void)snprintf(made.count, sizeof(made.count), "%*" PRIu64 "/%s", width, state->done,
                       total);
        (void)snprintf(made.percent, sizeof(made.percent), "%3d%%", part_of(state, 100));
    }
    format_rate(state->per_second, made.rate, sizeof(made.rate));
    format_time(state->elapsed_ns / NS_PER_S, made.elapsed, sizeof(made.elapsed));
    if (find_left(state, &left)) {
        format_time(left, made.left, sizeof(made.left));
    }
    return made;
}

/** Columns: all bytes but those that continue a character. (Characters of two columns count as one.) */
static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text++) {
        columns += ((unsigned char)*text & 0xC0) != 0x80 ? 1 : 0;
    }
    return columns;
}

static void append(char line[MPROC__PROGRESS_LINE], const char *space, const char *part,
                   const char *unit)
{
    size_t length = strlen(line);
    if (part[0] != '\0') {
        (void)snprintf(line + length, MPROC__PROGRESS_LINE - length, "%s%s%s",
                       length > 0 ? space : "", part, unit);
    }
}

/** What stands behind the bar. */
static void append_tail(char line[MPROC__PROGRESS_LINE], const parts *made)
{
    append(line, "  ", made->count, "");
    append(line, "  ", made->rate, "");
    append(line, "  ", made->elapsed, "");
    append(line, "  ", made->left, " left");
}

static void append_bar(char line[MPROC__PROGRESS_LINE], const mproc__progress_state *state,
                       int width)
{
    static const char full[] = "########################################";
    int n_full = part_of(state, width);
    size_t length = strlen(line);
    (void)snprintf(line + length, MPROC__PROGRESS_LINE - length, " [%.*s%*s]", n_full, full,
                   width - n_full, "");
}

/** Cut to so many columns. */
static void cut(char *line, int width)
{
    for (int columns = 0; *line != '\0'; line++) {
        columns += ((unsigned char)*line & 0xC0) != 0x80 ? 1 : 0;
        if (columns > width) {
            *line = '\0';
            return;
        }
    }
}

int mproc__progress_bar(const mproc__progress_state *state, int width,
                        char ret_line[MPROC__PROGRESS_LINE])
{
    const parts made = parts_of(state);
    char tail[MPROC__PROGRESS_LINE] = "";
    append_tail(tail, &made);
    ret_line[0] = '\0';
    append(ret_line, "", state->label, "");
    append(ret_line, " ", made.percent, "");
    int room = width - columns_of(ret_line) - columns_of(tail) - (int)strlen(" []  ");
    if (is_known(state) && room >= BAR_MIN) {
        append_bar(ret_line, state, room < BAR_MAX ? room : BAR_MAX);
    }
    append(ret_line, "  ", tail, "");
    // What is left out first when there is no room: the label, then what comes last.
    if (columns_of(ret_line) > width) {
        ret_line[0] = '\0';
        append(ret_line, "", made.percent[0] == ' ' ? made.percent + 1 : made.percent, "");
        append(ret_line, "  ", tail, "");
    }
    cut(ret_line, width);
    return columns_of(ret_line);
}

void mproc__progress_plain(const mproc__progress_state *state, char ret_line[MPROC__PROGRESS_LINE])
{
    const parts made = parts_of(state);
    ret_line[0] = '\0';
    append(ret_line, "", state->label, ":");
    append(ret_line, " ", made.count + strspn(made.count, " "), "");
    if (made.percent[0] != '\0') {
        append(ret_line, " (", made.percent + strspn(made.percent, " "), ")");
    }
    append(ret_line, ", ", made.rate, "");
    append(ret_line, ", ", made.elapsed, " so far");
    append(ret_line, ", ", made.left, " left");
}
