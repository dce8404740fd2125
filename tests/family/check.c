/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c: see check.h. It trusts nothing it reads: every list has a bound, every index is compared.
 */
#include "family/check.h"

#include "family/block.h"
#include "family/family.h"
#include "family/guard.h"
#include "family/heap.h"
#include "family/layout.h"
#include "family/ledger.h"
#include "family/member.h"
#include "family/pages.h"
#include "family/pipe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#define MAGIC ((uint64_t)0xb10c)

/* One hold on a block, or a block with its count. */
typedef struct hold {
    uint64_t offset, count;
} hold;

typedef struct holds {
    hold *items;
    size_t count, room;
} holds;

/* What a walk has seen. */
typedef struct walk {
    uint64_t free_runs[MPROC__ORDERS], free_ready, partial[MPROC__CLASSES];
    uint64_t bytes;
    holds blocks, held;
} walk;

static char story[300];

static bool wrong(const char *format, ...) MPROC__PRINTF(1, 2);

static bool wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(story, sizeof(story), format, args);
    va_end(args);
    return false;
}

static void add(holds *list, uint64_t offset, uint64_t count)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 256 : list->room * 2;
        hold *larger = realloc(list->items, list->room * sizeof(*larger));
        if (larger == NULL) {
            abort();
        }
        list->items = larger;
    }
    list->items[list->count++] = (hold){offset, count};
}

static int compare(const void *left, const void *right)
{
    uint64_t a = ((const hold *)left)->offset;
    uint64_t b = ((const hold *)right)->offset;
    return a < b ? -1 : a > b ? 1 : 0;
}

static uint64_t class_bytes(uint32_t class_of)
{
    if (class_of < 7) {
        return 128 + (uint64_t)64 * class_of;
    }
    uint32_t doubling = (class_of - 7) / 4;
    return ((uint64_t)512 << doubling) + ((class_of - 7) % 4 + 1) * ((uint64_t)128 << doubling);
}

static void see_ring(walk *w, struct mproc__ring_shm *ring)
{
    mproc__ring_walk in_ring = {.has_begun = false};
    for (uint64_t held; (held = mproc__ring_walk_next(ring, &in_ring)) != 0;) {
        add(&w->held, held, 1);
    }
}

/** Note a living block and what it holds. */
static bool see_block(walk *w, uint64_t offset, uint64_t bytes)
{
    const struct mproc__block_shm *head = mproc__at(offset);
    uint64_t count = head->state & UINT32_MAX;
    if (head->state >> 48 != MAGIC || count == 0) {
        return wrong("block %#" PRIx64 " in use has state %#" PRIx64, offset, head->state);
    }
    uint64_t room = (head->payload - offset - sizeof(*head)) / 8;
    if (head->bytes > bytes || head->payload + head->size != offset + head->bytes ||
        head->references > room) {
        return wrong("block %#" PRIx64 ": %" PRIu64 " bytes, size %" PRIu64 ", %" PRIu64
                     " references",
                     offset, head->bytes, head->size, head->references);
    }
    const uint64_t *references = (const uint64_t *)(const void *)(head + 1);
    for (uint64_t i = 0; i < head->references; i++) {
        if (references[i] != 0) { // a slot may hold nothing
            add(&w->held, references[i], 1);
        }
    }
    uint64_t kind = head->state >> 32 & 0xffff;
    if (kind == MPROC__KIND_QUEUE) {
        see_ring(w, mproc__at(head->payload));
    } else if (kind == MPROC__KIND_PIPE) {
        struct mproc__pipe_shm *pipe = mproc__at(head->payload);
        see_ring(w, &pipe->ring[0]);
        see_ring(w, &pipe->ring[1]);
    }
    add(&w->blocks, offset, count);
    w->bytes += bytes;
    return true;
}

