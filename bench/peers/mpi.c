/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi.c: Open MPI's blocking sends, as a host: the same figures between two ranks for bench_channel, from a
 * master and two workers for bench_pool.
 *
 * Each request is a run of mpirun, which starts this program: ranks look for messages without end, and must
 * not take the processors from other subjects meanwhile.
 *
 * Requests, one a line:   stream SIZE SLICE_NS, pair SIZE SLICE_NS,
 *                         tasks SIZE DEPTH SLICE_NS, one SIZE PAUSE_NS SLICE_NS
 *
 * tasks: tasks in a millisecond; each worker has DEPTH of them at a time. one: microseconds from sending a task
 * until its result is there, median and the 99th of a hundred.
 */
#include "../support/bench.h"
#include "../support/host.h"
#include "../support/system.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAG = 1, LAST = 2, COLD = 20, CHECK_EVERY = 16, LARGE = 1 << 20 };

#define COLD_NS ((int64_t)120000000)

/* ---- the host ---- */

static int answer(const char *request, double *ret_values, size_t *ret_count)
{
    char command[600];
    char line[200] = "";
    const char *self = bench_self();
    if (!self) {
        return bench_fail("the file of this program is not known");
    }
    bool is_pair = request[0] == 's' || request[0] == 'p';
    // Three ranks on two processors give way to each other when they have nothing to do.
    snprintf(command, sizeof command, "mpirun %s '%s' %s",
             is_pair ? "-n 2 --bind-to core" : "-n 3 --oversubscribe --bind-to none", self,
             request);
    FILE *run = popen(command, "r");
    bool has_line = run && fgets(line, sizeof line, run);
    if (!run || pclose(run) != 0 || !has_line) {
        return bench_skip("mpirun cannot run it");
    }
    char *at = line + strlen("ok");
    while (*ret_count < BENCH_MAX_FIGURES) {
        char *end;
        double value = strtod(at, &end);
        if (end == at) {
            break;
        }
        ret_values[(*ret_count)++] = value;
        at = end;
    }
    return 0;
}

/* ---- the ranks ---- */

