/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared_memory.c: mproc_shared_memory: a segment of the system's, and a block that tells the family.
 *
 * Layout    struct mproc__segment_shm in the arena; the bytes themselves are not there
 * Commit    none of its own: the platform's, and the block's
 * Death     before the block is gone its name is removed if it is automatic, see family/segment.h
 */
#include "object/shared_memory.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/deadline.h"
#include "base/status.h"
#include "family/family.h"
#include "family/segment.h"

#include <apr_general.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_MODE 0600u

/* Two of them are never the same; so many tries are for a broken source of random numbers. */
#define TRIES 8

/* How often to look whether it is ready: its maker may be a stranger, who wakes nobody. */
#define LOOK_NS ((int64_t)1000000)

static struct mproc__segment_shm *shm_of(const struct mproc_object *object)
{
    return object->shm;
}

static const mplat_segment *segment_of(const mproc_shared_memory *memory)
{
    return memory->object.local;
}

static int no_memory(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the shared memory is NULL", verb);
}

int mproc__segment_check_name(const char *verb, const char *what, const char *name, size_t most,
                              const char **ret_name)
{
    const char *bare = name != NULL && name[0] == '/' ? name + 1 : name;
    if (bare == NULL || bare[0] == '\0' || strchr(bare, '/') != NULL || strcmp(bare, ".") == 0 ||
        strcmp(bare, "..") == 0) {
        return mproc__fail(MPROC_EINVAL, "%s: \"%s\" cannot be the name of %s", verb,
                           name != NULL ? name : "(null)", what);
    }
    if (strlen(bare) > most) {
        return mproc__fail(MPROC_ETOOBIG, "%s: the name of %s is longer than %zu bytes", verb, what,
                           most);
    }
    *ret_name = bare;
    return MPROC_OK;
}

static int check_name(const char *verb, const char *name, const char **ret_name)
{
    return mproc__segment_check_name(verb, "shared memory", name, MPLAT_SEGMENT_NAME - 1, ret_name);
}

static int make_name(char name[MPLAT_SEGMENT_NAME])
{
    unsigned char bytes[8];
    apr_status_t status = apr_generate_random_bytes(bytes, sizeof(bytes));
    if (status != APR_SUCCESS) {
        return mproc__fail(MPROC_ESYSTEM, "no random bytes for a name (APR error %d)", status);
    }
    int length = snprintf(name, MPLAT_SEGMENT_NAME, MPLAT_SEGMENT_PREFIX);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        length += snprintf(name + length, MPLAT_SEGMENT_NAME - (size_t)length, "%02x", bytes[i]);
    }
    return MPROC_OK;
}

/**
 * A handle, and in its block the name, before there is a segment: killed in between, nothing is left.
 */
static int prepare(uint32_t flags, struct mproc_object **ret_object)
{
    struct mproc_object *object = NULL;
    int rc = mproc__object_create(MPROC__KIND_SHARED_MEMORY, sizeof(struct mproc__segment_shm), 0,
                                  &object);
    if (rc < 0) {
        return rc;
    }
    object->local = mproc__malloc(sizeof(mplat_segment));
    if (object->local == NULL) {
        mproc__object_close(object);
        return mproc__fail(MPROC_ENOMEM, "no memory for an object's handle");
    }
    *(mplat_segment *)object->local =
        (mplat_segment){.user = MPLAT_NO_HANDLE, .more = MPLAT_NO_HANDLE};
    shm_of(object)->flags = flags;
    *ret_object = object;
    return MPROC_OK;
}

/** Note what the segment turned out to be, or close the handle. */
static int finish(int rc, struct mproc_object *object, mproc_shared_memory **ret_memory)
{
    const mplat_segment *segment = object->local;
    struct mproc__segment_shm *shm = shm_of(object);
    if (rc < 0) {
        shm->flags = 0; // whoever has the name, it is not ours
        mproc__object_close(object);
        return rc;
    }
    shm->id = segment->id;
    shm->flags = segment->flags;
    *ret_memory = MPROC__CONTAINER(object, mproc_shared_memory, object);
    return MPROC_OK;
}

/* ---- create and open ------------------------------------------------------------------------- */

