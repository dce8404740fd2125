/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h: what bench_pool compares, and how it measures.
 *
 * A *way* hands tasks to two workers and has their results: ways_mproc.c on every system; ways_apr.c,
 * ways_glib.c, ways_openmp.c and ways_tbb.cpp are threads of this process, compiled where their library is.
 * Python and Open MPI run in hosts, see ../peers.
 */
#ifndef MPROC_BENCH_POOL_H
#define MPROC_BENCH_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    POOL_WORKERS = 2,
    POOL_NUMBER = 8, /* bytes of a task that is empty but for a number */
    POOL_KIB = 1 << 10,
    POOL_MIB = 1 << 20
};

/*
 * Tasks that are handed over together: task i has the `size` bytes at in + i * size and gives as many,
 * to be written at out + i * size. They are the same, but that the first eight are a number one higher.
 *
 * Both lie in shared arrays of mproc's, for ways that work on them in place.
 */
struct pool_batch {
    size_t size, count;
    const unsigned char *in;
    unsigned char *out;
    struct mproc_array *in_array, *out_array;
};

#ifdef BENCH_SOURCE_DIR
#define POOL_SCRIPT BENCH_SOURCE_DIR "/peers/pool.py"
#else
#define POOL_SCRIPT "peers/pool.py"
#endif

/* What a task does, given where its bytes are. */
static inline void pool_task(const unsigned char *in, unsigned char *out, size_t size)
{
    uint64_t number;
    memcpy(&number, in, sizeof number);
    number++;
    memcpy(out, &number, sizeof number);
    if (size > sizeof number) {
        memcpy(out + sizeof number, in + sizeof number, size - sizeof number);
    }
}

static inline void pool_run_task(const struct pool_batch *batch, size_t index)
{
    size_t at = index * batch->size;
    pool_task(batch->in + at, batch->out + at, batch->size);
}

/* Which cases a way is part of: one bit for each. */
enum pool_part {
    POOL_SUBMIT = 1,    /* one call for each task */
    POOL_MAP = 2,       /* one call for all, which chooses how many go together */
    POOL_MAP_ONE = 4,   /* the same, each task by itself */
    POOL_UNORDERED = 8, /* results one after the other as they come, each task by itself */
    POOL_ARRAY = 16,    /* plain numbers in arrays */
    POOL_ONE = 32,      /* a single task, from its submission to its result, again and again */
    POOL_ASLEEP = 64,   /* the same with pauses */
    POOL_PAYLOAD = 128, /* tasks of 1 KiB and 1 MiB */
    POOL_STOP = 256     /* starting and stopping it */
};

struct pool_way {
    const char *subject;
    unsigned parts;
    int option; /* as the way pleases */

    /* Have a pool, call measure(arg) and return what it returns, or why there is none. */
    int (*with)(const struct pool_way *way, int (*measure)(void *arg), void *arg);
    /* Inside of that: have all tasks done. Not 0: it failed. */
    int (*run)(const struct pool_way *way, const struct pool_batch *batch);
};

/* All ways of a file, up to one without subject. */
extern const struct pool_way pool_mproc_ways[], pool_apr_ways[], pool_glib_ways[];
extern const struct pool_way pool_openmp_ways[], pool_tbb_ways[];

/*
 * ---- crowd.c: for peers that are threads of this process. A task is told its number, and counts down when it
 * is done, for most of them have no other way to know that all are. ----
 */

int pool_crowd_open(void);
void pool_crowd_close(void);
void pool_crowd_begin(const struct pool_batch *batch);
/* In a thread. */
void pool_crowd_do(size_t index);
/* Until all of the batch are done. */
void pool_crowd_await(void);

/* ---- probes: each a bench_run_fn with a struct pool_probe ---- */

struct pool_probe {
    const struct pool_way *way;
    size_t size;
    int64_t pause_ns; /* before each single task */
};

/* Batch after batch: tasks in a millisecond. */
int pool_run_rate(const void *arg, int64_t slice_ns, double *ret_values);

enum pool_figure { POOL_MEDIAN, POOL_P99, POOL_FIGURES };

/* One task at a time: microseconds until its result is there. */
int pool_run_one(const void *arg, int64_t slice_ns, double *ret_values);

/* Start, two tasks, stop: microseconds. */
int pool_run_stop(const void *arg, int64_t slice_ns, double *ret_values);

/* ---- a real job, the one of ../../examples/checksums.c: the same files for all ---- */

struct file_list;
struct file_summary;

enum { POOL_FILES_CHUNK = 4 }; /* the example's */

/* Add up what there is to know about the files, see ../../examples/files.h. As a bench_run_fn returns. */
typedef int (*pool_files_fn)(const struct file_list *list, struct file_summary *ret_total);

int pool_files_alone(const struct file_list *files, struct file_summary *ret_total);
int pool_files_python(const struct file_list *files, struct file_summary *ret_total);
int pool_files_xargs(const struct file_list *list, struct file_summary *ret_total);
int pool_files_openmp(const struct file_list *list, struct file_summary *ret_total);
int pool_files_mproc(const struct file_list *list, struct file_summary *ret_total);
int pool_files_mproc_unordered(const struct file_list *list, struct file_summary *ret_total);

struct pool_files_probe {
    pool_files_fn run;
};

/* A bench_run_fn: milliseconds. All must come to the same. */
int pool_run_files(const void *arg, int64_t slice_ns, double *ret_values);
void pool_close_files(void);

/* The file that names them; each ends with a zero. */
const char *pool_files_listing(void);

#ifdef __cplusplus
}
#endif

#endif
