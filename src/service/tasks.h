/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks.h: the engine of a pool: its tasks, on their way from who gives them to who does them and back.
 *
 * Why       A task costs a few cache lines on their way, no system call while nobody sleeps, and no death
 *           loses or doubles one.
 * Layout    struct mproc__pool_shm is the payload of a pool's block. In words of its own the block holds
 *           segments of slots, lanes, tables of functions, ports and workers, enum mproc__pool_word.
 * Slot      type-stable memory of one task at a time; its state is one word:
 *             FREE -> OWNED -> PENDING -> TAKEN -> STARTED -> DONE -> OWNED ...
 *           FREE     in the list of free ones
 *           OWNED    its port's: filled in, or kept for the next task
 *           PENDING  ready; a record of it lies in a lane, or in a worker's hand
 *           TAKEN    by the worker in the word, who has not entered its function
 *           STARTED  likewise, and has
 *           DELAYED  it failed, and the supervisor makes it PENDING again when it is due
 *           DONE     its outcome is there; it is the port's again
 * Record    names one posting of a slot: what lies in lanes and hands. One that is not the slot's present
 *           one, or whose slot is not PENDING, is stale and skipped; so nothing is ever taken out of the
 *           middle, and a record that is there twice does no harm.
 * Lanes     one ring of records for each priority. All who look for work sleep on the tail of the normal one.
 * Hand      a worker takes several records at once if there are plenty. They stay PENDING, and who finds no
 *           others takes them away: nothing has to wait behind a long task.
 * Port      a process that gives tasks. Those of its tasks that are NOTED are pushed on its stack when they
 *           are done, and then are its again: until they have been popped nobody reuses them.
 * Always    T1  a slot's fields but `state` belong to: its port when OWNED or DONE (and when NOTED, popped),
 *               its worker when TAKEN or STARTED; `next` of one DONE and NOTED to who pushes it
 *           T2  what leaves PENDING, does so by CAS; and to FREE or from it only under the mutex
 *           T3  a worker notes in `current` what it is about to take before it takes it, or in `n_nested`
 *               that there is more, until it has told of its end
 * Locks     mutex: free list, growth, tables of functions and ports. Held for moments, and recovered by
 *           the next one: the free list is made anew from the states.
 * Commit    each step is one CAS or release store of the state
 * Death     of a worker: the pool's owner, after all of the process is gone, deals with what it had TAKEN
 *           or STARTED, and posts again what was in its hand. Of a port's process: likewise, its slots are
 *           freed. Of the owner: nothing goes on, and who waits is told so.
 */
#ifndef MPROC_SERVICE_TASKS_H
#define MPROC_SERVICE_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "family/bell.h"
#include "family/entry.h"
#include "family/layout.h"
#include "family/member.h"
#include "family/mutex.h"
#include "family/ring.h"
#include "service/pool.h"
#include "service/task_slot.h"

/* ---- lanes, ports, functions, workers -------------------------------------------------------- */

#define MPROC__LANES 7u
#define MPROC__LANE_NORMAL 3u /* lane = priority + this */

#define MPROC__PORT_BLOCKS 8u
#define MPROC__FIRST_PORTS 64u /* block k has so many << k */

/** A process that gives tasks. */
struct mproc__port_shm {
    uint64_t member;    /**< 0: free; mutex */
    uint64_t submitted; /**< by the process itself */
    uint64_t reserved[6];
    uint32_t
        done; /**< its stack: index + 1, 24 bits, and above them how often it was popped, 8 bits */
    uint32_t rescan;             /**< grows when something that was DONE may not have been pushed */
    struct mproc__bell_shm bell; /**< of those who sleep on `done` */
    uint64_t reserved_too[5];
};

_Static_assert(sizeof(struct mproc__port_shm) == 128, "two cache lines");

#define MPROC__MODULES 32u
#define MPROC__FUNCTIONS 4096u

