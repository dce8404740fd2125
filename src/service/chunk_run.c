/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunk_run.c: chunks as the worker sees them that runs them. See chunk.h.
 */
#include "service/chunk.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "family/family.h"
#include "mproc/array.h"
#include "mproc/pool_map.h"

#include <string.h>

/* ---- where it is ----------------------------------------------------------------------------- */

static int corrupt(void)
{
    return mproc__fail(MPROC_ECORRUPT, "somebody has written over the items of a map");
}

static unsigned char *at(const mproc__chunk_run *run, uint64_t place)
{
    return (unsigned char *)run->shm + place;
}

static uint64_t used(const mproc__chunk_run *run)
{
    return (uint64_t)(run->outcomes.at - run->start);
}

static void write_to(mproc__chunk_run *run, void *memory, uint64_t size, uint64_t n_used,
                     size_t n_objects)
{
    run->start = memory;
    run->outcomes.at = run->start + n_used;
    run->outcomes.end = run->start + size;
    run->outcomes.objects_left = n_objects;
}

static uint64_t next_region(const mproc__chunk_run *run)
{
    return mproc__block_part(run->block, run->shm->n_objects + (uint32_t)run->region);
}

static int add_region(mproc__chunk_run *run, uint64_t size, uint64_t n_objects)
{
    mproc__hold hold = {0, 0};
    int rc = mproc__block_create(MPROC__KIND_PARCEL, size, (uint32_t)n_objects, false, &hold);
    if (rc >= 0) {
        rc = mproc__block_embed(run->block, hold.offset);
        mproc__block_release(hold);
    }
    return rc;
}

/* DEATH: a region that is not embedded goes with the worker. One that is, and has not been used, is used by the
 * next worker, or is an empty one. */
static int make_room(mproc__outcomes *outcomes, size_t size, size_t n_objects)
{
    mproc__chunk_run *run = MPROC__CONTAINER(outcomes, mproc__chunk_run, outcomes);
    struct mproc__chunk_shm *shm = run->shm;
    const uint64_t before = (uint64_t)(outcomes->end - run->start);
    const uint64_t n_left = shm->n_items - run->done;
    const uint64_t n_inside = n_objects * n_left < UINT16_MAX ? n_objects * n_left : n_objects;
    while (run->region + 1 < MPROC__CHUNK_REGIONS && n_inside <= UINT32_MAX) {
        const uint64_t n_bytes = 2 * before > size ? 2 * before : size;
        bool is_new = next_region(run) == 0;
        int rc = is_new ? add_region(run, n_bytes, n_inside) : MPROC_OK;
        if (rc < 0) {
            return rc;
        }
        const uint64_t region = next_region(run);
        shm->used[run->region++] = used(run);
        run->region_hold.offset = region;
        write_to(run, mproc__block_at(region), mproc__block_size(region), 0,
                 is_new ? (size_t)n_inside : 0);
        if (mproc__block_size(region) >= size && (is_new || n_objects == 0)) {
            return MPROC_OK;
        }
    }
    return mproc__fail(MPROC_ETOOBIG, "the results of one task are too large");
}

/* Find the region that is written to, and the place in it. */
static int find_region(mproc__chunk_run *run, uint64_t bytes)
{
    const struct mproc__chunk_shm *shm = run->shm;
    unsigned char *start = at(run, shm->outcomes);
    uint64_t size = shm->outcomes_end - shm->outcomes;
    if (run->region > 0) {
        const uint64_t part =
            mproc__block_part(run->block, shm->n_objects + (uint32_t)run->region - 1);
        if (!mproc__block_is(part, MPROC__KIND_PARCEL)) {
            return corrupt();
        }
        start = mproc__block_at(part);
        size = mproc__block_size(part);
        run->region_hold.offset = part;
    }
    if (bytes > size) {
        return corrupt();
    }
    write_to(run, start, size, bytes, 0);
    return MPROC_OK;
}

