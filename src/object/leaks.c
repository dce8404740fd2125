/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leaks.c: see leaks.h.
 *
 * Locks  the list is under the private lock. Nothing is printed with that: to name places in the code
 *        the system takes locks of its own.
 */
#include "object/leaks.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "family/block.h"
#include "family/family.h"
#include "family/segment.h"
#include "mproc/named_lock.h"
#include "mproc/shared_memory.h"
#include "mproc/process.h"
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 24

/* More are counted only. */
#define MOST_REPORTED 100

struct mproc__trace {
    struct mproc__trace *next; /* in the order of opening, in a ring */
    struct mproc__trace *previous;
    const struct mproc_object *object;
    size_t n_frames;
    const void *frames[FRAMES];
};

/** What the report says of one. */
typedef struct leak {
    uint32_t kind;
    uint64_t size;
    char name[MPLAT_SEGMENT_NAME]; /* "": none */
    size_t n_frames;
    const void *frames[FRAMES];
} leak;

static struct mproc__trace ring = {.next = &ring, .previous = &ring};
static uint32_t is_used; /* something has been noted: there is a private lock */
static uint32_t is_told; /* the report has been made */

static void take_out(struct mproc__trace *trace)
{
    trace->previous->next = trace->next;
    trace->next->previous = trace->previous;
    trace->next = trace->previous = trace;
}

/** In a copy of this process: these are the original's, each in a ring of its own until it is closed. */
static void forget(void)
{
    while (ring.next != &ring) {
        take_out(ring.next);
    }
    is_told = 0;
}

void mproc__leaks_note_slowly(struct mproc_object *object)
{
    mproc__leaks_watch_exit();
    struct mproc__trace *trace = mproc__malloc(sizeof(*trace));
    if (trace == NULL) {
        return;
    }
    trace->object = object;
    trace->n_frames = mplat_stack(trace->frames, FRAMES);
    mproc__private_lock();
    if (!is_used) {
        mproc__store32_release(&is_used, 1);
        mproc__on_forget(forget);
    }
    trace->next = &ring;
    trace->previous = ring.previous;
    ring.previous->next = trace;
    ring.previous = trace;
    object->trace = trace;
    mproc__private_unlock();
}

void mproc__leaks_drop_slowly(struct mproc_object *object)
{
    mproc__private_lock();
    take_out(object->trace);
    mproc__private_unlock();
    mproc__free(object->trace);
    object->trace = NULL;
}

/* ---- the report ------------------------------------------------------------------------------ */

static void describe(const struct mproc__trace *trace, leak *ret_leak)
{
    const struct mproc_object *object = trace->object;
    *ret_leak = (leak){.kind = object->kind,
                       .size = mproc__block_size(object->offset),
                       .n_frames = trace->n_frames};
    memcpy(ret_leak->frames, trace->frames, sizeof(trace->frames));
    if (object->kind == MPROC__KIND_SHARED_MEMORY) {
        const struct mproc__segment_shm *segment = object->shm;
        ret_leak->size =
            mproc_shared_memory_size((const mproc_shared_memory *)(const void *)object);
        memcpy(ret_leak->name, segment->name, sizeof(segment->name));
    } else if (object->kind == MPROC__KIND_NAMED_LOCK) {
        (void)snprintf(ret_leak->name, sizeof(ret_leak->name), "%s",
                       mproc_named_lock_name((const mproc_named_lock *)(const void *)object));
    }
}

/** Describe up to MOST_REPORTED open handles; how many there are. */
static size_t collect(leak *leaks)
{
    size_t count = 0;
    mproc__private_lock();
    for (const struct mproc__trace *trace = ring.next; trace != &ring; trace = trace->next) {
        if (count < MOST_REPORTED) {
            describe(trace, &leaks[count]);
        }
        count++;
    }
    mproc__private_unlock();
    return count;
}

static void print(const leak *which)
{
    const char *quote = which->name[0] != '\0' ? "\"" : "";
    fprintf(stderr, "  %s%s%s%s%s, %llu bytes, opened at\n", mproc__object_text(which->kind),
            which->name[0] != '\0' ? " " : "", quote, which->name, quote,
            (unsigned long long)which->size);
    for (size_t i = 0; i < which->n_frames; i++) {
        char text[1400];
        mplat_code_text(which->frames[i], text, sizeof(text));
        fprintf(stderr, "    %s\n", text);
    }
}

void mproc__leaks_report(void)
{
    // A copy that calls exit() may come here twice.
    if (!mproc__load32_acquire(&is_used) || mproc__exchange32(&is_told, 1) != 0) {
        return;
    }
    leak *leaks = mproc__calloc(MOST_REPORTED, sizeof(*leaks));
    if (leaks == NULL) {
        return;
    }
    size_t count = collect(leaks);
    if (count > 0) {
        fprintf(stderr, "mproc: %s (process %lld) has not closed %llu handle%s:\n",
                mproc_process_name(NULL), (long long)mplat_pid(), (unsigned long long)count,
                count == 1 ? "" : "s");
    }
    for (size_t i = 0; i < count && i < MOST_REPORTED; i++) {
        print(&leaks[i]);
    }
    if (count > MOST_REPORTED) {
        fprintf(stderr, "  and %llu more\n", (unsigned long long)(count - MOST_REPORTED));
    }
    mproc__free(leaks);
}

void mproc__leaks_watch_exit(void)
{
    static uint32_t is_registered;
    uint32_t expected = 0;
    if (mproc__is_on(MPROC__SWITCH_LEAKS) && mproc__cas32(&is_registered, &expected, 1)) {
        (void)atexit(mproc__leaks_report);
    }
}
