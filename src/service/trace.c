/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c: see trace.h.
 */
#include "service/trace.h"

#include "base/alloc.h"
#include "base/status.h"

#include <apr_allocator.h>
#include <apr_file_io.h>
#include <apr_pools.h>
#include <apr_thread_mutex.h>
#include <stdio.h>
#include <string.h>

#define BUFFER ((size_t)32 << 10)
#define LONGEST_NAME ((size_t)128) /* in the file; longer ones are cut */
#define LONGEST_LINE ((size_t)512)

struct mproc__tracer {
    apr_allocator_t
        *allocator; // the pool's own, and ended with it: known here, for who looks for leaks
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex; // guards what follows
    apr_file_t *file;          // NULL: it could not be written to, and is given up
    size_t size;
    char lines[BUFFER];
};

static int fail_open(const char *path, apr_status_t status)
{
    char text[128];
    int rc = APR_STATUS_IS_ENOENT(status)   ? MPROC_ENOENT
             : APR_STATUS_IS_EACCES(status) ? MPROC_EACCES
             : APR_STATUS_IS_ENOMEM(status) ? MPROC_ENOMEM
                                            : MPROC_ESYSTEM;
    return mproc__fail(rc, "trace: cannot write to \"%s\": %s", path,
                       apr_strerror(status, text, sizeof(text)));
}

static apr_status_t open_file(mproc__tracer *tracer, const char *path, bool is_new)
{
    apr_int32_t flags = APR_FOPEN_WRITE | APR_FOPEN_APPEND | APR_FOPEN_CREATE;
    apr_status_t status = APR_EEXIST;
    if (!is_new) {
        status = apr_file_open(&tracer->file, path, flags | APR_FOPEN_EXCL, APR_FPROT_OS_DEFAULT,
                               tracer->pool);
    }
    bool is_there = APR_STATUS_IS_EEXIST(status);
    if (is_there) {
        flags |= is_new ? APR_FOPEN_TRUNCATE : 0;
        status = apr_file_open(&tracer->file, path, flags, APR_FPROT_OS_DEFAULT, tracer->pool);
    }
    if (status == APR_SUCCESS && (is_new || !is_there)) {
        status = apr_file_write_full(tracer->file, "[\n", 2, NULL);
    }
    return status;
}

int mproc__tracer_open(const char *path, bool is_new, mproc__tracer **ret_tracer)
{
    mproc__tracer *tracer = mproc__calloc(1, sizeof(*tracer));
    if (tracer == NULL) {
        return mproc__fail(MPROC_ENOMEM, "trace: out of memory");
    }
    apr_status_t status = apr_allocator_create(&tracer->allocator);
    if (status == APR_SUCCESS) {
        status = apr_pool_create_unmanaged_ex(&tracer->pool, NULL, tracer->allocator);
    }
    if (status == APR_SUCCESS) {
        apr_allocator_owner_set(tracer->allocator, tracer->pool);
        status = apr_thread_mutex_create(&tracer->mutex, APR_THREAD_MUTEX_DEFAULT, tracer->pool);
    }
    if (status == APR_SUCCESS) {
        status = open_file(tracer, path, is_new);
    }
    if (status != APR_SUCCESS) {
        int rc = fail_open(path, status);
        if (tracer->pool != NULL) {
            apr_pool_destroy(tracer->pool);
        } else if (tracer->allocator != NULL) {
            apr_allocator_destroy(tracer->allocator);
        }
        mproc__free(tracer);
        return rc;
    }
    *ret_tracer = tracer;
    return MPROC_OK;
}

/** Under the mutex. */
static void write_out(mproc__tracer *tracer)
{
    if (tracer->file != NULL &&
        apr_file_write_full(tracer->file, tracer->lines, tracer->size, NULL) != APR_SUCCESS) {
        (void)apr_file_close(tracer->file); // a part of a line may be there: no more after it
        tracer->file = NULL;
    }
    tracer->size = 0;
}

static void add(mproc__tracer *tracer, const char *lines)
{
    size_t size = strlen(lines);
    (void)apr_thread_mutex_lock(tracer->mutex);
    if (tracer->size + size > sizeof(tracer->lines)) {
        write_out(tracer);
    }
    memcpy(tracer->lines + tracer->size, lines, size);
    tracer->size += size;
    (void)apr_thread_mutex_unlock(tracer->mutex);
}

