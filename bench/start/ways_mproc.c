/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_mproc.c: mproc_process_start by each of its methods; stamps in a block that is an argument.
 */
#include "start.h"

#include "../support/bench.h"
#include "../support/system.h"

#include <mproc/arena.h>
#include <mproc/error.h>
#include <mproc/main.h>
#include <mproc/value.h>

#include <stdlib.h>
#include <string.h>

/* Nobody's start takes so long: a child that is not joined by then hangs. */
#define JOIN_SECONDS 30

struct mproc_way {
    struct start_way base; /* first: a start_way of ours is one of these */
    const char *method;
};

static mproc_block *stamps;
static mproc_block *payload_block;
static char *payload_bytes;
static enum start_payload payload_kind;

static int fail(const struct start_way *way, const char *what, int rc)
{
    return bench_fail("%s: %s: %s (%s)", way->name, what, mproc_strerror(rc), mproc_last_error());
}

/* ---- the child ---- */

static int leave_stamp(int64_t now, const mproc_block *block, int64_t index, const void *payload)
{
    if (payload && ((const char *)payload)[START_PAYLOAD_BYTES - 1] != 1) {
        return 1;
    }
    ((volatile int64_t *)mproc_block_data(block))[index] = now;
    return 0;
}

static int stamp(const mproc_args *args)
{
    int64_t now = bench_now();
    mproc_block *block;
    int64_t index;
    int rc = MPROC_UNPACK(args, &block, &index);
    return rc < 0 ? rc : leave_stamp(now, block, index, NULL);
}

static int stamp_with_block(const mproc_args *args)
{
    int64_t now = bench_now();
    mproc_block *block, *payload;
    int64_t index;
    int rc = MPROC_UNPACK(args, &block, &index, &payload);
    return rc < 0 ? rc : leave_stamp(now, block, index, mproc_block_data(payload));
}

static int stamp_with_bytes(const mproc_args *args)
{
    int64_t now = bench_now();
    mproc_block *block;
    mproc_bytes payload;
    int64_t index;
    int rc = MPROC_UNPACK(args, &block, &index, &payload);
    return rc < 0 ? rc : leave_stamp(now, block, index, payload.data);
}

/* ---- the parent ---- */

static int prepare_stamps(const struct start_way *way)
{
    int rc = stamps ? 0 : mproc_block_create(&stamps, START_BURST * sizeof(int64_t));
    return rc < 0 ? fail(way, "stamps", rc) : 0;
}

static int prepare_block(const struct start_way *way)
{
    int rc = mproc_block_create(&payload_block, START_PAYLOAD_BYTES);
    if (rc < 0) {
        return fail(way, "64 MiB block", rc);
    }
    memset(mproc_block_data(payload_block), 1, START_PAYLOAD_BYTES);
    return 0;
}

static int prepare_bytes(const struct start_way *way)
{
    payload_bytes = malloc(START_PAYLOAD_BYTES);
    if (!payload_bytes) {
        return bench_fail("%s: no memory", way->name);
    }
    memset(payload_bytes, 1, START_PAYLOAD_BYTES);
    return 0;
}

static int prepare(const struct start_way *way, enum start_payload payload)
{
    int rc = prepare_stamps(way);
    payload_kind = payload;
    if (rc == 0 && payload == START_BY_REFERENCE) {
        rc = prepare_block(way);
    } else if (rc == 0 && payload == START_BY_VALUE) {
        rc = prepare_bytes(way);
    }
    return rc;
}

static void clean(const struct start_way *way, enum start_payload payload)
{
    (void)way;
    (void)payload;
    mproc_block_close(payload_block);
    payload_block = NULL;
    free(payload_bytes);
    payload_bytes = NULL;
}

static int start(mproc_process **ret_process, int64_t index, const mproc_process_options *options)
{
    if (payload_kind == START_BY_REFERENCE) {
        return mproc_process_start(ret_process, stamp_with_block,
                                   MPROC_ARGS(stamps, index, payload_block), options);
    }
    if (payload_kind == START_BY_VALUE) {
        mproc_bytes bytes = {payload_bytes, START_PAYLOAD_BYTES};
        return mproc_process_start(ret_process, stamp_with_bytes, MPROC_ARGS(stamps, index, bytes),
                                   options);
    }
    return mproc_process_start(ret_process, stamp, MPROC_ARGS(stamps, index), options);
}

static int begin(const struct start_way *way, struct start_child *child, size_t index)
{
    const struct mproc_way *ours = (const struct mproc_way *)way;
    mproc_process_options options = {.context = mproc_get_context(ours->method)};
    child->stamp = (volatile int64_t *)mproc_block_data(stamps) + index;
    *child->stamp = 0;
    int rc = start(&child->mproc, (int64_t)index, &options);
    return rc < 0 ? fail(way, "start", rc) : 0;
}

static int finish(const struct start_way *way, struct start_child *child)
{
    int code = -1;
    int rc = mproc_process_join(child->mproc, mproc_seconds(JOIN_SECONDS));
    if (rc == MPROC_ETIMEDOUT) {
        bench_fail("%s: not joined in %d seconds", way->name, JOIN_SECONDS);
        mproc_process_kill(child->mproc);
        mproc_process_join(child->mproc, mproc_seconds(JOIN_SECONDS));
        mproc_process_close(child->mproc);
        return BENCH_FAILED;
    }
    int known = mproc_process_exit_code(child->mproc, &code);
    int closed = mproc_process_close(child->mproc);
    if (rc < 0) {
        return bench_fail("%s: join: %s; the child ended with %d", way->name, mproc_strerror(rc),
                          code);
    }
    if (known < 0 || closed < 0) {
        return fail(way, "after join", known < 0 ? known : closed);
    }
    return code == 0 ? 0 : bench_fail("%s: the child ended with %d", way->name, code);
}

static const struct mproc_way ways[] = {
    {{"mproc", "mproc spawn", prepare, clean, begin, finish}, "spawn"},
    {{"mproc", "mproc fork", prepare, clean, begin, finish}, "fork"},
    {{"mproc", "mproc forkserver", prepare, clean, begin, finish}, "forkserver"},
};

const struct start_way *start_mproc_way(const char *method)
{
    for (size_t i = 0; mproc_get_context(method) && i < sizeof ways / sizeof ways[0]; i++) {
        if (strcmp(ways[i].method, method) == 0) {
            return &ways[i].base;
        }
    }
    return NULL;
}