/** Which functions tasks have run; entries never change once they count. */
struct mproc__functions_shm {
    uint32_t n_modules;
    uint32_t n_functions; /**< COMMIT */
    mplat_module modules[MPROC__MODULES];
    struct {
        uint32_t module;
        uint32_t reserved;
        uint64_t distance;
    } function[MPROC__FUNCTIONS];
};

#define MPROC__HAND 8u
#define MPROC__NO_FUNCTION 0xffffu

/** What a worker is just now. */
enum mproc__worker_life {
    MPROC__WORKER_NONE = 0, /**< no process; by the supervisor */
    MPROC__WORKER_STARTING, /**< by the supervisor */
    MPROC__WORKER_READY,    /**< its initializer has returned; by itself */
    MPROC__WORKER_LEAVING   /**< it takes no more tasks; by itself */
};

/** A place among the workers, and who has it. */
struct mproc__worker_shm {
    /* by the supervisor */
    uint64_t member;
    uint64_t pid;
    uint32_t incarnation; /**< + 1 with each process */
    uint32_t life;        /**< enum mproc__worker_life */
    uint64_t restarts;
    uint64_t peak_bytes; /**< of those that have ended */
    uint64_t for_supervisor[3];
    /* by the worker itself */
    MPROC__ALIGNAS(64)
    uint32_t current;    /**< index + 1 of what it takes, runs or has run last: T3 */
    uint32_t n_nested;   /**< tasks that were taken while others ran; then `current` is not all */
    uint32_t n_hand;     /**< records in its hand that it has not looked at */
    uint32_t is_idle;    /**< it looks for work, or sleeps */
    uint64_t n_done;     /**< tasks that it has ended, all incarnations */
    int64_t deadline_ns; /**< when the task `current` is to be killed; 0: never */
    int64_t busy_ns, wait_ns, since_ns;
    uint32_t turn; /**< see lanes.c */
    uint32_t reserved;
    MPROC__ALIGNAS(64) uint64_t hand[MPROC__HAND]; /**< the last n_hand of them count */
};

_Static_assert(sizeof(struct mproc__worker_shm) == 192, "three cache lines");

/** The words in which a pool's block holds others. */
enum mproc__pool_word {
    MPROC__POOL_LANES = 0,
    MPROC__POOL_FUNCTIONS = MPROC__POOL_LANES + MPROC__LANES,
    MPROC__POOL_WORKERS,
    MPROC__POOL_INITARGS, /**< super's */
    MPROC__POOL_TRACE,    /**< the path, see tracing.h */
    MPROC__POOL_PORTS,
    MPROC__POOL_COLD = MPROC__POOL_PORTS + MPROC__PORT_BLOCKS,
    MPROC__POOL_SEGMENTS = MPROC__POOL_COLD + MPROC__SEGMENTS,
    MPROC__POOL_WORDS = MPROC__POOL_SEGMENTS + MPROC__SEGMENTS
};

/** The payload of a pool's block. What different ones write lies in lines of its own. */
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): for that
struct mproc__pool_shm {
    /* constant after the creation */
    uint32_t n_workers;
    uint32_t initializer, finalizer; /**< functions; MPROC__NO_FUNCTION: none */
    uint32_t is_traced;              /**< all tasks are TIMED */
    uint64_t max_tasks;              /**< after so many a worker leaves; 0: never */
    uint64_t max_memory;
    struct mproc__rule_shm rule; /**< the supervisor's */

    MPROC__ALIGNAS(64) struct mproc__mutex_shm mutex;
    uint32_t free;    /**< index + 1 of the first free slot; mutex */
    uint32_t n_slots; /**< that there have been; mutex */
    uint32_t n_room;  /**< that there is memory for; mutex */
    uint32_t n_ports; /**< that there have been; mutex */
    uint32_t port_room;
    uint32_t reserved;

    MPROC__ALIGNAS(64) uint32_t lanes; /**< bit i: lane i is there; not the normal one's */
    uint32_t
        lookout; /**< index + 1 of the one worker that looks for work in place of sleeping; 0: none */
    uint32_t
        standby; /**< index + 1 of the one that sleeps for a moment only, see lanes.c; 0: none */
    struct mproc__bell_shm bell; /**< of those who sleep on the normal lane's tail */
    uint32_t reserved_too[9];
};