/** H1, and whether the span has a free block. */
static bool see_span(walk *w, uint64_t index)
{
    uint32_t class_of = mproc__page_class(mproc__page_at(index)->state);
    if (class_of >= MPROC__CLASSES) {
        return wrong("granule %" PRIu64 " is a span of class %u", index, class_of);
    }
    uint64_t bytes = class_bytes(class_of);
    uint64_t word = mproc__page_at(index)->span;
    uint64_t used = word >> 16 & 0xffff;
    uint64_t fresh = word >> 32 & 0xffff;
    uint64_t most = MPROC__GRANULE / bytes;
    if (fresh > most || used > fresh || mproc__page_order(mproc__page_at(index)->state) != 0) {
        return wrong("span %" PRIu64 ": used %" PRIu64 ", fresh %" PRIu64, index, used, fresh);
    }
    uint64_t n_free = 0;
    for (uint64_t next = word & 0xffff; next != 0; n_free++) {
        const struct mproc__block_shm *head =
            mproc__at(mproc__granule_offset(index) + (next - 1) * bytes);
        if (next > fresh || n_free > fresh || head->state != 0) {
            return wrong("span %" PRIu64 ": block %" PRIu64 " does not belong in its free list",
                         index, next - 1);
        }
        next = head->next;
    }
    if (used + n_free != fresh) {
        return wrong("span %" PRIu64 ": used %" PRIu64 " + free %" PRIu64 " != fresh %" PRIu64,
                     index, used, n_free, fresh);
    }
    uint64_t n_used = 0;
    for (uint64_t i = 0; i < fresh; i++) {
        uint64_t offset = mproc__granule_offset(index) + i * bytes;
        const struct mproc__block_shm *head = mproc__at(offset);
        if (head->state != 0) {
            n_used++;
            if (!see_block(w, offset, bytes)) {
                return false;
            }
        }
    }
    w->partial[class_of] += used < most ? 1 : 0;
    return n_used == used ||
           wrong("span %" PRIu64 ": %" PRIu64 " blocks, not %" PRIu64, index, n_used, used);
}

static bool see_large(walk *w, uint64_t index, uint64_t length)
{
    const struct mproc__block_shm *head = mproc__at(mproc__granule_offset(index));
    if (head->bytes > length << MPROC__GRANULE_SHIFT) {
        return wrong("large block at granule %" PRIu64 " overflows its run", index);
    }
    return see_block(w, mproc__granule_offset(index), head->bytes);
}

/** P1 and P3, run by run. */
static bool see_runs(walk *w)
{
    const struct mproc__heap_shm *heap = &mproc__shm()->heap;
    for (uint64_t index = 0; index < heap->top;) {
        uint64_t state = mproc__page_at(index)->state;
        uint32_t order = mproc__page_order(state);
        enum mproc__run_kind kind = mproc__page_kind(state);
        uint64_t length = (uint64_t)1 << (order < MPROC__ORDERS ? order : 0);
        if (order >= MPROC__ORDERS || index % length != 0 || index + length > heap->top) {
            return wrong("granule %" PRIu64 " begins a run of order %u", index, order);
        }
        bool is_right = kind == MPROC__RUN_FREE   ? true
                        : kind == MPROC__RUN_SPAN ? see_span(w, index)
                        : kind == MPROC__RUN_LARGE
                            ? see_large(w, index, length)
                            : wrong("granule %" PRIu64 " is in no run", index);
        for (uint64_t i = 0; is_right && i < length; i++) {
            const struct mproc__page_shm *page = mproc__page_at(index + i);
            if (i > 0 && mproc__page_kind(page->state) != MPROC__RUN_INSIDE) {
                return wrong("granule %" PRIu64 " is in the run at %" PRIu64 ", and one", index + i,
                             index);
            }
            is_right =
                page->committed <= MPROC__MEMORY_UNSURE || wrong("committed is no such thing");
            w->free_ready +=
                kind == MPROC__RUN_FREE && page->committed == MPROC__MEMORY_READY ? 1 : 0;
        }
        if (!is_right) {
            return false;
        }
        w->free_runs[order] += kind == MPROC__RUN_FREE ? 1 : 0;
        index += length;
    }
    return w->free_ready == heap->kept ||
           wrong("kept is %" PRIu64 ", not %" PRIu64, heap->kept, w->free_ready);
}

