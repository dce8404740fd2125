/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks.c: the engine's memory: slots, ports, functions. See tasks.h.
 */
#include "service/tasks.h"

#include "base/check.h"
#include "base/status.h"
#include "family/block.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/thread.h"

#include <string.h>

static uint64_t *word_of(uint64_t pool, uint32_t word)
{
    return mproc__block_slot(pool, word);
}

static uint64_t load_word(const mproc__tasks *tasks, uint32_t word)
{
    return mproc__load64_acquire(word_of(tasks->offset, word));
}

/** Have a word of the pool hold a new block, whose first words may hold others. */
static int add_block(uint64_t pool, uint32_t word, uint64_t size, uint32_t n_words)
{
    mproc__hold hold;
    int rc = mproc__block_create(MPROC__KIND_TASKS, size, n_words, true, &hold);
    if (rc >= 0) {
        if (n_words > 0) {
            mproc__block_open_slots(hold.offset, n_words);
        }
        uint64_t *at = word_of(pool, word);
        mproc__block_hand_in(hold, at, at, hold.offset);
        MPROC__KILLPOINT("tasks.added");
    }
    return rc;
}

/* ---- create ---------------------------------------------------------------------------------- */

int mproc__tasks_create(uint64_t pool, uint32_t n_workers)
{
    struct mproc__pool_shm *shm = mproc__block_at(pool);
    mproc__hold lane = {0, 0};
    mproc__block_open_slots(pool, MPROC__POOL_WORDS);
    shm->n_workers = n_workers;
    shm->initializer = shm->finalizer = MPROC__NO_FUNCTION;
    int rc = add_block(pool, MPROC__POOL_WORKERS, n_workers * sizeof(struct mproc__worker_shm), 0);
    if (rc >= 0) {
        rc = add_block(pool, MPROC__POOL_FUNCTIONS, sizeof(struct mproc__functions_shm), 0);
    }
    if (rc >= 0) {
        rc = mproc__lane_create(&lane);
    }
    if (rc >= 0) {
        uint64_t *at = word_of(pool, MPROC__POOL_LANES + MPROC__LANE_NORMAL);
        mproc__block_hand_in(lane, at, at, lane.offset);
    }
    return rc;
}

void mproc__tasks_open(mproc__tasks *tasks, uint64_t pool)
{
    memset(tasks, 0, sizeof(*tasks));
    tasks->shm = mproc__block_at(pool);
    tasks->offset = pool;
    tasks->workers = mproc__block_at(load_word(tasks, MPROC__POOL_WORKERS));
    tasks->functions = mproc__block_at(load_word(tasks, MPROC__POOL_FUNCTIONS));
    tasks->normal = mproc__block_at(load_word(tasks, MPROC__POOL_LANES + MPROC__LANE_NORMAL));
}

uint64_t mproc__segment_find(mproc__tasks *tasks, uint32_t segment)
{
    uint64_t block = load_word(tasks, MPROC__POOL_SEGMENTS + segment);
    uint64_t at = mproc__offset_of(mproc__block_at(block));
    mproc__store64_release(&tasks->segment_at[segment], at);
    return at;
}

static uint32_t segment_slots(uint32_t segment)
{
    return segment == 0 ? MPROC__FIRST_SLOTS : MPROC__SEGMENT_SLOTS;
}

struct mproc__cold_shm *mproc__cold_at(mproc__tasks *tasks, uint32_t index, bool make)
{
    uint32_t place;
    uint32_t segment = mproc__segment_of(index, &place);
    uint32_t word = MPROC__POOL_COLD + segment;
    uint64_t block = load_word(tasks, word);
    if (block == 0 && make) {
        uint64_t size = segment_slots(segment) * sizeof(struct mproc__cold_shm);
        mproc__tasks_lock(tasks);
        if (load_word(tasks, word) == 0) {
            (void)add_block(tasks->offset, word, size, 0);
        }
        mproc__tasks_unlock(tasks);
        block = load_word(tasks, word);
    }
    return block == 0 ? NULL : (struct mproc__cold_shm *)mproc__block_at(block) + place;
}