/* ---- a pool as this process has it ----------------------------------------------------------- */

/** Where the parts of a pool are in this process. Any thread; what it remembers never changes. */
typedef struct mproc__tasks {
    struct mproc__pool_shm *shm;
    uint64_t offset; /**< of the pool's block */
    struct mproc__worker_shm *workers;
    struct mproc__functions_shm *functions;
    struct mproc__ring_shm *normal;         /**< the normal lane */
    uint64_t function_at[MPROC__FUNCTIONS]; /**< of those that were found in this process */
    uint64_t segment_at[MPROC__SEGMENTS];   /**< offsets of the first slots; 0: not known yet */
} mproc__tasks;

/**
 * Make the engine of a new pool: its payload is zero, and the block has room for MPROC__POOL_WORDS.
 * After it `is_local` and the like may be set, then workers started.
 *
 * @return 0, MPROC_ENOMEM or MPROC_ENOSPC
 */
int mproc__tasks_create(uint64_t pool, uint32_t n_workers);

/** Find the parts of a pool, which the caller holds. */
void mproc__tasks_open(mproc__tasks *tasks, uint64_t pool);

/** Which segment a slot lies in, and its place there. */
static inline uint32_t mproc__segment_of(uint32_t index, uint32_t *ret_place)
{
    bool is_first = index < MPROC__FIRST_SLOTS;
    uint32_t rest = index - MPROC__FIRST_SLOTS;
    *ret_place = is_first ? index : rest & (MPROC__SEGMENT_SLOTS - 1);
    return is_first ? 0 : 1 + (rest >> MPROC__SEGMENT_SHIFT);
}

/** Find a segment that there is, for the first time: where its slots begin. */
uint64_t mproc__segment_find(mproc__tasks *tasks, uint32_t segment);

/** A slot that there is. */
static inline struct mproc__slot_shm *mproc__slot_at(mproc__tasks *tasks, uint32_t index)
{
    uint32_t place;
    uint32_t segment = mproc__segment_of(index, &place);
    uint64_t at = mproc__load64_relaxed(&tasks->segment_at[segment]);
    at = at != 0 ? at : mproc__segment_find(tasks, segment);
    return (struct mproc__slot_shm *)mproc__at(at) + place;
}

/**
 * Have up to n free slots made the port's: OWNED.
 *
 * @return how many, at least 1; MPROC_ENOMEM or MPROC_ENOSPC
 */
int mproc__slots_take(mproc__tasks *tasks, uint32_t port, uint32_t *ret_indices, uint32_t n);

/** Free slots that are the caller's. What they hold has been dropped. */
void mproc__slots_give(mproc__tasks *tasks, const uint32_t *indices, uint32_t n);

/** Have a slot, which is the caller's, hold no parcels any more, whatever its descriptors say. */
void mproc__slot_drop_parcels(mproc__tasks *tasks, uint32_t index);

/** The same of its arguments, or of its result. */
void mproc__slot_drop_parcel(mproc__tasks *tasks, uint32_t index, uint32_t which);

/** A port for the calling process. 0, MPROC_ENOMEM or MPROC_ENOSPC. */
int mproc__port_claim(mproc__tasks *tasks, uint32_t *ret_port);

/** Its slots have been freed, but for those that nobody owns any more. */
void mproc__port_free(mproc__tasks *tasks, uint32_t port);

/** A port that there is. */
struct mproc__port_shm *mproc__port_at(const mproc__tasks *tasks, uint32_t port);

/** Take the pool's mutex, after its owner's death with all repaired; release it. */
void mproc__tasks_lock(mproc__tasks *tasks);
void mproc__tasks_unlock(mproc__tasks *tasks);

/** What a few of them have; NULL: there is no memory, or, unless it is to be made, nobody has asked for it. */
struct mproc__cold_shm *mproc__cold_at(mproc__tasks *tasks, uint32_t index, bool make);

