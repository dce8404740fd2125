/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.c: both ends of the conversation with a host process.
 */
#include "host.h"

#include "bench.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 };

/* Longer than any slice: a host that is silent for so long hangs. */
#define ANSWER_SECONDS 120
#define END_SECONDS 10

/* SIGKILL, which not every signal.h knows. */
#define KILL_SIGNAL 9

struct bench_host {
    apr_pool_t *pool;
    apr_proc_t process;
};

static apr_status_t start_host(bench_host *host, const char *const *argv)
{
    apr_procattr_t *attributes;
    apr_status_t status = apr_procattr_create(&attributes, host->pool);
    if (status == APR_SUCCESS) {
        status = apr_procattr_io_set(attributes, APR_FULL_BLOCK, APR_FULL_BLOCK, APR_NO_PIPE);
    }
    if (status == APR_SUCCESS) {
        status = apr_procattr_cmdtype_set(attributes, APR_PROGRAM_PATH);
    }
    if (status == APR_SUCCESS) {
        status = apr_procattr_error_check_set(attributes, 1);
    }
    if (status == APR_SUCCESS) {
        status = apr_proc_create(&host->process, argv[0], argv, NULL, attributes, host->pool);
    }
    return status;
}

int bench_host_open(bench_host **ret_host, const char *const *argv)
{
    apr_pool_t *pool;
    if (apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return bench_skip("no memory");
    }
    bench_host *host = apr_pcalloc(pool, sizeof *host);
    host->pool = pool;
    apr_status_t status = start_host(host, argv);
    if (status != APR_SUCCESS) {
        char text[100];
        apr_strerror(status, text, sizeof text);
        apr_pool_destroy(pool);
        return bench_skip("%s cannot be started: %s", argv[0], text);
    }
    // Not every system has timeouts on pipes; then a host that hangs hangs us.
    apr_file_pipe_timeout_set(host->process.out, apr_time_from_sec(ANSWER_SECONDS));
    // The system may tell of a missing program, or of a missing script, only by its end.
    char line[LINE_BYTES];
    if (apr_file_gets(line, sizeof line, host->process.out) != APR_SUCCESS) {
        bench_host_close(host);
        return bench_skip("%s cannot be started", argv[0]);
    }
    *ret_host = host;
    return 0;
}

static int parse_values(const char *text, double *ret_values, size_t n_values)
{
    for (size_t i = 0; i < n_values; i++) {
        char *end;
        ret_values[i] = strtod(text, &end);
        if (end == text) {
            return bench_fail("the host gave %zu figures, not %zu", i, n_values);
        }
        text = end;
    }
    return 0;
}

static int parse_answer(char *line, double *ret_values, size_t n_values)
{
    line[strcspn(line, "\r\n")] = '\0';
    if (strncmp(line, "ok ", 3) == 0) {
        return parse_values(line + 3, ret_values, n_values);
    }
    if (strncmp(line, "skip ", 5) == 0) {
        return bench_skip("%s", line + 5);
    }
    if (strncmp(line, "fail ", 5) == 0) {
        return bench_fail("%s", line + 5);
    }
    return bench_fail("the host said '%s'", line);
}

int bench_host_ask(bench_host *host, const char *request, double *ret_values, size_t n_values)
{
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "%s\n", request);
    apr_status_t status = apr_file_write_full(host->process.in, line, strlen(line), NULL);
    if (status == APR_SUCCESS) {
        status = apr_file_gets(line, sizeof line, host->process.out);
    }
    if (APR_STATUS_IS_TIMEUP(status)) {
        return bench_fail("the host did not answer in %d seconds", ANSWER_SECONDS);
    }
    if (status != APR_SUCCESS) {
        return bench_fail("the host has ended");
    }
    return parse_answer(line, ret_values, n_values);
}

void bench_host_close(bench_host *host)
{
    if (!host) {
        return;
    }
    // The end of its input tells it to go.
    apr_file_close(host->process.in);
    for (int tries = 0; tries < END_SECONDS * 100; tries++) {
        apr_status_t status = apr_proc_wait(&host->process, NULL, NULL, APR_NOWAIT);
        if (!APR_STATUS_IS_CHILD_NOTDONE(status)) {
            apr_pool_destroy(host->pool);
            return;
        }
        apr_sleep(10000);
    }
    apr_proc_kill(&host->process, KILL_SIGNAL);
    apr_proc_wait(&host->process, NULL, NULL, APR_WAIT);
    apr_pool_destroy(host->pool);
}

/* ---- in the host ---- */

static void print_answer(int rc, const double *values, size_t count)
{
    if (rc != 0) {
        printf("%s %s\n", rc == BENCH_SKIPPED ? "skip" : "fail", bench_reason());
        return;
    }
    printf("ok");
    for (size_t i = 0; i < count; i++) {
        printf(" %.9g", values[i]);
    }
    printf("\n");
}

int bench_host_serve(bench_answer_fn answer)
{
    char line[LINE_BYTES];
    printf("ready\n");
    if (fflush(stdout) != 0) {
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        double values[BENCH_MAX_FIGURES] = {0};
        size_t count = 0;
        line[strcspn(line, "\r\n")] = '\0';
        int rc = answer(line, values, &count);
        print_answer(rc, values, count);
        if (fflush(stdout) != 0) {
            return 1;
        }
    }
    return 0;
}