/** Follow a list of granules: its links, its length, what is in it. */
static bool see_list(uint64_t first, uint64_t length, enum mproc__run_kind kind, uint32_t of)
{
    uint64_t previous = 0;
    uint64_t n = 0;
    for (uint64_t place = first; place != 0; n++) {
        const struct mproc__page_shm *page = mproc__page_at(place - 1);
        uint32_t found = kind == MPROC__RUN_FREE ? mproc__page_order(page->state)
                                                 : mproc__page_class(page->state);
        if (n >= length || mproc__page_kind(page->state) != kind || found != of) {
            return wrong("granule %" PRIu64 " does not belong in the list of kind %d, %u",
                         place - 1, (int)kind, of);
        }
        if (page->links >> 32 != previous) {
            return wrong("granule %" PRIu64 " has another one before it", place - 1);
        }
        previous = place;
        place = page->links & UINT32_MAX;
    }
    return n == length || wrong("the list of kind %d, %u has %" PRIu64 " runs, not %" PRIu64,
                                (int)kind, of, n, length);
}

/** P2 and H2. */
static bool see_lists(const walk *w)
{
    const struct mproc__heap_shm *heap = &mproc__shm()->heap;
    for (uint32_t i = 0; i < MPROC__ORDERS; i++) {
        if (!see_list(heap->free_runs[i], w->free_runs[i], MPROC__RUN_FREE, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < MPROC__CLASSES; i++) {
        if (!see_list(heap->partial[i], w->partial[i], MPROC__RUN_SPAN, i)) {
            return false;
        }
    }
    return true;
}

/** A member's ledger: what it holds, and its free entries. */
static bool see_ledger(walk *w, const struct mproc__member_shm *slot)
{
    for (uint32_t i = 0; i < MPROC__LEDGER_SEGMENTS; i++) {
        if (slot->ledger[i] != 0) {
            add(&w->held, slot->ledger[i], 1);
            if (!mproc__block_is(slot->ledger[i], MPROC__KIND_LEDGER)) {
                return wrong("segment %u of member %#" PRIx64 " is no ledger", i, slot->id);
            }
        }
    }
    uint64_t n_free = 0;
    for (uint32_t i = 0; i < slot->ledger_fresh; i++) {
        uint64_t word = *mproc__ledger_word(slot, i);
        n_free += word & 1;
        if (word % 2 == 0) {
            add(&w->held, word, 1);
        }
    }
    uint64_t n = 0;
    for (uint64_t next = slot->ledger_free; next != 0; n++) {
        if (n >= n_free || next > slot->ledger_fresh ||
            (*mproc__ledger_word(slot, (uint32_t)next - 1) & 1) == 0) {
            return wrong("member %#" PRIx64 ": free entry %" PRIu64 " is none", slot->id, next - 1);
        }
        next = *mproc__ledger_word(slot, (uint32_t)next - 1) >> 1;
    }
    // A copy that died while its ledger was cloned has lost its free ones; it is to be buried.
    return n == n_free || slot->life == MPROC__LIFE_STARTING ||
           wrong("member %#" PRIx64 " has %" PRIu64 " free entries, not %" PRIu64, slot->id, n,
                 n_free);
}

static struct mproc__member_shm *slot_at(uint64_t index)
{
    return mproc__member_at(index + 1);
}

static bool see_members(walk *w)
{
    const struct mproc__family_shm *shm = mproc__shm();
    uint64_t n_used = 0;
    for (uint64_t i = 0; i < shm->n_members; i++) {
        const struct mproc__member_shm *slot = slot_at(i);
        n_used += slot->life != MPROC__LIFE_FREE ? 1 : 0;
        if (slot->life > MPROC__LIFE_ENDED || !see_ledger(w, slot)) {
            return slot->life <= MPROC__LIFE_ENDED || wrong("a life of %" PRIu64, slot->life);
        }
        bool is_empty = slot->ledger_fresh == 0 && slot->ledger[0] == 0;
        if ((slot->life == MPROC__LIFE_FREE || slot->life == MPROC__LIFE_ENDED) && !is_empty) {
            return wrong("member %#" PRIx64 " has ended and has a ledger", slot->id);
        }
    }
    uint64_t n_free = 0;
    for (uint64_t place = shm->free_member; place != 0; n_free++) {
        if (n_free >= shm->n_members || place > shm->n_members ||
            slot_at(place - 1)->life != MPROC__LIFE_FREE) {
            return wrong("member slot %" PRIu64 " is not free", place - 1);
        }
        place = slot_at(place - 1)->next_free;
    }
    return (n_used == shm->used_members && n_used + n_free == shm->n_members) ||
           wrong("%" PRIu64 " member slots: %" PRIu64 " used (%" PRIu64 "), %" PRIu64 " free",
                 shm->n_members, n_used, shm->used_members, n_free);
}

/** L1: each block's count is the number of its holds. */
static bool see_counts(walk *w)
{
    const struct mproc__heap_shm *heap = &mproc__shm()->heap;
    if (w->held.count > 0) {
        qsort(w->held.items, w->held.count, sizeof(hold), compare);
    }
    size_t at = 0;
    for (size_t i = 0; i < w->blocks.count; i++) { // they come by rising offset
        uint64_t n = 0;
        for (; at < w->held.count && w->held.items[at].offset == w->blocks.items[i].offset; at++) {
            n++;
        }
        if (n != w->blocks.items[i].count) {
            return wrong("block %#" PRIx64 " has count %" PRIu64 " and %" PRIu64 " holds",
                         w->blocks.items[i].offset, w->blocks.items[i].count, n);
        }
    }
    if (at < w->held.count) {
        return wrong("something holds %#" PRIx64 ", which is no block", w->held.items[at].offset);
    }
    return (w->blocks.count == heap->live_blocks && w->bytes == heap->live_bytes) ||
           wrong("%zu blocks of %" PRIu64 " bytes, not %" PRIu64 " of %" PRIu64, w->blocks.count,
                 w->bytes, heap->live_blocks, heap->live_bytes);
}

const char *check_family(void)
{
    walk w = {.bytes = 0};
    mproc__family_lock();
    bool is_right = see_runs(&w) && see_lists(&w) && see_members(&w) && see_counts(&w) &&
                    ((mproc__shm()->heap.graveyard == 0 && mproc__shm()->journal.count == 0) ||
                     wrong("the graveyard or the journal is not empty"));
    mproc__family_unlock();
    free(w.blocks.items);
    free(w.held.items);
    return is_right ? NULL : story;
}

check_figures check_read(void)
{
    mproc__family_lock();
    check_figures now = {.live_blocks = mproc__shm()->heap.live_blocks,
                         .live_bytes = mproc__shm()->heap.live_bytes,
                         .used_members = mproc__shm()->used_members};
    mproc__family_unlock();
    return now;
}

void check_enter(size_t count)
{
    if (mproc__family_enter() < 0) {
        exit(EXIT_FAILURE);
    }
    check_widen(count);
}

void check_release_left(uint64_t kept)
{
    const struct mproc__member_shm *self = mproc__self_member();
    uint32_t entry = 0;
    while ((entry = mproc__ledger_next(self, entry)) != UINT32_MAX) {
        const mproc__hold left = {*mproc__ledger_word(self, entry), entry};
        if (left.offset != kept || entry != 0) {
            mproc__block_release(left);
        }
        entry++;
    }
}

void check_widen(size_t count)
{
    mproc__hold *room = calloc(count, sizeof(*room));
    mproc__hold block;
    if (room == NULL || mproc__block_create(MPROC__KIND_TEST, 1, 0, false, &block) < 0) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        if (mproc__block_attach(block.offset, &room[i]) < 0) {
            abort();
        }
    }
    for (size_t i = 0; i < count; i++) {
        mproc__block_release(room[i]);
    }
    mproc__block_release(block);
    free(room);
}