/** Number a function for this pool. 0, MPROC_ENOSPC, or as mproc__entry_of. */
int mproc__function_number(mproc__tasks *tasks, mproc__function function, uint32_t *ret_number);

/** The function of a number in this process; MPROC_EBUILD or MPROC_ENOENT. */
int mproc__function_find(mproc__tasks *tasks, uint32_t number, mproc__function *ret_function);

/* ---- lanes (lanes.c) ------------------------------------------------------------------------- */

/** Put records into a lane: they are PENDING. The lane is made if need be. 0, MPROC_ENOMEM, MPROC_ENOSPC. */
int mproc__lane_post(mproc__tasks *tasks, uint32_t lane, const uint64_t *records, size_t n);

/** Make a lane that nothing but this process holds. 0, MPROC_ENOMEM or MPROC_ENOSPC. */
int mproc__lane_create(mproc__hold *ret_hold);

/** How many records wait, stale ones and those in hands included. */
uint64_t mproc__lanes_count(mproc__tasks *tasks);

/** Wake every worker that looks for work: something else is to be looked at. */
void mproc__lanes_call(mproc__tasks *tasks);

/**
 * Take a task for worker `w`, the calling one: it is TAKEN then.
 *
 * @return 1; 0: there is none just now
 */
int mproc__task_next(mproc__tasks *tasks, uint32_t w, uint32_t *ret_index);

/** Take a certain one if it is PENDING, as mproc__task_next. */
bool mproc__task_take(mproc__tasks *tasks, uint32_t w, uint32_t index, uint64_t record);

/** By the supervisor: worker w looks for nothing any more. */
void mproc__lanes_bury(mproc__tasks *tasks, uint32_t w);

/** The calling thread is going to wait for a task: now somebody has to be awake. */
void mproc__lanes_hurry(mproc__tasks *tasks);

/**
 * Wait for there to be something to do, if `seen` was the normal lane's tail before worker w looked.
 *
 * @param is_brisk  its last tasks took less than a wake does
 */
void mproc__lanes_await(mproc__tasks *tasks, uint32_t w, uint32_t seen, bool is_brisk,
                        mproc__deadline deadline);

static inline uint32_t mproc__lanes_seen(const mproc__tasks *tasks)
{
    return mproc__load32_acquire(mproc__low32(&tasks->normal->tail));
}

/* ---- what becomes of tasks (tasks_end.c): for workers and the supervisor ---------------------- */

/** TAKEN -> STARTED; its deadline runs. False: it was cancelled, and is DONE. */
bool mproc__task_start(mproc__tasks *tasks, uint32_t w, uint32_t index);

/**
 * Take back what nobody has begun, or have who runs it killed for it.
 *
 * @return 0; 1: it was not begun, and is the caller's, OWNED; MPROC_ESTATE; MPROC_ENOTSUP
 */
int mproc__task_cancel(mproc__tasks *tasks, uint32_t index, bool kill_running);

/** Take all that has been pushed on a port's stack: the first one's index + 1, others by `next`; or 0. */
uint32_t mproc__port_pop(mproc__tasks *tasks, uint32_t port);

/**
 * Whether a slot that is DONE and NOTED was never pushed, and never will be: who was to do it is dead, or
 * has done it. In the latter case the next mproc__port_pop finds it.
 */
bool mproc__task_was_left(mproc__tasks *tasks, uint32_t index);

/**
 * STARTED -> DONE; its result has been written. Wakes who waits, notifies, or frees it. What is to be run
 * again after an error is posted again.
 *
 * @return false: it is doomed; the worker waits to be killed, or if it is a thread reports that itself
 */
bool mproc__task_finish(mproc__tasks *tasks, uint32_t w, uint32_t index, int status);

/** A worker's death, as the supervisor knows it. */
typedef struct mproc__death {
    struct mproc__task_death how;
    bool is_orderly; /**< it left: what it ran ended */
} mproc__death;

