/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jobs.c: runs jobs here or in a host: this program once more, or Python.
 *
 * Why   A gigabyte of heap makes fork slow for everything the process starts from then on, and the
 *       first start of a process comes only once: both need a parent of their own.
 */
#include "jobs.h"

#include "../support/bench.h"
#include "../support/host.h"
#include "../support/system.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef BENCH_SOURCE_DIR
#define BENCH_SOURCE_DIR "."
#endif

/* Hosts that live over all rounds; opened when first needed. */
static bench_host *hosts[2][START_FRESH];

static const char *const methods[] = {"spawn", "fork", "forkserver"};

/* Both ends of a conversation are this program: a way is known by its number. */
static const struct start_way *way_number(size_t number)
{
    if (number < 3) {
        return start_mproc_way(methods[number]);
    }
    const struct start_way *const others[] = {start_bare_fork, start_same_program, start_vfork,
                                              &start_apr_process, &start_apr_thread};
    number -= 3;
    return number < sizeof others / sizeof others[0] ? others[number] : NULL;
}

static size_t number_of_way(const struct start_way *way)
{
    size_t number = 0;
    while (way_number(number) != way) {
        number++;
    }
    return number;
}

/* ---- asking ---- */

static int open_host(bench_host **ret_host, const struct start_job *job)
{
    char bytes[32];
    size_t heap = job->place == START_LARGE ? START_LARGE_HEAP_BYTES : 0;
    snprintf(bytes, sizeof bytes, "%zu", heap);
    if (job->python_method) {
        const char *argv[] = {start_python_program, BENCH_SOURCE_DIR "/peers/start.py", bytes,
                              NULL};
        return bench_host_open(ret_host, argv);
    }
    const char *argv[] = {bench_self(), START_HOST_FLAG, bytes, NULL};
    if (!argv[0]) {
        return bench_skip("the program's own file is not known");
    }
    return bench_host_open(ret_host, argv);
}

static int ask(bench_host *host, const struct start_job *job, int64_t slice_ns, double *ret_values)
{
    const struct start_probe *probe = &job->probe;
    char request[160];
    if (job->python_method) {
        int bytes = probe->payload == START_BY_VALUE ? START_PAYLOAD_BYTES : 0;
        snprintf(request, sizeof request, "%s %zu %d %d %" PRId64, job->python_method,
                 probe->n_children, bytes, probe->is_first, slice_ns);
    } else {
        snprintf(request, sizeof request, "%zu %zu %d %d %" PRId64 " %" PRId64,
                 number_of_way(probe->way), probe->n_children, (int)probe->payload, probe->is_first,
                 probe->pause_us, slice_ns);
    }
    return bench_host_ask(host, request, ret_values, START_FIGURES);
}

static int run_fresh(const struct start_job *job, int64_t slice_ns, double *ret_values)
{
    bench_host *host = NULL;
    int rc = open_host(&host, job);
    if (rc != 0) {
        return rc;
    }
    rc = ask(host, job, slice_ns, ret_values);
    bench_host_close(host);
    return rc;
}

int start_run_job(const void *arg, int64_t slice_ns, double *ret_values)
{
    const struct start_job *job = arg;
    if (job->place == START_HERE && !job->python_method) {
        return start_measure(&job->probe, slice_ns, ret_values);
    }
    if (job->place == START_FRESH) {
        return run_fresh(job, slice_ns, ret_values);
    }
    bench_host **host = &hosts[job->python_method != NULL][job->place];
    int rc = *host ? 0 : open_host(host, job);
    if (rc != 0) {
        return rc;
    }
    rc = ask(*host, job, slice_ns, ret_values);
    if (rc == BENCH_FAILED) {
        // It may hang or have crashed; the other subjects shall not suffer for it.
        bench_host_close(*host);
        *host = NULL;
    }
    return rc;
}

void start_close_hosts(void)
{
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t place = 0; place < START_FRESH; place++) {
            bench_host_close(hosts[kind][place]);
            hosts[kind][place] = NULL;
        }
    }
}

/* ---- answering ---- */

/* The numbers of a request; ask() writes them. */
enum { WAY, N_CHILDREN, PAYLOAD, IS_FIRST, PAUSE_US, SLICE_NS, REQUEST_NUMBERS };

static int parse_request(const char *request, int64_t ret_numbers[REQUEST_NUMBERS])
{
    const char *at = request;
    for (int i = 0; i < REQUEST_NUMBERS; i++) {
        char *end;
        ret_numbers[i] = strtoll(at, &end, 10);
        if (end == at || ret_numbers[i] < 0) {
            return bench_fail("the host does not understand '%s'", request);
        }
        at = end;
    }
    return 0;
}

static int answer(const char *request, double *ret_values, size_t *ret_count)
{
    int64_t numbers[REQUEST_NUMBERS] = {0};
    int rc = parse_request(request, numbers);
    if (rc != 0) {
        return rc;
    }
    struct start_probe probe = {
        .way = way_number((size_t)numbers[WAY]),
        .n_children = (size_t)numbers[N_CHILDREN],
        .payload = (enum start_payload)numbers[PAYLOAD],
        .is_first = numbers[IS_FIRST] != 0,
        .pause_us = numbers[PAUSE_US],
    };
    if (!probe.way || probe.n_children > START_BURST) {
        return bench_fail("the host cannot do '%s'", request);
    }
    *ret_count = START_FIGURES;
    return start_measure(&probe, numbers[SLICE_NS], ret_values);
}

static int answer_no_memory(const char *request, double *ret_values, size_t *ret_count)
{
    (void)request;
    ret_values[0] = 0;
    *ret_count = 0;
    return bench_skip("no memory for the large heap");
}

int start_host_main(const char *heap_bytes)
{
    size_t size = (size_t)strtoull(heap_bytes, NULL, 10);
    char *volatile heap = size > 0 ? malloc(size) : NULL;
    for (size_t i = 0; heap && i < size; i += 4096) {
        heap[i] = 1;
    }
    int status = bench_host_serve(size > 0 && !heap ? answer_no_memory : answer);
    free(heap);
    return status;
}