int mproc__chunk_enter(mproc__chunk_run *run, uint64_t block, const uint64_t *state)
{
    struct mproc__chunk_shm *shm = mproc__block_at(block);
    const uint64_t progress = mproc__load64_acquire(&shm->progress) & ~MPROC__CHUNK_BEGUN;
    memset(run, 0, sizeof(*run));
    run->shm = shm;
    run->block = block;
    run->size = mproc__block_size(block);
    run->state = state;
    run->outcomes.codec.put_object = mproc__object_embed;
    run->outcomes.codec.arg = &run->region_hold;
    run->outcomes.make_room = make_room;
    run->region_hold.offset = block;
    run->region = progress >> MPROC__CHUNK_REGION_SHIFT;
    run->done = (progress >> MPROC__CHUNK_ITEM_SHIFT) & MPROC__CHUNK_MAX_ITEMS;
    if (run->size < sizeof(*shm) || shm->items > shm->items_end || shm->items_end > run->size ||
        shm->outcomes > shm->outcomes_end || shm->outcomes_end > run->size ||
        run->region >= MPROC__CHUNK_REGIONS || shm->n_items > MPROC__CHUNK_MAX_ITEMS ||
        run->done > shm->n_items) {
        return corrupt();
    }
    return find_region(run, progress & (((uint64_t)1 << MPROC__CHUNK_ITEM_SHIFT) - 1));
}

/* ---- item by item ---------------------------------------------------------------------------- */

/* Nobody wants the outcome, or the worker is to be killed for it. */
static bool is_unwanted(const mproc__chunk_run *run)
{
    const uint64_t word = mproc__load64_relaxed(run->state);
    return (word & MPROC__TASK_DOOM) != 0 ||
           ((word & MPROC__TASK_ABANDONED) != 0 && !(run->shm->flags & MPROC__CHUNK_TO_THE_END));
}

static void begin_item(mproc__chunk_run *run)
{
    struct mproc__chunk_shm *shm = run->shm;
    mproc__store64_release(&shm->progress,
                           mproc__load64_relaxed(&shm->progress) | MPROC__CHUNK_BEGUN);
}

static void end_item(mproc__chunk_run *run)
{
    run->done++;
    mproc__store64_release(&run->shm->progress, run->region << MPROC__CHUNK_REGION_SHIFT |
                                                    run->done << MPROC__CHUNK_ITEM_SHIFT |
                                                    used(run)); /* COMMIT */
}

/* Whether the item that has failed is to be run once more. */
static bool retry(mproc__chunk_run *run)
{
    struct mproc__chunk_shm *shm = run->shm;
    const uint32_t failures = shm->failed_item == run->done ? shm->failures : 0;
    if (!(shm->flags & MPROC__CHUNK_RETRY_ERRORS) || failures >= shm->retries) {
        return false;
    }
    shm->failed_item = (uint32_t)run->done;
    shm->failures = failures + 1;
    return true;
}

/* What the item's function returned: write it down if it is an error. */
static int settle(mproc__chunk_run *run, int status)
{
    int rc = MPROC_OK;
    if (status < 0) {
        const char *story = mproc_last_error();
        const mproc__item_error error = {
            .item = (uint32_t)run->done, .status = status, .story = story, .size = strlen(story)};
        rc = mproc__outcome_put_error(&run->outcomes, &error);
    }
    if (rc >= 0) {
        end_item(run);
    }
    return rc;
}

/* The item at which the last worker died is not run again: say so. */
static int settle_loss(mproc__chunk_run *run)
{
    const struct mproc__chunk_shm *shm = run->shm;
    if (shm->lost_status >= 0 || shm->lost_item != run->done || run->done == shm->n_items) {
        return MPROC_OK;
    }
    const mproc__item_error error = {.item = (uint32_t)run->done,
                                     .status = shm->lost_status,
                                     .kind = MPROC__STORY_DEATH,
                                     .story = &shm->death,
                                     .size = sizeof(shm->death)};
    int rc = mproc__outcome_put_error(&run->outcomes, &error);
    if (rc >= 0) {
        end_item(run);
    }
    return rc;
}

