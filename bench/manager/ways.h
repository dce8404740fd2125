/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways.h: ways to a dict that somebody else keeps.
 */
#ifndef MPROC_BENCH_MANAGER_WAYS_H
#define MPROC_BENCH_MANAGER_WAYS_H

#include <stddef.h>
#include <stdint.h>

enum { N_KEYS = 1000, MANY = 100 };

/* "key 0", "key 1" ...; all of them are there, with integers as their values. */
extern char keys[N_KEYS][16];

typedef struct way {
    const char *name;
    int (*open)(void **ret_client); /* BENCH_SKIPPED, BENCH_FAILED with a reason, or 0 */
    void (*close)(void *client);
    /* 0 if all is well. */
    int (*get)(void *client, int number);
    int (*set)(void *client, int number, int64_t value);
    int (*get_many)(void *client,
                    int first); /* MANY keys at once, from one that has so many behind it */
} way;

extern const way way_direct, way_family, way_local, way_tcp; /* ways_mproc.c */
extern const way way_redis;                                  /* ways_redis.c */

/* End what the ways have left running. */
void close_mproc(void);
void close_redis(void);

#endif