/** A name as JSON has it, cut between two characters if it is too long. */
static const char *quote(const char *name, char *text)
{
    size_t size = 0;
    size_t whole = 0; // so much of the text ends with a character
    for (const unsigned char *c = (const unsigned char *)name;; c++) {
        whole = (*c & 0xc0) == 0x80 ? whole : size;
        if (*c == '\0' || size + sizeof("\\u0000") > LONGEST_NAME) {
            break;
        }
        if (*c == '"' || *c == '\\') {
            text[size++] = '\\';
            text[size++] = (char)*c;
        } else if (*c < 0x20 || *c == 0x7f) {
            size += (size_t)snprintf(text + size, sizeof("\\u0000"), "\\u%04x", *c);
        } else {
            text[size++] = (char)*c;
        }
    }
    text[whole] = '\0';
    return text;
}

void mproc__tracer_name(mproc__tracer *tracer, int64_t pid, uint32_t thread, const char *name)
{
    char text[LONGEST_NAME];
    char line[LONGEST_LINE];
    if (tracer == NULL) {
        return;
    }
    (void)snprintf(line, sizeof(line),
                   "{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%lld,\"tid\":%u,"
                   "\"args\":{\"name\":\"%s\"}},\n",
                   thread == 0 ? "process_name" : "thread_name", (long long)pid, thread,
                   quote(name, text));
    add(tracer, line);
}

/** Where an arrow begins or ends: a thread, and a time within something it did. */
static void place(char *text, size_t size, int64_t pid, uint32_t thread, int64_t time)
{
    (void)snprintf(text, size, "\"pid\":%lld,\"tid\":%u,\"ts\":%.3f", (long long)pid, thread,
                   (double)time / 1000);
}

/** An arrow from the client's submission to the worker, or from there to what the client got. */
static int draw_arrow(char *out, size_t size, const mproc__task_trace *task, bool is_return)
{
    char client[96];
    char worker[96];
    const char *what = is_return ? "result" : "submit";
    place(client, sizeof(client), task->client_pid, task->client_thread,
          is_return ? task->returned : task->submitted);
    place(worker, sizeof(worker), task->worker_pid, task->worker_thread,
          is_return ? task->ended : task->started);
    return snprintf(out, size,
                    "{\"name\":\"%s\",\"cat\":\"client\",\"ph\":\"X\",%s,\"dur\":1},\n"
                    "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"s\",\"id\":%llu,%s},\n"
                    "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"f\",\"bp\":\"e\",\"id\":%llu,%s},\n",
                    what, client, what, what, (unsigned long long)task->id,
                    is_return ? worker : client, what, what, (unsigned long long)task->id,
                    is_return ? client : worker);
}

void mproc__tracer_task(mproc__tracer *tracer, const mproc__task_trace *task)
{
    char text[LONGEST_NAME];
    char lines[4 * LONGEST_LINE];
    if (tracer == NULL || task->started == 0) {
        return;
    }
    int n = draw_arrow(lines, sizeof(lines), task, false);
    n += snprintf(lines + n, sizeof(lines) - (size_t)n,
                  "{\"name\":\"%s\",\"cat\":\"task\",\"ph\":\"X\",\"pid\":%lld,\"tid\":%u,"
                  "\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"task\":%llu,\"items\":%llu,"
                  "\"status\":%d}},\n",
                  quote(task->name, text), (long long)task->worker_pid, task->worker_thread,
                  (double)task->started / 1000, (double)(task->ended - task->started) / 1000,
                  (unsigned long long)task->id, (unsigned long long)task->n_items, task->status);
    (void)draw_arrow(lines + n, sizeof(lines) - (size_t)n, task, true);
    add(tracer, lines);
}

void mproc__tracer_flush(mproc__tracer *tracer)
{
    if (tracer != NULL) {
        (void)apr_thread_mutex_lock(tracer->mutex);
        write_out(tracer);
        (void)apr_thread_mutex_unlock(tracer->mutex);
    }
}

void mproc__tracer_close(mproc__tracer *tracer)
{
    if (tracer != NULL) {
        mproc__tracer_flush(tracer);
        apr_pool_destroy(tracer->pool); // closes the file
        mproc__free(tracer);
    }
}
