/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.c: status names, and the sentence behind the last error of each thread.
 */
#include "base/status.h"

#include "platform.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static MPROC__THREAD_LOCAL char last_error[512];

const char *mproc_strerror(int status)
{
    static const char *const names[] = {
        "success",
        "invalid argument",
        "out of memory",
        "timed out",
        "not supported",
        "wrong type",
        "wrong number of arguments",
        "number out of range",
        "malformed data",
        "too large",
        "out of descriptors",
        "out of processes",
        "access denied",
        "not found",
        "wrong state",
        "mproc_main was not called",
        "program cannot be executed",
        "child died in its start",
        "another build",
        "other threads run",
        "peer is gone",
        "shared memory is corrupt",
        "unknown",
        "no space left",
        "system error",
        "poisoned lock",
        "exists already",
        "broken barrier, latch or pool",
        "closed",
        "worker died",
        "cancelled",
        "interrupted",
    };
    if (status == MPROC_OWNER_DIED) {
        return "last owner died";
    }
    if (status > 0) {
        return names[0];
    }
    // -(status + 1) cannot overflow, -status can.
    size_t index = (size_t)(-(status + 1)) + 1;
    return status == 0 ? names[0] : index < MPROC__COUNT(names) ? names[index] : "no such status";
}

const char *mproc_last_error(void)
{
    return last_error;
}

void mproc__forget_error(void)
{
    last_error[0] = '\0';
}

int mproc_perror(const char *what)
{
    const char *story = last_error[0] != '\0' ? last_error : "no error";
    if (what != NULL) {
        fprintf(stderr, "%s: %s\n", what, story);
    } else {
        fprintf(stderr, "%s\n", story);
    }
    return 1;
}

int(mproc__fail)(int status, const char *format, ...)
{
    // By way of a copy, since the last error itself may be among the arguments.
    char text[sizeof(last_error)];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)snprintf(last_error, sizeof(last_error), "%s", text);
    return status;
}

int(mproc__fail_shortly)(int status, const char *sentence)
{
    size_t size = strlen(sentence);
    memcpy(last_error, sentence, size < sizeof(last_error) ? size + 1 : 0);
    return status;
}

int mproc__fail_os(int os_error, const char *format, ...)
{
    char text[sizeof(last_error) / 2];
    char words[sizeof(last_error) / 4];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int status = mplat_error(os_error, words, sizeof(words));
    (void)snprintf(last_error, sizeof(last_error), "%s: %s (system error %d)", text, words,
                   os_error);
    return status;
}
