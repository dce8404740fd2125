/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_slot.h: where a task lies: its state word, its records, its slot. What all of it means says tasks.h.
 */
#ifndef MPROC_SERVICE_TASK_SLOT_H
#define MPROC_SERVICE_TASK_SLOT_H

#include <stdint.h>

/* ---- the state word -------------------------------------------------------------------------- */

enum mproc__task_state {
    MPROC__TASK_FREE = 0,
    MPROC__TASK_OWNED,
    MPROC__TASK_PENDING,
    MPROC__TASK_TAKEN,
    MPROC__TASK_STARTED,
    MPROC__TASK_DELAYED,
    MPROC__TASK_DONE
};

#define MPROC__TASK_STATE 0x7u      /* enum mproc__task_state */
#define MPROC__TASK_AWAITED 0x8u    /* somebody may sleep on the low half: wake when DONE */
#define MPROC__TASK_ABANDONED 0x10u /* nobody wants the outcome: who would make it DONE frees it */
#define MPROC__TASK_NOTED 0x20u     /* pushed on the port's stack after DONE */
/* Its worker is to be killed for it, see enum mproc__doom; of TAKEN and STARTED ones. */
#define MPROC__TASK_DOOM_SHIFT 6
#define MPROC__TASK_DOOM 0xc0u
#define MPROC__TASK_POSTING_SHIFT 8
#define MPROC__TASK_POSTING 0xff00u /* + 1 each time that it becomes PENDING */
#define MPROC__TASK_WORKER_SHIFT 16
#define MPROC__TASK_WORKER 0xffff0000u
#define MPROC__TASK_GENERATION ((uint64_t)0xffffffff << 32) /* + 1 with each task */

/** In a state word: no worker's, but the supervisor's. */
#define MPROC__TASK_NOBODY 0xffffu

/** Why a running task's worker is killed. */
enum mproc__doom {
    MPROC__DOOM_NONE = 0,
    MPROC__DOOM_CANCELLED,
    MPROC__DOOM_TIMED_OUT,
    MPROC__DOOM_TERMINATED /* the pool ends */
};

static inline uint32_t mproc__task_state(uint64_t word)
{
    return (uint32_t)word & MPROC__TASK_STATE;
}

static inline uint32_t mproc__task_worker(uint64_t word)
{
    return ((uint32_t)word & MPROC__TASK_WORKER) >> MPROC__TASK_WORKER_SHIFT;
}

static inline uint32_t mproc__task_doom(uint64_t word)
{
    return ((uint32_t)word & MPROC__TASK_DOOM) >> MPROC__TASK_DOOM_SHIFT;
}

/* A record: generation << 32 | posting << 24 | index of the slot. */
#define MPROC__TASK_INDEX 0xffffffu

static inline uint32_t mproc__record_index(uint64_t record)
{
    return (uint32_t)record & MPROC__TASK_INDEX;
}

static inline uint64_t mproc__record_of(uint64_t state, uint32_t index)
{
    return (state & MPROC__TASK_GENERATION) |
           ((uint64_t)((state & MPROC__TASK_POSTING) >> MPROC__TASK_POSTING_SHIFT) << 24) | index;
}

/* ---- slots ----------------------------------------------------------------------------------- */

/** What runs a task; see mproc__task_runners. */
enum mproc__task_kind {
    MPROC__TASK_CALL = 0, /**< a mproc_task_fn with arguments */
    MPROC__TASK_VALUES,   /**< the maps': see the map's own files */
    MPROC__TASK_ARRAY,
    MPROC__TASK_RANGE,
    MPROC__TASK_KINDS
};

#define MPROC__TASK_HAS_TIMEOUT 1u  /* cold.timeout_ns */
#define MPROC__TASK_HAS_RETRIES 2u  /* cold.retries ... */
#define MPROC__TASK_RETRY_ERRORS 4u /* these are for errors, too */
#define MPROC__TASK_TIMED 8u        /* cold's times are to be taken */

