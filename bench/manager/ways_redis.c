/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways_redis.c: a Redis of our own at a Unix socket, which keeps nothing on disk; its client is hiredis.
 */
#include "ways.h"

#include "../support/bench.h"

#include <hiredis/hiredis.h>
#include <mproc/mproc.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t server;
static char folder[] = "/tmp/mproc-bench-XXXXXX";
static char path[sizeof folder + 16];

static int start(void)
{
    if (server > 0) {
        return 0;
    }
    if (!mkdtemp(folder)) {
        return bench_fail("no folder for Redis");
    }
    snprintf(path, sizeof path, "%s/redis", folder);
    server = fork();
    if (server == 0) {
        FILE *null = freopen("/dev/null", "w", stdout);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
               "--appendonly", "no", "--dir", folder, (char *)NULL);
        _exit(null ? 127 : 126);
    }
    return server > 0 ? 0 : bench_fail("no process for Redis");
}

/* The server needs a while before it listens. */
static redisContext *reach(void)
{
    redisContext *c = NULL;
    for (int i = 0; i < 500; i++) {
        int status;
        c = redisConnectUnix(path);
        if (c && !c->err) {
            return c;
        }
        if (c) {
            redisFree(c);
        }
        if (waitpid(server, &status, WNOHANG) == server) {
            server = 0;
            return NULL;
        }
        usleep(10000);
    }
    return NULL;
}

static int check(redisReply *reply, int type)
{
    int rc = reply && reply->type == type ? 0 : -1;
    freeReplyObject(reply);
    return rc;
}

static int set(void *client, int number, int64_t value)
{
    return check(redisCommand(client, "SET %s %lld", keys[number], (long long)value),
                 REDIS_REPLY_STATUS);
}

static int open_redis(void **ret_client)
{
    int rc = start();
    redisContext *c = rc ? NULL : reach();
    if (rc || !c) {
        return rc ? rc : bench_skip("there is no redis-server");
    }
    for (int i = 0; i < N_KEYS && !rc; i++) {
        rc = set(c, i, i);
    }
    *ret_client = c;
    return rc ? bench_fail("Redis: %s", c->errstr) : 0;
}

static void close_client(void *client)
{
    redisFree(client);
}

static int get(void *client, int number)
{
    return check(redisCommand(client, "GET %s", keys[number]), REDIS_REPLY_STRING);
}

static int get_many(void *client, int first)
{
    int rc = 0;
    for (int i = 0; i < MANY; i++) {
        rc |= redisAppendCommand(client, "GET %s", keys[first + i]);
    }
    for (int i = 0; i < MANY; i++) {
        void *reply = NULL;
        rc |= redisGetReply(client, &reply) == REDIS_OK ? check(reply, REDIS_REPLY_STRING) : -1;
    }
    return rc;
}

void close_redis(void)
{
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
        server = 0;
        unlink(path);
        rmdir(folder);
    }
}

const way way_redis = {"Redis, Unix socket", open_redis, close_client, get, set, get_many};
