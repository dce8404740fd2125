/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_containers.c: the shared dict and list, beside the same in one process's own memory: an apr_hash
 * with a mutex around each call, whose values are copied in and out as well.
 */
#include "support/bench.h"
#include "support/system.h"

#include <apr_general.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <mproc/mproc.h>

#include <stdlib.h>
#include <string.h>

enum { N_KEYS = 1000, BATCH = 2000, TEXT = 100, MANY = 100 };

static char keys[N_KEYS][16];
static mproc_value texts[N_KEYS]; /* small integers, and texts behind them */

/* What is measured once a BATCH; 0 if all is well. */
typedef int (*loop_fn)(void *container, const mproc_value *value);

/* ---- mproc ---- */

static int set_shared(void *container, const mproc_value *value)
{
    int failed = 0;
    for (int i = 0; i < BATCH; i++) {
        failed |= mproc_dict_set(container, MPROC_VALUE((const char *)keys[i % N_KEYS]), *value);
    }
    return failed;
}

static int get_shared(void *container, const mproc_value *value)
{
    int failed = 0;
    (void)value;
    for (int i = 0; i < BATCH; i++) {
        mproc_value found;
        failed |= mproc_dict_get(container, MPROC_VALUE((const char *)keys[i % N_KEYS]), &found);
        mproc_value_clear(&found);
    }
    return failed;
}

static int get_many_shared(void *container, const mproc_value *value)
{
    mproc_value wanted[MANY];
    int failed = 0;
    (void)value;
    for (int i = 0; i < BATCH; i += MANY) {
        mproc_value found;
        for (int k = 0; k < MANY; k++) {
            wanted[k] = MPROC_VALUE((const char *)keys[(i + k) % N_KEYS]);
        }
        failed |= mproc_dict_get_many(container, wanted, MANY, &found);
        mproc_value_clear(&found);
    }
    return failed;
}

static int increment_shared(void *container, const mproc_value *value)
{
    int failed = 0;
    (void)value;
    for (int i = 0; i < BATCH; i++) {
        failed |=
            mproc_dict_increment(container, MPROC_VALUE((const char *)keys[i % N_KEYS]), 1, NULL);
    }
    return failed;
}

static int update_shared(void *container, const mproc_value *value)
{
    mproc_pair pairs[MANY];
    int failed = 0;
    for (int i = 0; i < BATCH; i += MANY) {
        for (int k = 0; k < MANY; k++) {
            pairs[k].key = MPROC_VALUE((const char *)keys[(i + k) % N_KEYS]);
            pairs[k].value = *value;
        }
        failed |= mproc_dict_update(container, mproc__value_map(pairs, MANY));
    }
    return failed;
}

static int queue_shared(void *container, const mproc_value *value)
{
    int failed = 0;
    for (int i = 0; i < BATCH; i++) {
        mproc_value found;
        failed |= mproc_list_append(container, *value, NULL);
        failed |= mproc_list_pop(container, 0, &found);
        mproc_value_clear(&found);
    }
    return failed;
}

/* ---- in this process alone ---- */

struct plain {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    apr_hash_t *hash;
};

struct plain_value {
    size_t size;
    char data[];
};

static size_t size_of(const mproc_value *value)
{
    return value->type == MPROC_STRING ? value->as.string.size : sizeof value->as.integer;
}

static int set_plain(void *container, const mproc_value *value)
{
    struct plain *plain = container;
    for (int i = 0; i < BATCH; i++) {
        struct plain_value *copy = malloc(sizeof *copy + size_of(value));
        if (!copy) {
            return -1;
        }
        copy->size = size_of(value);
        memcpy(copy->data,
               value->type == MPROC_STRING ? (const void *)value->as.string.data
                                           : (const void *)&value->as.integer,
               copy->size);
        apr_thread_mutex_lock(plain->mutex);
        void *old = apr_hash_get(plain->hash, keys[i % N_KEYS], APR_HASH_KEY_STRING);
        apr_hash_set(plain->hash, keys[i % N_KEYS], APR_HASH_KEY_STRING, copy);
        apr_thread_mutex_unlock(plain->mutex);
        free(old);
    }
    return 0;
}

static int get_plain(void *container, const mproc_value *value)
{
    struct plain *plain = container;
    (void)value;
    for (int i = 0; i < BATCH; i++) {
        char small[16];
        apr_thread_mutex_lock(plain->mutex);
        const struct plain_value *found =
            apr_hash_get(plain->hash, keys[i % N_KEYS], APR_HASH_KEY_STRING);
        char *copy = found && found->size > sizeof small ? malloc(found->size) : small;
        if (found && copy) {
            memcpy(copy, found->data, found->size);
        }
        apr_thread_mutex_unlock(plain->mutex);
        if (!found || !copy) {
            return -1;
        }
        if (copy != small) {
            free(copy);
        }
    }
    return 0;
}