/* ---- values ---------------------------------------------------------------------------------- */

#define BATCH 64

static int call(mproc__chunk_run *run, mproc_task_fn fn, const mproc_value *item)
{
    mproc_value borrowed;
    mproc_args args = {1, item};
    if (item->owned != NULL) { // it may become the result as it is
        borrowed = mproc__value_borrow(*item);
        args.items = &borrowed;
    }
    if (run->shm->flags & MPROC__CHUNK_STAR) {
        if (item->type != MPROC_LIST) {
            return mproc__fail(MPROC_ETYPE, "an item of a starmap is %s, not a list of arguments",
                               mproc_type_name(item->type));
        }
        args = (mproc_args){item->as.list.count, item->as.list.items};
    }
    mproc_value result = mproc__value_nil();
    mproc__forget_error();
    int rc = fn(&args, &result);
    if (rc >= 0 && !(run->shm->flags & MPROC__CHUNK_NO_RESULTS)) {
        rc = mproc__outcome_put(&run->outcomes, &result);
    }
    if (result.owned != NULL) {
        mproc_value_clear(&result);
    }
    return rc;
}

static int run_value(mproc__chunk_run *run, mproc_task_fn fn, const mproc_value *item)
{
    int rc;
    begin_item(run);
    do {
        rc = call(run, fn, item);
    } while (rc < 0 && retry(run));
    return settle(run, rc);
}

/* Run those of a batch that have not ended. 1; 0: no more. */
static int run_batch(mproc__chunk_run *run, mproc_task_fn fn, mproc_value *items, size_t count,
                     uint64_t first)
{
    int rc = 1;
    for (size_t i = 0; i < count; i++) {
        if (rc > 0 && is_unwanted(run)) {
            rc = 0;
        } else if (rc > 0 && first + i >= run->done) {
            rc = run_value(run, fn, &items[i]);
            rc = rc < 0 ? rc : 1;
        }
        if (items[i].owned != NULL) {
            mproc_value_clear(&items[i]);
        }
    }
    return rc;
}

int mproc__chunk_run_values(mproc__chunk_run *run, mproc_task_fn fn)
{
    const mproc__codec codec = {.get_object = mproc__object_receive, .borrow_bytes = true};
    const void *next = at(run, run->shm->items);
    const void *end = at(run, run->shm->items_end);
    mproc_value items[BATCH];
    uint64_t n_read = 0;
    int rc = settle_loss(run);
    while (rc >= 0 && run->done < run->shm->n_items) {
        size_t n = 0;
        rc = mproc__codec_read_run(&codec, &next, end, items, BATCH, &n);
        if (rc >= 0) {
            rc = n > 0 ? run_batch(run, fn, items, n, n_read) : corrupt();
            n_read += n;
        }
        if (rc == 0) {
            break;
        }
    }
    return rc < 0 ? rc : MPROC_OK;
}

/* ---- elements -------------------------------------------------------------------------------- */

/* Where elements lie: here, or in an array. */
static int find_elements(const mproc__chunk_run *run, const mproc_value *array, uint64_t place,
                         uint64_t size, unsigned char **ret_data)
{
    const struct mproc__chunk_shm *shm = run->shm;
    *ret_data = NULL;
    if (size == 0) {
        return MPROC_OK;
    }
    if (array->type == MPROC_OBJECT && array->as.object->kind == MPROC__KIND_ARRAY) {
        const mproc_array *handle = MPROC__CONTAINER(array->as.object, mproc_array, object);
        const uint64_t length = mproc_array_length(handle);
        if (mproc_array_element_size(handle) != size || shm->first > length ||
            shm->n_items > length - shm->first) {
            return corrupt();
        }
        *ret_data = (unsigned char *)mproc_array_data(handle) + shm->first * size;
        return MPROC_OK;
    }
    if (place < sizeof(*shm) || place > run->size || shm->n_items > (run->size - place) / size) {
        return corrupt();
    }
    *ret_data = at(run, place);
    return MPROC_OK;
}