static int create_named(struct mproc_object *object, const char *name,
                        const mplat_segment_plan *plan)
{
    struct mproc__segment_shm *shm = shm_of(object);
    if (name != NULL) {
        memcpy(shm->name, name, strlen(name) + 1);
        return mplat_segment_create(name, plan, object->local);
    }
    int rc = MPROC_EEXIST;
    for (int i = 0; i < TRIES && rc == MPROC_EEXIST; i++) {
        rc = make_name(shm->name);
        rc = rc < 0 ? rc : mplat_segment_create(shm->name, plan, object->local);
    }
    return rc;
}

static int check_create(size_t size_bytes, const mproc_shared_memory_options *options)
{
    if (size_bytes == 0 || options->is_read_only || (options->mode & ~0777u) != 0) {
        return mproc__fail(MPROC_EINVAL,
                           "create: shared memory needs a size of at least one byte, permission "
                           "bits within 0777, and can be read-only only where it is opened");
    }
    bool is_automatic = options->auto_unlink || options->layout != 0;
    if (is_automatic && options->mode != 0 && (options->mode & 0600) != 0600) {
        return mproc__fail(MPROC_EINVAL,
                           "create: whose name is to go with the last user, be it while it is not "
                           "ready, its owner must be able to read and write");
    }
    if (options->timeout != 0 ||
        (options->max_size_bytes != 0 && options->max_size_bytes < size_bytes)) {
        return mproc__fail(MPROC_EINVAL,
                           "create: its largest size is at least its size, and a timeout is for "
                           "those who open it");
    }
    return MPROC_OK;
}

int mproc_shared_memory_create(mproc_shared_memory **ret_memory, const char *name,
                               size_t size_bytes, const mproc_shared_memory_options *options)
{
    static const mproc_shared_memory_options defaults;
    struct mproc_object *object = NULL;
    options = options != NULL ? options : &defaults;
    if (ret_memory == NULL) {
        return no_memory("create");
    }
    int rc = check_create(size_bytes, options);
    rc = rc < 0 || name == NULL ? rc : check_name("create", name, &name);
    const mplat_segment_plan plan = {
        .size = size_bytes,
        .max_size = options->max_size_bytes,
        .layout = options->layout,
        .flags = (options->auto_unlink ? MPLAT_SEGMENT_AUTO : 0) |
                 (options->wants_huge_pages ? MPLAT_SEGMENT_HUGE : 0),
        .mode = options->mode != 0 ? options->mode : DEFAULT_MODE,
    };
    // Whose content is not ready, its name goes, too: nobody could open it any more.
    bool is_automatic = options->auto_unlink || options->layout != 0;
    rc = rc < 0 ? rc : prepare(is_automatic ? MPLAT_SEGMENT_AUTO : 0, &object);
    return rc < 0 ? rc : finish(create_named(object, name, &plan), object, ret_memory);
}

/** Open it when it is ready. */
static int open_ready(struct mproc_object *object, const mproc_shared_memory_options *options)
{
    struct mproc__segment_shm *shm = shm_of(object);
    const mproc__deadline deadline = mproc__deadline_in(options->timeout);
    uint32_t flags = (options->is_read_only ? MPLAT_SEGMENT_READ_ONLY : 0) |
                     (options->wants_huge_pages ? MPLAT_SEGMENT_HUGE : 0);
    for (;;) {
        int rc = mplat_segment_open(shm->name, flags, options->layout, 0, object->local);
        if (rc != MPROC_ESTATE || options->timeout == 0) {
            return rc;
        }
        if (mproc__deadline_passed(deadline)) {
            return mproc__fail(MPROC_ETIMEDOUT, "the shared memory %s did not get ready in time",
                               shm->name);
        }
        (void)mplat_wait(&shm->never, 0, mproc__deadline_slice(deadline, LOOK_NS), NULL, NULL);
    }
}