/** How arguments or a result lie there. */
enum mproc__form {
    MPROC__FORM_NONE = 0, /**< no arguments; nil */
    MPROC__FORM_SCALARS,  /**< up to 6 of them, 8 bytes each; their types are in the descriptor */
    MPROC__FORM_BYTES,    /**< as they are */
    MPROC__FORM_VALUE,    /**< encoded; arguments are a list */
    MPROC__FORM_STORY,    /**< of an error: its sentence, as bytes */
    MPROC__FORM_DEATH,    /**< of MPROC_EWORKERDIED: struct mproc__task_death */
};

/* A descriptor: form, whether it is a parcel, and the size in bytes of what lies in the slot, or for
 * SCALARS their number (3 bits) and types (3 bits each, mproc_type up to MPROC_DOUBLE). Of a parcel: the size of
 * what lies in one that the slot may keep for its next tasks; 0: all of it, and it may not. */
#define MPROC__FORM_MASK 0x7u
#define MPROC__FORM_PARCEL 0x8u
#define MPROC__FORM_SHIFT 8

#define MPROC__SMALL 16 /* bytes in a slot's first cache line */
#define MPROC__MORE 64  /* ... in its second one */

/** How a worker died, in the place of a result. */
struct mproc__task_death {
    int32_t exit_code;
    uint32_t flags; /**< MPLAT_EXIT_... */
    int64_t pid;
};

/** Two cache lines; the second one is touched by tasks that need it only. */
struct mproc__slot_shm {
    uint64_t state;
    uint32_t next; /**< index + 1: free list, stack of a port, a process's own list */
    uint16_t function;
    uint16_t port; /**< whose it is; MPROC__NO_PORT: nobody's */
    uint8_t kind;  /**< enum mproc__task_kind */
    uint8_t lane;
    uint8_t flags; /**< MPROC__TASK_HAS_... */
    uint8_t reserved;
    int32_t status;  /**< of the outcome */
    uint32_t args;   /**< descriptor */
    uint32_t result; /**< descriptor */
    uint64_t args_small[MPROC__SMALL / 8];
    uint64_t result_small[MPROC__SMALL / 8];
    /** arguments that are larger, or a result, if the task cannot be run again. Maps have what they like:
     *  it stays when a worker dies. */
    uint64_t more[MPROC__MORE / 8];
};

_Static_assert(sizeof(struct mproc__slot_shm) == 128, "two cache lines");

/** The most retries. In the bits above: the posting, + 1, that was the last one to cost one. */
#define MPROC__RETRIES_MAX 0x7fffffu
#define MPROC__RETRIES_BITS 23

/** What few tasks need; there once one of the same segment has asked for it. */
struct mproc__cold_shm {
    int64_t timeout_ns;
    int64_t retry_delay_ns;
    int64_t due_ns;         /**< of DELAYED ones */
    uint32_t retries;       /**< left, see MPROC__RETRIES_MAX */
    uint32_t worker_thread; /**< of those that are TIMED, as the rest up to the name */
    int64_t submitted_ns, started_ns, ended_ns;
    uint64_t worker_pid;
    char name[64];
};

_Static_assert(sizeof(struct mproc__cold_shm) == 128, "two cache lines");

#define MPROC__NO_PORT 0xffffu

/* Segments: a small one, then large ones. */
#define MPROC__FIRST_SLOTS 1024u
#define MPROC__SEGMENT_SHIFT 14
#define MPROC__SEGMENT_SLOTS (1u << MPROC__SEGMENT_SHIFT)
#define MPROC__SEGMENTS 1023u
#define MPROC__MAX_SLOTS (MPROC__FIRST_SLOTS + (MPROC__SEGMENTS - 1) * MPROC__SEGMENT_SLOTS)

/* Words of a segment's block that hold parcels: of slot i 2i and 2i + 1. */
#define MPROC__PARCEL_ARGS 0u
#define MPROC__PARCEL_RESULT 1u

#endif