static int increment_plain(void *container, const mproc_value *value)
{
    struct plain *plain = container;
    (void)value;
    for (int i = 0; i < BATCH; i++) {
        apr_thread_mutex_lock(plain->mutex);
        struct plain_value *found =
            apr_hash_get(plain->hash, keys[i % N_KEYS], APR_HASH_KEY_STRING);
        int64_t number;
        memcpy(&number, found->data, sizeof number);
        number++;
        memcpy(found->data, &number, sizeof number);
        apr_thread_mutex_unlock(plain->mutex);
    }
    return 0;
}

/* ---- probes ---- */

struct work {
    const char *name;
    loop_fn shared, plain;
    bool is_list, is_text;
};

static const struct work works[] = {
    {"dict: get an integer", get_shared, get_plain, false, false},
    {"dict: get 100 bytes", get_shared, get_plain, false, true},
    {"dict: set an integer", set_shared, set_plain, false, false},
    {"dict: set 100 bytes", set_shared, set_plain, false, true},
    {"dict: increment", increment_shared, increment_plain, false, false},
    {"dict: get of 100, each", get_many_shared, get_plain, false, false},
    {"dict: update of 100, each", update_shared, set_plain, false, false},
    {"list: append and pop first, an integer", queue_shared, NULL, true, false},
    {"list: append and pop first, 100 bytes", queue_shared, NULL, true, true},
};

static int repeat(const struct work *work, loop_fn loop, void *container, int64_t slice_ns,
                  double *ret_value)
{
    static double samples[BENCH_MAX_REPEATS];
    const mproc_value *value = &texts[work->is_text ? 1 : 0];
    size_t count = 0;
    int failed = loop(container, value); // cold
    int64_t end = bench_now() + slice_ns;
    while (failed == 0 && count < BENCH_MAX_REPEATS && (count < 3 || bench_now() < end)) {
        int64_t before = bench_now();
        failed = loop(container, value);
        samples[count++] = (double)(bench_now() - before) / BATCH;
    }
    *ret_value = bench_median(samples, count);
    return failed == 0 ? 0 : bench_fail("%s: a call failed", work->name);
}

static int run_shared(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct work *work = arg;
    mproc_dict *dict = NULL;
    mproc_list *list = NULL;
    if (mproc_dict_create(&dict) < 0 || mproc_list_create(&list) < 0 ||
        set_shared(dict, &texts[work->is_text ? 1 : 0]) != 0) {
        return bench_fail("%s: %s", work->name, mproc_last_error());
    }
    int rc = repeat(work, work->shared, work->is_list ? (void *)list : (void *)dict, slice_ns,
                    ret_values);
    mproc_list_close(list);
    mproc_dict_close(dict);
    return rc;
}

static int run_plain(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct work *work = arg;
    struct plain plain;
    if (apr_pool_create(&plain.pool, NULL) != APR_SUCCESS ||
        apr_thread_mutex_create(&plain.mutex, APR_THREAD_MUTEX_UNNESTED, plain.pool) !=
            APR_SUCCESS) {
        return bench_fail("%s: no mutex", work->name);
    }
    plain.hash = apr_hash_make(plain.pool);
    int rc = set_plain(&plain, &texts[work->is_text ? 1 : 0]);
    rc = rc == 0 ? repeat(work, work->plain, &plain, slice_ns, ret_values)
                 : bench_fail("%s: no memory", work->name);
    for (int i = 0; i < N_KEYS; i++) {
        free(apr_hash_get(plain.hash, keys[i], APR_HASH_KEY_STRING));
    }
    apr_pool_destroy(plain.pool);
    return rc;
}

static void build(bench *b)
{
    static char text[TEXT + 1];
    memset(text, 'x', TEXT);
    texts[0] = MPROC_VALUE(12345);
    texts[1] = MPROC_VALUE((const char *)text);
    for (int i = 0; i < N_KEYS; i++) {
        apr_snprintf(keys[i], sizeof keys[i], "key %d", i);
    }
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        bench_case *c = bench_add_case(b, "ns", BENCH_LOWER, "%s", works[i].name);
        bench_probe *shared = bench_add_probe(b, works[i].name, run_shared, &works[i], 1);
        bench_add_row(c, "mproc", shared, 0);
        if (works[i].plain) {
            bench_probe *plain = bench_add_probe(b, works[i].name, run_plain, &works[i], 1);
            bench_add_reference(c, "apr_hash and a mutex, private", plain, 0);
            bench_add_target(b, 0, works[i].name, (bench_figure){shared, 0},
                             (bench_figure){plain, 0});
        }
    }
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);
    apr_initialize();
    return bench_main(argc, argv, "containers", build);
}