static int run_elements(mproc__chunk_run *run, mproc_element_fn fn, const unsigned char *in,
                        unsigned char *out, const mproc_args *args)
{
    const struct mproc__chunk_shm *shm = run->shm;
    int rc = MPROC_OK;
    while (rc >= 0 && run->done < shm->n_items && !is_unwanted(run)) {
        const void *from = in != NULL ? in + run->done * shm->in_size : NULL;
        void *to = out != NULL ? out + run->done * shm->out_size : NULL;
        int status;
        begin_item(run);
        mproc__forget_error();
        do {
            status = fn(from, to, args);
        } while (status < 0 && retry(run));
        rc = settle(run, status);
    }
    return rc;
}

/* The list that goes with elements and ranges: two parts, and arguments or nil. */
static int open_list(mproc__chunk_run *run, mproc_value *ret_list, mproc_args *ret_args)
{
    const mproc__codec codec = {.get_object = mproc__object_receive};
    const struct mproc__chunk_shm *shm = run->shm;
    mproc_value list;
    int rc = mproc__codec_read(&codec, at(run, shm->items), (size_t)(shm->items_end - shm->items),
                               &list);
    if (rc < 0) {
        return rc;
    }
    if (list.type != MPROC_LIST || list.as.list.count != 3) {
        mproc_value_clear(&list);
        return corrupt();
    }
    const mproc_value *last = &list.as.list.items[2];
    *ret_args = (mproc_args){0, NULL};
    if (last->type == MPROC_LIST) {
        *ret_args = (mproc_args){last->as.list.count, last->as.list.items};
    }
    *ret_list = list;
    return MPROC_OK;
}

int mproc__chunk_run_array(mproc__chunk_run *run, mproc__function fn)
{
    const struct mproc__chunk_shm *shm = run->shm;
    mproc_value list = mproc__value_nil();
    mproc_args args;
    unsigned char *in = NULL, *out = NULL;
    int rc = settle_loss(run);
    rc = rc < 0 ? rc : open_list(run, &list, &args);
    if (rc < 0) {
        return rc;
    }
    const mproc_value *parts = list.as.list.items;
    rc = find_elements(run, &parts[0], shm->in, shm->in_size, &in);
    rc = rc < 0 ? rc : find_elements(run, &parts[1], shm->out, shm->out_size, &out);
    if (rc >= 0) {
        rc = run_elements(run, (mproc_element_fn)fn, in, out,
                          parts[2].type == MPROC_LIST ? &args : NULL);
    }
    mproc_value_clear(&list);
    return rc;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

int mproc__chunk_run_range(mproc__chunk_run *run, mproc__function fn)
{
    mproc_value list = mproc__value_nil();
    mproc_args args;
    int rc = settle_loss(run);
    if (rc < 0 || run->done >= run->shm->n_items || is_unwanted(run)) {
        return rc;
    }
    rc = open_list(run, &list, &args);
    if (rc < 0) {
        return rc;
    }
    const mproc_value *parts = list.as.list.items;
    if (parts[0].type != MPROC_INT || parts[1].type != MPROC_INT) {
        rc = corrupt();
    } else {
        int status;
        begin_item(run);
        mproc__forget_error();
        do {
            status = ((mproc_range_fn)fn)(parts[0].as.integer, parts[1].as.integer,
                                          parts[2].type == MPROC_LIST ? &args : NULL);
        } while (status < 0 && retry(run));
        rc = settle(run, status);
    }
    mproc_value_clear(&list);
    return rc;
}