int mproc_shared_memory_open(mproc_shared_memory **ret_memory, const char *name,
                             const mproc_shared_memory_options *options)
{
    static const mproc_shared_memory_options defaults;
    struct mproc_object *object = NULL;
    options = options != NULL ? options : &defaults;
    if (ret_memory == NULL) {
        return no_memory("open");
    }
    if (options->auto_unlink || options->mode != 0 || options->max_size_bytes != 0) {
        return mproc__fail(MPROC_EINVAL, "open: auto_unlink, mode and max_size_bytes are chosen "
                                         "where shared memory is created");
    }
    int rc = check_name("open", name, &name);
    rc = rc < 0 ? rc : prepare(MPLAT_SEGMENT_AUTO, &object);
    if (rc < 0) {
        return rc;
    }
    memcpy(shm_of(object)->name, name, strlen(name) + 1);
    return finish(open_ready(object, options), object, ret_memory);
}

/* ---- the handle's own ------------------------------------------------------------------------ */

int mproc__shared_memory_open_local(struct mproc_object *object)
{
    const struct mproc__segment_shm *shm = shm_of(object);
    mplat_segment *segment = mproc__malloc(sizeof(*segment));
    if (segment == NULL) {
        return mproc__fail(MPROC_ENOMEM, "no memory for an object's handle");
    }
    int rc = mplat_segment_open(shm->name, shm->flags, 0, shm->id, segment);
    if (rc < 0) {
        mproc__free(segment);
        return rc;
    }
    object->local = segment;
    return MPROC_OK;
}

void mproc__shared_memory_close_local(struct mproc_object *object, bool is_held)
{
    mplat_segment_close(object->local);
    if (!is_held) {
        // The original may have been told that there was still a user: this copy. No longer.
        mproc__segment_end(shm_of(object));
    }
    mproc__free(object->local);
    object->local = NULL;
}

/* ---- use ------------------------------------------------------------------------------------- */

void *mproc_shared_memory_data(const mproc_shared_memory *memory)
{
    return memory != NULL ? segment_of(memory)->base : NULL;
}

size_t mproc_shared_memory_size(const mproc_shared_memory *memory)
{
    if (memory == NULL) {
        return 0;
    }
    const mplat_segment *segment = segment_of(memory);
    uint64_t size =
        segment->note != NULL ? mproc__load64_acquire(&segment->note->size) : segment->size;
    // Somebody may have written where he must not: never more than what is mapped.
    return (size_t)(size < segment->size ? size : segment->size);
}

/** Of what others will see; verb: what is asked for. */
static int check_writable(const mproc_shared_memory *memory, const char *verb)
{
    if (memory == NULL) {
        return no_memory(verb);
    }
    return (segment_of(memory)->flags & MPLAT_SEGMENT_READ_ONLY) != 0
               ? mproc__fail(MPROC_EINVAL, "%s: the shared memory %s was opened read-only", verb,
                             mproc_shared_memory_name(memory))
               : MPROC_OK;
}

int mproc_shared_memory_grow(mproc_shared_memory *memory, size_t size_bytes)
{
    int rc = check_writable(memory, "grow");
    if (rc < 0 || size_bytes <= mproc_shared_memory_size(memory)) {
        return rc;
    }
    mplat_segment *segment = memory->object.local;
    if (size_bytes > segment->size) {
        return mproc__fail(MPROC_ETOOBIG,
                           "grow: the shared memory %s cannot have more than %llu bytes",
                           mproc_shared_memory_name(memory), (unsigned long long)segment->size);
    }
    return mplat_segment_grow(mproc_shared_memory_name(memory), segment, size_bytes);
}

int mproc_shared_memory_publish(mproc_shared_memory *memory)
{
    int rc = check_writable(memory, "publish");
    mplat_segment_note *note = rc < 0 ? NULL : segment_of(memory)->note;
    if (note != NULL) {
        mproc__store32_release(&note->is_ready, 1); /* COMMIT: who opens it now finds all of it */
    }
    return rc;
}

const char *mproc_shared_memory_name(const mproc_shared_memory *memory)
{
    return memory != NULL ? shm_of(&memory->object)->name : NULL;
}

int mproc_shared_memory_unlink(mproc_shared_memory *memory)
{
    return memory != NULL
               ? mplat_segment_unlink(shm_of(&memory->object)->name, segment_of(memory)->id)
               : no_memory("unlink");
}
