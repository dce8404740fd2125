/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunk.c: chunks as who makes them sees them, and the supervisor. See chunk.h.
 */
#include "service/chunk.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/status.h"
#include "family/family.h"

#include <string.h>

size_t mproc__chunk_rule(size_t n_items, size_t n_workers)
{
    const size_t n_chunks = 4 * (n_workers > 0 ? n_workers : 1);
    return n_items / n_chunks + (n_items % n_chunks != 0 ? 1 : 0);
}

/* ---- made ------------------------------------------------------------------------------------ */

/* What a chunk needs: the sums are right, or too large. */
struct needs {
    uint64_t size; // of the encoded items, at most
    uint64_t n_objects;
};

static const mproc__codec measuring = {.put_object = mproc__object_embed};

static int add_needs(struct needs *needs, const mproc_value *item)
{
    if (item->type <= MPROC_DOUBLE) {
        needs->size += MPROC__CODEC_PLAIN_MAX;
        return MPROC_OK;
    }
    size_t size, n_objects;
    int rc = mproc__codec_size(&measuring, item, &size, &n_objects);
    if (rc >= 0) {
        needs->size += size;
        needs->n_objects += n_objects;
    }
    return rc;
}

/* Behind everything else there is room for a plain number's outcome for each item. */
static int make_block(const mproc__chunk_plan *plan, const struct needs *needs, size_t count,
                      uint64_t data_size, mproc__hold *ret_hold, struct mproc__chunk_shm **ret_shm)
{
    const uint64_t room = (plan->flags & MPROC__CHUNK_NO_RESULTS)
                              ? 64
                              : (uint64_t)count * MPROC__CODEC_PLAIN_MAX + 64;
    const uint64_t size = sizeof(struct mproc__chunk_shm) + needs->size + 128 + data_size + room;
    MPROC__CHECK(count > 0 && count <= MPROC__CHUNK_MAX_ITEMS);
    if (needs->n_objects > UINT32_MAX - MPROC__CHUNK_REGIONS || size < data_size) {
        return mproc__fail(MPROC_ETOOBIG, "%zu items together are too large", count);
    }
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    rc = mproc__block_create(MPROC__KIND_PARCEL, size,
                             (uint32_t)needs->n_objects + MPROC__CHUNK_REGIONS, false, ret_hold);
    if (rc < 0) {
        return rc;
    }
    *ret_shm = mproc__block_at(ret_hold->offset);
    memset(*ret_shm, 0, sizeof(**ret_shm));
    (*ret_shm)->n_items = (uint32_t)count;
    (*ret_shm)->flags = plan->flags;
    (*ret_shm)->retries = plan->retries;
    (*ret_shm)->n_objects = (uint32_t)needs->n_objects;
    (*ret_shm)->items = sizeof(**ret_shm);
    (*ret_shm)->outcomes_end = size;
    return MPROC_OK;
}

static int write_items(const mproc_value *items, size_t count, mproc__hold *hold,
                       struct mproc__chunk_shm *shm)
{
    const mproc__codec codec = {.put_object = mproc__object_embed, .arg = hold};
    unsigned char *at = (unsigned char *)shm + shm->items;
    const unsigned char *end = (unsigned char *)shm + shm->outcomes_end;
    for (size_t i = 0; (i += mproc__codec_write_plain(items + i, count - i, &at, end)) < count;
         i++) {
        size_t size = 0;
        int rc = mproc__codec_size(&codec, &items[i], &size, NULL);
        // What was measured may have been changed meanwhile by a careless caller.
        if (rc >= 0 && size > (size_t)(end - at)) {
            rc = mproc__fail(MPROC_ETOOBIG, "an item has grown while it was copied");
        }
        rc = rc < 0 ? rc : mproc__codec_write(&codec, &items[i], at);
        if (rc < 0) {
            return rc;
        }
        at += size;
    }
    shm->items_end = (uint64_t)(at - (unsigned char *)shm);
    shm->outcomes = shm->items_end;
    return MPROC_OK;
}

int mproc__chunk_make(const mproc__chunk_plan *plan, const mproc_value *items, size_t count,
                      mproc__hold *ret_hold)
{
    struct needs needs = {0};
    struct mproc__chunk_shm *shm = NULL;
    mproc__hold hold = {0, 0};
    int rc = MPROC_OK;
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        rc = add_needs(&needs, &items[i]);
    }
    rc = rc < 0 ? rc : make_block(plan, &needs, count, 0, &hold, &shm);
    if (rc < 0) {
        return rc;
    }
    rc = write_items(items, count, &hold, shm);
    if (rc < 0) {
        mproc__block_release(hold);
        return rc;
    }
    *ret_hold = hold;
    return MPROC_OK;
}

static uint64_t align(uint64_t place)
{
    return (place + 63) & ~(uint64_t)63;
}