/* ---- the mutex, and the free list -------------------------------------------------------------- */

/** Make the free list anew: an owner has died at it. */
static void repair(mproc__tasks *tasks)
{
    struct mproc__pool_shm *shm = tasks->shm;
    mproc__family_settle();
    shm->free = 0;
    for (uint32_t i = shm->n_slots; i-- > 0;) {
        struct mproc__slot_shm *slot = mproc__slot_at(tasks, i);
        if (mproc__task_state(mproc__load64_acquire(&slot->state)) == MPROC__TASK_FREE) {
            slot->next = shm->free;
            shm->free = i + 1;
        }
    }
}

void mproc__tasks_lock(mproc__tasks *tasks)
{
    int rc = mproc__mutex_acquire(&tasks->shm->mutex, mproc__thread_self(), MPROC__NEVER, NULL);
    if (rc == MPROC_OWNER_DIED) {
        repair(tasks);
    }
}

void mproc__tasks_unlock(mproc__tasks *tasks)
{
    (void)mproc__mutex_release(&tasks->shm->mutex);
    MPROC__KILLPOINT("tasks.unlocked");
}

/** More room for slots. */
static int grow(mproc__tasks *tasks)
{
    struct mproc__pool_shm *shm = tasks->shm;
    uint32_t unused;
    if (shm->n_room >= MPROC__MAX_SLOTS) {
        return mproc__fail(MPROC_ENOSPC,
                           "the pool has %u tasks that have not ended, or whose "
                           "results have not been taken",
                           shm->n_room);
    }
    uint32_t segment = mproc__segment_of(shm->n_room, &unused);
    uint32_t n = segment_slots(segment);
    uint32_t word = MPROC__POOL_SEGMENTS + segment;
    int rc = load_word(tasks, word) == 0
                 ? add_block(tasks->offset, word, n * sizeof(struct mproc__slot_shm), 2 * n)
                 : MPROC_OK;
    shm->n_room += rc >= 0 ? n : 0;
    return rc;
}

/** A free slot, or one that never was. */
static int take_one(mproc__tasks *tasks, uint32_t port, uint32_t *ret_index)
{
    struct mproc__pool_shm *shm = tasks->shm;
    bool is_fresh = shm->free == 0;
    if (is_fresh && shm->n_slots == shm->n_room) {
        int rc = grow(tasks);
        if (rc < 0) {
            return rc;
        }
    }
    uint32_t index = is_fresh ? shm->n_slots : shm->free - 1;
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    uint32_t next = slot->next;
    slot->port = (uint16_t)port;
    mproc__store64_release(&slot->state,
                           (slot->state & MPROC__TASK_GENERATION) | MPROC__TASK_OWNED); /* COMMIT */
    MPROC__KILLPOINT("tasks.owned"); /* DEATH: it is a dead port's; the free list is made anew */
    if (is_fresh) {
        mproc__store32_release(&shm->n_slots, index + 1);
    } else {
        shm->free = next;
    }
    *ret_index = index;
    return MPROC_OK;
}

int mproc__slots_take(mproc__tasks *tasks, uint32_t port, uint32_t *ret_indices, uint32_t n)
{
    uint32_t taken = 0;
    int rc = MPROC_OK;
    mproc__tasks_lock(tasks);
    while (taken < n && (rc = take_one(tasks, port, &ret_indices[taken])) >= 0) {
        taken++;
    }
    mproc__tasks_unlock(tasks);
    return taken > 0 ? (int)taken : rc;
}

void mproc__slots_give(mproc__tasks *tasks, const uint32_t *indices, uint32_t n)
{
    struct mproc__pool_shm *shm = tasks->shm;
    mproc__tasks_lock(tasks);
    for (uint32_t i = 0; i < n; i++) {
        struct mproc__slot_shm *slot = mproc__slot_at(tasks, indices[i]);
        slot->next = shm->free;
        slot->port = MPROC__NO_PORT;
        uint64_t word = slot->state & MPROC__TASK_GENERATION;
        mproc__store64_release(&slot->state,
                               word + ((uint64_t)1 << 32) + MPROC__TASK_FREE); /* COMMIT */
        MPROC__KILLPOINT("tasks.freed");
        shm->free = indices[i] + 1;
    }
    mproc__tasks_unlock(tasks);
}

