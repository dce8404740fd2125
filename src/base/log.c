/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c: levels, lines, and where they go.
 *
 * Threads  There is no lock: a thread that logs reads two words, and no other thread, nor a copy of this process, can be
 *          kept waiting by what becomes of it. A handler is published whole, by one pointer, and never freed, for who is
 *          calling it is not known; the same one is not made twice.
 */
#include "base/log.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "platform.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With its end; a pipe takes as much at once on every system. */
#define LINE_BYTES 1025

typedef struct handler {
    mproc_log_fn fn;
    void *arg;
    struct handler *next;
} handler;

int mproc_log_threshold = INT_MAX;

static uint64_t current;  // a handler *; 0: stderr
static uint64_t handlers; // all there have been
static uint64_t namer;    /* a function that returns it; atomic */
static MPROC__THREAD_LOCAL bool is_in_handler;

static const struct {
    int level;
    const char *name;
} levels[] = {
    {MPROC_LOG_SUBDEBUG, "SUBDEBUG"}, {MPROC_LOG_DEBUG, "DEBUG"},
    {MPROC_LOG_INFO, "INFO"},         {MPROC_LOG_SUBWARNING, "SUBWARNING"},
    {MPROC_LOG_WARNING, "WARNING"},   {MPROC_LOG_ERROR, "ERROR"},
    {MPROC_LOG_CRITICAL, "CRITICAL"},
};

static handler *handler_at(const uint64_t *word)
{
    return (handler *)(uintptr_t)mproc__load64_acquire(word);
}

static const char *name_of_process(void)
{
    const char *(*name)(void) = (const char *(*)(void))(uintptr_t)mproc__load64_acquire(&namer);
    return name != NULL ? name() : "MainProcess";
}

void mproc__log_set_namer(const char *(*new_namer)(void))
{
    mproc__store64_release(&namer, (uint64_t)(uintptr_t)new_namer);
}

bool mproc__log_is_to_stderr(void)
{
    return handler_at(&current) == NULL;
}

static void set_threshold(int level)
{
    mproc__store32_relaxed((uint32_t *)&mproc_log_threshold,
                           (uint32_t)(level == MPROC_LOG_OFF ? INT_MAX : level));
}

int mproc_log_get_level(void)
{
    int level = MPROC_LOAD(mproc_log_threshold);
    return level == INT_MAX ? MPROC_LOG_OFF : level;
}

int mproc_log_set_level(int level)
{
    if (level < 0) {
        return mproc__fail(MPROC_EINVAL, "log: a level of %d", level);
    }
    set_threshold(level);
    return MPROC_OK;
}

int mproc_log_to_stderr(int level)
{
    int rc = mproc_log_set_level(level);
    return rc < 0 ? rc : mproc_log_set_handler(NULL, NULL);
}

int mproc_log_set_handler(mproc_log_fn fn, void *arg)
{
    handler *found = fn != NULL ? handler_at(&handlers) : NULL;
    while (found != NULL && (found->fn != fn || found->arg != arg)) {
        found = found->next;
    }
    if (found == NULL && fn != NULL) {
        found = mproc__calloc(1, sizeof(*found));
        if (found == NULL) {
            return mproc__fail(MPROC_ENOMEM, "no memory for a log's handler");
        }
        *found = (handler){fn, arg, handler_at(&handlers)};
        uint64_t first = (uintptr_t)found->next;
        while (!mproc__cas64(&handlers, &first, (uintptr_t)found)) {
            found->next = (handler *)(uintptr_t)first;
        }
    }
    mproc__store64_release(&current, (uintptr_t)found);
    return MPROC_OK;
}

/** "INFO", or as Python says it: "Level 21". */
static const char *name_of(int level, char *text, size_t size)
{
    for (size_t i = 0; i < MPROC__COUNT(levels); i++) {
        if (levels[i].level == level) {
            return levels[i].name;
        }
    }
    (void)snprintf(text, size, "Level %d", level);
    return text;
}

/** Whatever the handler does, the caller finds things as they were. */
static void call(const handler *to, int level, const char *line)
{
    char story[512];
    (void)snprintf(story, sizeof(story), "%s", mproc_last_error());
    is_in_handler = true;
    to->fn(level, line, to->arg);
    is_in_handler = false;
    (void)mproc__fail(MPROC_OK, "%s", story);
}

void mproc_log_write(int level, const char *format, ...)
{
    char line[LINE_BYTES];
    char number[32];
    if (is_in_handler) {
        return; // its lines would have no end
    }
    int error = errno;
    int head = snprintf(line, sizeof(line) - 1, "[%s/%s] ", name_of(level, number, sizeof(number)),
                        name_of_process());
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + head, sizeof(line) - 1 - (size_t)head, format, args);
    va_end(args);
    const handler *to = handler_at(&current);
    if (to != NULL) {
        call(to, level, line);
    } else {
        size_t size = strlen(line);
        line[size] = '\n';
        mplat_terminal_write(2, line, size + 1);
    }
    errno = error;
}

static bool is_same_word(const char *a, const char *b)
{
    while (*a != '\0' && toupper((unsigned char)*a) == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/** The level that a text names; what is neither a name nor a number asks for lines, at least. */
static int level_of(const char *text)
{
    char *end;
    for (size_t i = 0; i < MPROC__COUNT(levels); i++) {
        if (is_same_word(text, levels[i].name)) {
            return levels[i].level;
        }
    }
    long number = strtol(text, &end, 10);
    if (*end != '\0') {
        return is_same_word(text, "OFF") ? MPROC_LOG_OFF : MPROC_LOG_INFO;
    }
    return number <= 0 ? MPROC_LOG_OFF : number < INT_MAX ? (int)number : INT_MAX;
}

void mproc__log_inherit(int level, bool to_stderr)
{
    set_threshold(to_stderr || !mproc__log_is_to_stderr() ? level : MPROC_LOG_OFF);
}

void mproc__log_begin(void)
{
    const char *text = getenv("MPROC_LOG");
    is_in_handler = false;
    if (text != NULL && mproc_log_get_level() == MPROC_LOG_OFF) {
        set_threshold(level_of(text));
    }
}
