/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracing.c: see tracing.h.
 */
#include "service/tracing.h"

#include "base/alloc.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "mproc/log.h"
#include "mproc/process.h"
#include "object/process.h"
#include "service/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A file that this process adds to, until it ends. */
struct file {
    struct file *next;
    mproc__tracer *tracer; // NULL: it could not be opened
    char path[1];
};

static struct file *files; // private lock; none is ever taken out

static void forget(void)
{
    files = NULL; // what they have not written yet is the original's
}

static void flush_all(void)
{
    for (struct file *file = files; file != NULL; file = file->next) {
        mproc__tracer_flush(file->tracer);
    }
}

static struct file *find_locked(const char *path)
{
    struct file *file = files;
    while (file != NULL && strcmp(file->path, path) != 0) {
        file = file->next;
    }
    return file;
}

/** The file of a path, opened by this process for the first time if need be. NULL: no memory. */
static struct file *file_of(const char *path, bool is_new)
{
    static bool is_known;
    mproc__private_lock();
    struct file *file = find_locked(path);
    mproc__private_unlock();
    if (file != NULL) {
        return file;
    }
    size_t size = strlen(path);
    struct file *made = mproc__calloc(1, sizeof(*made) + size);
    if (made == NULL) {
        (void)mproc__fail(MPROC_ENOMEM, "trace: out of memory");
        return NULL;
    }
    memcpy(made->path, path, size);
    if (mproc__tracer_open(path, is_new, &made->tracer) < 0) {
        made->tracer = NULL;
    }
    mproc__private_lock();
    if (!is_known) {
        is_known = true;
        mproc__on_forget(forget);
        mproc__on_shutdown(flush_all);
    }
    file = find_locked(path);
    if (file == NULL) {
        made->next = files;
        file = files = made;
        made = NULL;
    }
    mproc__private_unlock();
    if (made != NULL) { // another thread was quicker; it has named the process, too
        mproc__tracer_close(made->tracer);
        mproc__free(made);
    } else {
        mproc__tracer_name(file->tracer, mplat_pid(), 0, mproc_process_name(NULL));
    }
    return file;
}

static uint64_t *path_word(uint64_t pool)
{
    return mproc__block_slot(pool, MPROC__POOL_TRACE);
}

static mproc__tracer *tracer_of(const mproc__tasks *tasks)
{
    uint64_t block = mproc__load64_acquire(path_word(tasks->offset));
    const struct file *file = block != 0 ? file_of(mproc__block_at(block), false) : NULL;
    return file != NULL ? file->tracer : NULL;
}

int mproc__tracing_begin(uint64_t pool, const char *path)
{
    const char *wish = path != NULL ? path : getenv("MPROC_TRACE");
    if (wish == NULL || wish[0] == '\0') {
        return MPROC_OK;
    }
    // The family's first process begins the file anew, once; all others, and later pools, go on with it.
    const struct file *file = file_of(wish, mproc_parent_process() == NULL);
    if (file == NULL || file->tracer == NULL) {
        if (path != NULL) {
            return mproc__fail(MPROC_EACCES, "trace: cannot write to \"%s\"", wish);
        }
        mproc_log(MPROC_LOG_WARNING, "MPROC_TRACE: cannot write to \"%s\"", wish);
        return MPROC_OK;
    }
    mproc__hold hold;
    size_t size = strlen(wish) + 1;
    int rc = mproc__block_create(MPROC__KIND_TASKS, size, 0, false, &hold);
    if (rc >= 0) {
        memcpy(mproc__block_at(hold.offset), wish, size);
        uint64_t *word = path_word(pool);
        mproc__block_hand_in(hold, word, word, hold.offset);
        ((struct mproc__pool_shm *)mproc__block_at(pool))->is_traced = 1;
    }
    return rc;
}

void mproc__tracing_name(mproc__tasks *tasks, const char *name)
{
    if (tasks->shm->is_traced != 0) {
        mproc__tracer *tracer = tracer_of(tasks);
        mproc__tracer_name(tracer, mplat_pid(), mplat_thread_number(), name);
        mproc__tracer_flush(tracer);
    }
}

/** How a task is called: by its options, or by where its function lies. */
static void find_name(const mproc__tasks *tasks, const struct mproc__slot_shm *slot,
                      const struct mproc__cold_shm *cold, char *text, size_t size)
{
    const struct mproc__functions_shm *functions = tasks->functions;
    if (cold->name[0] != '\0') {
        (void)snprintf(text, size, "%.63s", cold->name);
    } else if (slot->function < mproc__load32_acquire(&functions->n_functions)) {
        (void)snprintf(text, size, "task +0x%llx",
                       (unsigned long long)functions->function[slot->function].distance);
    } else {
        (void)snprintf(text, size, "task");
    }
}

void mproc__tracing_tell(mproc__tasks *tasks, uint32_t index)
{
    const struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    if ((slot->flags & MPROC__TASK_TIMED) == 0) {
        return;
    }
    const struct mproc__cold_shm *cold = mproc__cold_at(tasks, index, false);
    mproc__tracer *tracer = cold != NULL ? tracer_of(tasks) : NULL;
    if (tracer == NULL) {
        return;
    }
    char name[64];
    find_name(tasks, slot, cold, name, sizeof(name));
    int64_t now = mplat_now();
    uint64_t generation = mproc__load64_relaxed(&slot->state) >> 32;
    const mproc__task_trace task = {
        .name = name,
        .id = generation << 24 | index,
        .submitted = cold->submitted_ns,
        .started = cold->started_ns,
        .ended = cold->ended_ns >= cold->started_ns ? cold->ended_ns : now, // it has died
        .returned = now,
        .client_pid = mplat_pid(),
        .client_thread = mplat_thread_number(),
        .worker_pid = (int64_t)cold->worker_pid,
        .worker_thread = cold->worker_thread,
        .status = slot->status,
    };
    mproc__tracer_task(tracer, &task);
}

void mproc__tracing_flush(const mproc__tasks *tasks)
{
    if (tasks->shm->is_traced != 0) {
        mproc__tracer_flush(tracer_of(tasks));
    }
}