int mproc__chunk_make_array(const mproc__chunk_plan *plan, const mproc__chunk_elements *elements,
                            const mproc_value *args, size_t count, mproc__hold *ret_hold)
{
    struct needs needs = {0};
    struct mproc__chunk_shm *shm = NULL;
    mproc__hold hold = {0, 0};
    const uint64_t in_bytes = elements->in != NULL ? elements->in_size * count : 0;
    const uint64_t out_bytes = elements->has_out ? elements->out_size * count : 0;
    int rc = add_needs(&needs, args);
    rc = rc < 0 ? rc : make_block(plan, &needs, count, in_bytes + out_bytes, &hold, &shm);
    if (rc < 0) {
        return rc;
    }
    rc = write_items(args, 1, &hold, shm);
    if (rc < 0) {
        mproc__block_release(hold);
        return rc;
    }
    shm->in = elements->in != NULL ? align(shm->items_end) : 0;
    shm->out = elements->has_out ? align(shm->items_end) + align(in_bytes) : 0;
    shm->outcomes = align(shm->items_end) + align(in_bytes) + out_bytes;
    shm->in_size = elements->in_size;
    shm->out_size = elements->out_size;
    shm->first = elements->first;
    if (in_bytes > 0) {
        memcpy((unsigned char *)shm + shm->in, elements->in, (size_t)in_bytes);
    }
    *ret_hold = hold;
    return MPROC_OK;
}

const void *mproc__chunk_results(uint64_t chunk)
{
    const struct mproc__chunk_shm *shm = mproc__block_at(chunk);
    return (const unsigned char *)shm + shm->out;
}

/* ---- a death --------------------------------------------------------------------------------- */

static uint32_t items_of(uint64_t progress)
{
    return (uint32_t)(progress >> MPROC__CHUNK_ITEM_SHIFT) & MPROC__CHUNK_MAX_ITEMS;
}

/*
 * DEATH: in the midst of this, and it is done again. Then an item that is lost is so already; one that may be run
 * again may be run once more for nothing.
 */
void mproc__chunk_bury(uint64_t block, int status, const struct mproc__task_death *death)
{
    struct mproc__chunk_shm *shm = mproc__block_at(block);
    const uint64_t progress = mproc__load64_acquire(&shm->progress);
    if (!(progress & MPROC__CHUNK_BEGUN)) {
        return;
    }
    const uint32_t item = items_of(progress);
    const uint32_t failures = shm->failed_item == item ? shm->failures : 0;
    const bool is_lost = failures >= shm->retries;
    if (is_lost) {
        shm->death = *death;
        shm->lost_item = item;
        shm->lost_status = status;
    }
    mproc__store64_release(&shm->progress, progress & ~MPROC__CHUNK_BEGUN);
    if (!is_lost) {
        shm->failed_item = item;
        shm->failures = failures + 1;
    }
}

uint32_t mproc__chunk_n_ended(uint64_t block)
{
    const struct mproc__chunk_shm *shm = mproc__block_at(block);
    return items_of(mproc__load64_acquire(&shm->progress));
}

static int corrupt(void)
{
    return mproc__fail(MPROC_ECORRUPT, "somebody has written over the items of a map");
}

static int enter_region(mproc__chunk_reader *reader, uint64_t region)
{
    const struct mproc__chunk_shm *shm = reader->shm;
    const uint64_t used = region == reader->last_region ? reader->last_bytes : shm->used[region];
    const unsigned char *start = (const unsigned char *)shm + shm->outcomes;
    uint64_t size = shm->outcomes_end - shm->outcomes;
    if (region > 0) {
        const uint64_t part =
            mproc__block_part(reader->block, shm->n_objects + (uint32_t)region - 1);
        if (!mproc__block_is(part, MPROC__KIND_PARCEL)) {
            return corrupt();
        }
        start = mproc__block_at(part);
        size = mproc__block_size(part);
    }
    if (used > size) {
        return corrupt();
    }
    reader->region = region;
    reader->at = start;
    reader->end = start + used;
    return MPROC_OK;
}

int mproc__chunk_read_begin(mproc__chunk_reader *reader, uint64_t block)
{
    struct mproc__chunk_shm *shm = mproc__block_at(block);
    const uint64_t size = mproc__block_size(block);
    const uint64_t progress = mproc__load64_acquire(&shm->progress) & ~MPROC__CHUNK_BEGUN;
    *reader = (mproc__chunk_reader){
        .shm = shm,
        .block = block,
        .last_region = progress >> MPROC__CHUNK_REGION_SHIFT,
        .last_bytes = progress & (((uint64_t)1 << MPROC__CHUNK_ITEM_SHIFT) - 1),
        .codec = {.get_object = mproc__object_receive},
    };
    if (shm->outcomes > shm->outcomes_end || shm->outcomes_end > size ||
        reader->last_region >= MPROC__CHUNK_REGIONS) {
        return corrupt();
    }
    return enter_region(reader, 0);
}

int mproc__chunk_read(mproc__chunk_reader *reader, mproc_value *ret_values, size_t count,
                      size_t *ret_count, mproc__item_error *ret_error)
{
    *ret_count = 0;
    while (reader->at == reader->end) {
        if (reader->region == reader->last_region) {
            return 0;
        }
        int rc = enter_region(reader, reader->region + 1);
        if (rc < 0) {
            return rc;
        }
    }
    int rc = mproc__outcome_read_error(&reader->at, reader->end, ret_error);
    if (rc == 0) {
        rc = mproc__codec_read_run(&reader->codec, &reader->at, reader->end, ret_values, count,
                                   ret_count);
    }
    return rc < 0 ? rc : 1;
}