static void ping_pong(int rank, unsigned char *message, int size, int64_t slice_ns)
{
    int64_t n = 0;
    int64_t begin = 0;
    int64_t now = 0;
    while (message[0] == 0) {
        if (rank == 0) {
            now = bench_now();
            begin = n == COLD ? now : begin;
            message[0] = n > COLD && now - begin > slice_ns;
            MPI_Send(message, size, MPI_BYTE, 1, TAG, MPI_COMM_WORLD);
        }
        MPI_Recv(message, size, MPI_BYTE, 1 - rank, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank == 1) {
            MPI_Send(message, size, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
        }
        n++;
    }
    if (rank == 0) {
        printf("ok %.9g 0\n", (double)(bench_now() - begin) / 1e3 / (double)(n - COLD) / 2);
    }
}

static void produce(unsigned char *message, int size, int64_t slice_ns)
{
    int64_t end = bench_now() + COLD_NS + 2 * slice_ns;
    int check_every = size < LARGE ? CHECK_EVERY : 1;
    while (bench_now() < end) {
        for (int i = 0; i < check_every; i++) {
            MPI_Send(message, size, MPI_BYTE, 1, TAG, MPI_COMM_WORLD);
        }
    }
    message[0] = 1;
    MPI_Send(message, size, MPI_BYTE, 1, TAG, MPI_COMM_WORLD);
}

static void consume(unsigned char *message, int size)
{
    int64_t begin = bench_now() + COLD_NS;
    int64_t n = 0;
    while (message[0] == 0) {
        MPI_Recv(message, size, MPI_BYTE, 0, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        n++;
        if ((n % CHECK_EVERY == 0 || size >= LARGE) && begin > 0 && bench_now() >= begin) {
            begin = -bench_now(); // from here on they count
            n = 0;
        }
    }
    double took = (double)(bench_now() + begin);
    printf("ok %.9g %.9g 1\n", (double)n / (took / 1e6), (double)n * size / took);
}

/* ---- a master and workers ---- */

static void work(unsigned char *message, int size)
{
    MPI_Status status;
    for (;;) {
        uint64_t number;
        MPI_Recv(message, size, MPI_BYTE, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == LAST) {
            return;
        }
        memcpy(&number, message, sizeof number);
        number++;
        memcpy(message, &number, sizeof number);
        MPI_Send(message, size, MPI_BYTE, 0, TAG, MPI_COMM_WORLD);
    }
}

static void give(int worker, unsigned char *message, int size)
{
    MPI_Send(message, size, MPI_BYTE, worker, TAG, MPI_COMM_WORLD);
}

/* Which worker has done one. */
static int take(unsigned char *message, int size)
{
    MPI_Status status;
    MPI_Recv(message, size, MPI_BYTE, MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &status);
    return status.MPI_SOURCE;
}

static void have_tasks_done(unsigned char *message, int size, int depth, int64_t slice_ns)
{
    int64_t n = 0;
    for (int i = 0; i < 2 * depth; i++) {
        give(1 + i % 2, message, size);
    }
    int64_t begin = bench_now();
    int64_t now = begin;
    while (now < begin + slice_ns) {
        for (int i = 0; i < 2 * depth; i++) {
            give(take(message, size), message, size);
        }
        n += 2 * (int64_t)depth;
        now = bench_now();
    }
    for (int i = 0; i < 2 * depth; i++) {
        take(message, size);
    }
    printf("ok %.9g\n", (double)n / ((double)(now - begin) / 1e6));
}

static void have_one_done(unsigned char *message, int size, int pause_ns, int64_t slice_ns)
{
    static double samples[BENCH_MAX_REPEATS];
    size_t n = 0;
    const struct timespec pause = {0, pause_ns};
    int64_t end = bench_now() + (pause_ns > 0 ? 4 : 1) * slice_ns;
    for (int i = -COLD; n < BENCH_MAX_REPEATS && (n < 3 || bench_now() < end); i++) {
        if (pause_ns > 0) {
            (void)nanosleep(&pause, NULL);
        }
        int64_t before = bench_now();
        give(1 + (int)(n % 2), message, size);
        take(message, size);
        if (i >= 0) {
            samples[n++] = (double)(bench_now() - before) / 1e3;
        }
    }
    double median = bench_median(samples, n); // sorts them
    printf("ok %.9g %.9g\n", median, samples[n * 99 / 100]);
}

static void run_crew(int rank, char **argv, unsigned char *message, int size)
{
    int number = (int)strtol(argv[3], NULL, 10);
    int64_t slice_ns = strtoll(argv[4], NULL, 10);
    if (rank > 0) {
        work(message, size);
        return;
    }
    (strcmp(argv[1], "tasks") == 0 ? have_tasks_done : have_one_done)(message, size, number,
                                                                      slice_ns);
    for (int worker = 1; worker <= 2; worker++) {
        MPI_Send(message, size, MPI_BYTE, worker, LAST, MPI_COMM_WORLD);
    }
}

static void run_pair(int rank, char **argv, unsigned char *message, int size)
{
    int64_t slice_ns = strtoll(argv[3], NULL, 10);
    if (strcmp(argv[1], "pair") == 0) {
        ping_pong(rank, message, size, slice_ns);
    } else if (rank == 0) {
        produce(message, size, slice_ns);
    } else {
        consume(message, size);
    }
}

static int run_rank(int argc, char **argv)
{
    int rank;
    int size = (int)strtol(argv[2], NULL, 10);
    unsigned char *message = calloc(1, (size_t)size);
    if (!message) {
        return 1;
    }
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Barrier(MPI_COMM_WORLD);
    (argc == 4 ? run_pair : run_crew)(rank, argv, message, size);
    MPI_Finalize();
    free(message);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return run_rank(argc, argv);
    }
    // Open MPI refuses to be run by root unless it is told twice.
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    return bench_host_serve(answer);
}