/** What came of it. */
typedef struct mproc__recovered {
    uint32_t n_reported, n_retried, n_reposted;
    int64_t due_ns; /**< the earliest of those that are DELAYED now; 0: none */
} mproc__recovered;

/**
 * By the supervisor: all of worker w's process is gone; nobody has its place yet. A CALL that it ran is
 * DONE, or is run again; all others are posted again, with the slot's status and result saying what
 * happened (MPROC_EWORKERDIED or MPROC_ETIMEDOUT, and FORM_DEATH): they go on behind that.
 */
void mproc__tasks_bury_worker(mproc__tasks *tasks, uint32_t w, const mproc__death *death,
                              mproc__recovered *ret_recovered);

/** By the supervisor: free what processes had that are gone. */
void mproc__tasks_bury_ports(mproc__tasks *tasks);

/** By the supervisor: post the DELAYED ones that are due. When the next one is; 0: there are none. */
int64_t mproc__tasks_post_due(mproc__tasks *tasks, int64_t now);

/** By the supervisor: worker w is past its deadline; doom what it runs. False: it is doing other things. */
bool mproc__tasks_expire(mproc__tasks *tasks, uint32_t w, int64_t now);

/** By the supervisor: a doomed task that worker w runs, which is to be killed for it. */
bool mproc__tasks_is_doomed(mproc__tasks *tasks, uint32_t w);

/**
 * By the supervisor, when the phase says that no more come: all that have not begun are DONE with that
 * status. With `doom` those that run are doomed, too.
 */
void mproc__tasks_end_all(mproc__tasks *tasks, int status, const char *story, bool doom);

/** How many are PENDING. Looks at all of them. */
uint32_t mproc__tasks_count_pending(mproc__tasks *tasks);

/** Whether nothing is PENDING, DELAYED, TAKEN or STARTED. Looks at all of them. */
bool mproc__tasks_are_done(mproc__tasks *tasks);

/* ---- outcomes: what a task's arguments and results are (payload.c) ---------------------------- */

/** Where a payload lies: in the slot or in a parcel. */
typedef struct mproc__payload {
    uint32_t descriptor;
    const void *data;
    size_t size;
} mproc__payload;

/** Its arguments or its result; valid as long as the slot is the caller's. */
mproc__payload mproc__task_args(mproc__tasks *tasks, uint32_t index);
mproc__payload mproc__task_result(mproc__tasks *tasks, uint32_t index);

/** Write a result; by the worker. 0, MPROC_ENOMEM, MPROC_ENOSPC, MPROC_ETOOBIG, MPROC_EINVAL. */
int mproc__task_set_value(mproc__tasks *tasks, uint32_t index, const mproc_value *value);

/** Write an error's sentence; by the worker. What does not fit is cut. */
void mproc__task_set_story(mproc__tasks *tasks, uint32_t index, const char *story);

/** Make a block the task's arguments (MPROC__PARCEL_ARGS) or result; dropped with the slot's next use. */
void mproc__task_attach(mproc__tasks *tasks, uint32_t index, uint32_t which, mproc__hold hold,
                        enum mproc__form form);

/** The offset of that block; 0: none. */
uint64_t mproc__task_parcel(mproc__tasks *tasks, uint32_t index, uint32_t which);

/* ---- running (worker.c) ---------------------------------------------------------------------- */

/** A task that a worker runs. */
typedef struct mproc__run {
    mproc__tasks *tasks;
    uint32_t index;
    uint32_t worker;
    struct mproc__slot_shm *slot;
    mproc__function function;
} mproc__run;

/**
 * Run a task: it is STARTED. It writes the result, and returns the outcome's status; negative with a
 * sentence in mproc_last_error().
 */
typedef int (*mproc__runner)(mproc__run *run);

/** By kind; the maps' are theirs. */
extern const mproc__runner mproc__task_runners[MPROC__TASK_KINDS];
int mproc__run_call(mproc__run *run);
int mproc__run_values(mproc__run *run);
int mproc__run_array(mproc__run *run);
int mproc__run_range(mproc__run *run);

#endif
