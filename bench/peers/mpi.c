/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpi.c: Open MPI's blocking sends, as a host of bench_channel: the same figures between two ranks.
 *
 * Each request is a run of mpirun, which starts this program twice: ranks look for messages without end,
 * and must not take the processors from other subjects meanwhile.
 *
 * Requests, one a line:   stream SIZE SLICE_NS, pair SIZE SLICE_NS
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
#include <unistd.h>

enum { TAG = 1, COLD = 20, CHECK_EVERY = 16, LARGE = 1 << 20 };

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
    snprintf(command, sizeof command, "mpirun -n 2 --bind-to core '%s' %s", self, request);
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

static int run_rank(int argc, char **argv)
{
    int rank;
    int size = (int)strtol(argv[2], NULL, 10);
    int64_t slice_ns = strtoll(argv[3], NULL, 10);
    unsigned char *message = calloc(1, (size_t)size);
    if (!message) {
        return 1;
    }
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Barrier(MPI_COMM_WORLD);
    if (strcmp(argv[1], "pair") == 0) {
        ping_pong(rank, message, size, slice_ns);
    } else if (rank == 0) {
        produce(message, size, slice_ns);
    } else {
        consume(message, size);
    }
    MPI_Finalize();
    free(message);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        return run_rank(argc, argv);
    }
    // Open MPI refuses to be run by root unless it is told twice.
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
    (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
    return bench_host_serve(answer);
}