/* ---- parcels --------------------------------------------------------------------------------- */

static uint64_t *parcel_word(mproc__tasks *tasks, uint32_t index, uint32_t which)
{
    uint32_t place;
    uint32_t segment = mproc__segment_of(index, &place);
    return mproc__block_slot(load_word(tasks, MPROC__POOL_SEGMENTS + segment), 2 * place + which);
}

uint64_t mproc__task_parcel(mproc__tasks *tasks, uint32_t index, uint32_t which)
{
    return mproc__load64_acquire(parcel_word(tasks, index, which));
}

void mproc__slot_drop_parcel(mproc__tasks *tasks, uint32_t index, uint32_t which)
{
    uint64_t *word = parcel_word(tasks, index, which);
    uint64_t held = mproc__load64_acquire(word);
    if (held != 0) {
        mproc__block_drop(held, word, 0);
    }
}

void mproc__slot_drop_parcels(mproc__tasks *tasks, uint32_t index)
{
    mproc__slot_drop_parcel(tasks, index, MPROC__PARCEL_ARGS);
    mproc__slot_drop_parcel(tasks, index, MPROC__PARCEL_RESULT);
}

void mproc__task_attach(mproc__tasks *tasks, uint32_t index, uint32_t which, mproc__hold hold,
                        enum mproc__form form)
{
    struct mproc__slot_shm *slot = mproc__slot_at(tasks, index);
    mproc__slot_drop_parcel(tasks, index, which); // a worker that died may have left one
    uint64_t *word = parcel_word(tasks, index, which);
    mproc__block_hand_in(hold, word, word, hold.offset);
    MPROC__KILLPOINT("tasks.attached"); /* DEATH: who buries the owner drops it */
    uint32_t descriptor = (uint32_t)form | MPROC__FORM_PARCEL;
    if (which == MPROC__PARCEL_ARGS) {
        slot->args = descriptor;
    } else {
        slot->result = descriptor;
    }
}

/* ---- ports ----------------------------------------------------------------------------------- */

/** Which block a port lies in, and its place there. */
static uint32_t port_block(uint32_t port, uint32_t *ret_place)
{
    uint32_t block = 0;
    for (uint32_t n = MPROC__FIRST_PORTS; port >= n; n *= 2) {
        port -= n;
        block++;
    }
    *ret_place = port;
    return block;
}

struct mproc__port_shm *mproc__port_at(const mproc__tasks *tasks, uint32_t port)
{
    uint32_t place;
    uint32_t block = port_block(port, &place);
    struct mproc__port_shm *first = mproc__block_at(load_word(tasks, MPROC__POOL_PORTS + block));
    return first + place;
}

/** A port that is free, or was never used. */
static int find_port(mproc__tasks *tasks, uint32_t *ret_port)
{
    struct mproc__pool_shm *shm = tasks->shm;
    for (uint32_t i = 0; i < shm->n_ports; i++) {
        if (mproc__port_at(tasks, i)->member == 0) {
            *ret_port = i;
            return MPROC_OK;
        }
    }
    uint32_t unused;
    uint32_t block = port_block(shm->n_ports, &unused);
    if (block >= MPROC__PORT_BLOCKS) {
        return mproc__fail(MPROC_ENOSPC, "%u processes give tasks to the pool", shm->n_ports);
    }
    uint32_t word = MPROC__POOL_PORTS + block;
    uint64_t size = ((uint64_t)MPROC__FIRST_PORTS << block) * sizeof(struct mproc__port_shm);
    int rc = load_word(tasks, word) == 0 ? add_block(tasks->offset, word, size, 0) : MPROC_OK;
    *ret_port = shm->n_ports;
    return rc;
}

int mproc__port_claim(mproc__tasks *tasks, uint32_t *ret_port)
{
    mproc__tasks_lock(tasks);
    int rc = find_port(tasks, ret_port);
    if (rc >= 0) {
        struct mproc__port_shm *port = mproc__port_at(tasks, *ret_port);
        mproc__store64_release(&port->member, mproc__self_id()); /* COMMIT */
        if (*ret_port == tasks->shm->n_ports) {
            mproc__store32_release(&tasks->shm->n_ports, *ret_port + 1);
        }
    }
    mproc__tasks_unlock(tasks);
    return rc;
}

void mproc__port_free(mproc__tasks *tasks, uint32_t port)
{
    struct mproc__port_shm *shm = mproc__port_at(tasks, port);
    mproc__tasks_lock(tasks);
    mproc__store32_release(&shm->done, 0);
    mproc__store64_release(&shm->member, 0);
    mproc__tasks_unlock(tasks);
}

/* ---- functions ------------------------------------------------------------------------------- */

static bool is_same_module(const mplat_module *a, const mplat_module *b)
{
    return a->is_program == b->is_program && memcmp(a->build, b->build, sizeof(a->build)) == 0 &&
           strcmp(a->path, b->path) == 0;
}

static int find_module(struct mproc__functions_shm *shm, const mplat_module *module,
                       uint32_t *ret_module)
{
    uint32_t i = 0;
    while (i < shm->n_modules && !is_same_module(&shm->modules[i], module)) {
        i++;
    }
    if (i == MPROC__MODULES) {
        return mproc__fail(MPROC_ENOSPC, "a pool's tasks are of more than %u libraries", i);
    }
    if (i == shm->n_modules) {
        shm->modules[i] = *module;
        shm->modules[i].base = NULL;
        mproc__store32_release(&shm->n_modules, i + 1);
    }
    *ret_module = i;
    return MPROC_OK;
}

int mproc__function_number(mproc__tasks *tasks, mproc__function function, uint32_t *ret_number)
{
    struct mproc__functions_shm *shm = tasks->functions;
    mproc__entry entry;
    uint32_t module = 0;
    uint32_t i = 0;
    int rc = mproc__entry_of(function, &entry);
    if (rc < 0) {
        return rc;
    }
    mproc__tasks_lock(tasks);
    rc = find_module(shm, &entry.module, &module);
    while (rc >= 0 && i < shm->n_functions &&
           (shm->function[i].module != module || shm->function[i].distance != entry.distance)) {
        i++;
    }
    if (rc >= 0 && i == MPROC__FUNCTIONS) {
        rc = mproc__fail(MPROC_ENOSPC, "a pool's tasks are of more than %u functions", i);
    } else if (rc >= 0 && i == shm->n_functions) {
        shm->function[i].module = module;
        shm->function[i].distance = entry.distance;
        mproc__store32_release(&shm->n_functions, i + 1); /* COMMIT */
    }
    mproc__tasks_unlock(tasks);
    *ret_number = i;
    return rc;
}

int mproc__function_find(mproc__tasks *tasks, uint32_t number, mproc__function *ret_function)
{
    const struct mproc__functions_shm *shm = tasks->functions;
    uint64_t known =
        number < MPROC__FUNCTIONS ? mproc__load64_acquire(&tasks->function_at[number]) : 0;
    if (known != 0) {
        memcpy(ret_function, &known, sizeof(*ret_function));
        return MPROC_OK;
    }
    if (number >= mproc__load32_acquire(&shm->n_functions)) {
        return mproc__fail(MPROC_ECORRUPT, "there is no function %u", number);
    }
    mproc__entry entry = {.module = shm->modules[shm->function[number].module],
                          .distance = shm->function[number].distance};
    int rc = mproc__entry_find(&entry, ret_function);
    if (rc >= 0) {
        memcpy(&known, ret_function, sizeof(*ret_function));
        mproc__store64_release(&tasks->function_at[number], known);
    }
    return rc;
}
