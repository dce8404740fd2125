/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.c: a suite's probes and cases, the options, and the rounds.
 */
#include "bench.h"

#include "model.h"
#include "system.h"

#include <apr_fnmatch.h>
#include <apr_general.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS ((int64_t)1000000)

/* --quick promises 60 seconds; what a round or the end may still take is kept back. */
#define QUICK_BUDGET_NS (40000 * MS)

/* Slow probes are run once in so many rounds: more rounds of the quick ones are worth more. */
enum { SLOW_ROUNDS = 5 };

struct options {
    size_t rounds;
    int64_t slice_ns;
    int64_t budget_ns; /* 0: none */
    const char *only;
    const char *json;
    bool is_list;
};

static char reason[160];

const char *bench_reason(void)
{
    return reason;
}

BENCH_PRINTF(1, 0) static void set_reason(const char *format, va_list list)
{
    vsnprintf(reason, sizeof reason, format, list);
    // Windows ends its texts with a line break and blanks.
    size_t length = strlen(reason);
    while (length > 0 && strchr(" \r\n", reason[length - 1])) {
        reason[--length] = '\0';
    }
}

int bench_fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    set_reason(format, list);
    va_end(list);
    return BENCH_FAILED;
}

int bench_skip(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    set_reason(format, list);
    va_end(list);
    return BENCH_SKIPPED;
}

/* ---- building ---- */

/* A suite that has outgrown the tables is a mistake in its source: say so at once. */
static size_t take_place(size_t *count, size_t capacity, const char *what)
{
    if (*count == capacity) {
        fprintf(stderr, "bench: more than %zu %s: raise the limit in support/model.h\n", capacity,
                what);
        exit(2);
    }
    return (*count)++;
}

bench_probe *bench_add_probe(bench *b, const char *name, bench_run_fn run, const void *arg,
                             size_t n_figures)
{
    bench_probe *probe = &b->probes[take_place(&b->n_probes, BENCH_MAX_PROBES, "probes")];
    probe->name = name;
    probe->run = run;
    probe->arg = arg;
    probe->n_figures = n_figures;
    return probe;
}

void bench_set_slow(bench_probe *probe)
{
    probe->is_slow = true;
}

bench_case *bench_add_case(bench *b, const char *unit, bench_better better, const char *format, ...)
{
    bench_case *c = &b->cases[take_place(&b->n_cases, BENCH_MAX_CASES, "cases")];
    va_list list;
    va_start(list, format);
    vsnprintf(c->name, sizeof c->name, format, list);
    va_end(list);
    c->unit = unit;
    c->better = better;
    c->reference = -1;
    return c;
}

void bench_add_row(bench_case *c, const char *subject, bench_probe *probe, size_t figure)
{
    size_t place = take_place(&c->n_rows, BENCH_MAX_ROWS, "rows");
    c->rows[place] = (struct bench_row){subject, {probe, figure}};
}

void bench_add_reference(bench_case *c, const char *subject, bench_probe *probe, size_t figure)
{
    c->reference = (int)c->n_rows;
    bench_add_row(c, subject, probe, figure);
}

void bench_at_end(bench *b, void (*run)(void))
{
    b->at_end = run;
}

void bench_add_target(bench *b, double limit, const char *text, bench_figure above,
                      bench_figure below)
{
    size_t place = take_place(&b->n_targets, BENCH_MAX_TARGETS, "targets");
    b->targets[place] = (struct bench_target){limit, false, text, above, below};
}

void bench_add_least_target(bench *b, double limit, const char *text, bench_figure above,
                            bench_figure below)
{
    size_t place = take_place(&b->n_targets, BENCH_MAX_TARGETS, "targets");
    b->targets[place] = (struct bench_target){limit, true, text, above, below};
}

/* ---- options ---- */

static void print_help(const char *program, const char *suite)
{
    printf(
        "usage: %s [OPTION...]\n\n"
        "Benchmark '%s': mproc and its peers, interleaved in rounds; medians over the rounds.\n\n"
        "  --rounds N      rounds, 1 to %d (default 25)\n"
        "  --quick         fewer and shorter rounds, less than a minute in all\n"
        "  --only PATTERN  cases whose name contains PATTERN; * and ? are wildcards\n"
        "  --json FILE     write the figures to FILE, too\n"
        "  --list          name the cases and their subjects, run nothing\n"
        "  --help          this text\n",
        program, suite, BENCH_MAX_ROUNDS);
}

static int bad_usage(const char *what, const char *which)
{
    fprintf(stderr, "bench: %s '%s'; --help tells more\n", what, which);
    return -1;
}

static int take_rounds(struct options *options, const char *text)
{
    char *end;
    long rounds = strtol(text, &end, 10);
    if (*end != '\0' || rounds < 1 || rounds > BENCH_MAX_ROUNDS) {
        return bad_usage("no number of rounds:", text);
    }
    options->rounds = (size_t)rounds;
    return 0;
}

/* Takes argv[*i], and the one after it where that is its value. */
static int take_option(struct options *options, int argc, char **argv, int *i)
{
    const char *name = argv[*i];
    if (strcmp(name, "--quick") == 0) {
        options->rounds = 15;
        options->slice_ns = 20 * MS;
        options->budget_ns = QUICK_BUDGET_NS;
        return 0;
    }
    if (strcmp(name, "--list") == 0) {
        options->is_list = true;
        return 0;
    }
    bool is_rounds = strcmp(name, "--rounds") == 0;
    bool is_only = strcmp(name, "--only") == 0;
    if (!is_rounds && !is_only && strcmp(name, "--json") != 0) {
        return bad_usage("unknown option", name);
    }
    if (*i + 1 == argc) {
        return bad_usage("a value must follow", name);
    }
    const char *value = argv[++*i];
    if (is_rounds) {
        return take_rounds(options, value);
    }
    *(is_only ? &options->only : &options->json) = value;
    return 0;
}

static int take_options(struct options *options, int argc, char **argv)
{
    *options = (struct options){.rounds = 25, .slice_ns = 50 * MS};
    for (int i = 1; i < argc; i++) {
        int rc = take_option(options, argc, argv, &i);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- running ---- */

static bool matches(const char *name, const char *only)
{
    char pattern[128];
    snprintf(pattern, sizeof pattern, "*%s*", only);
    return apr_fnmatch(pattern, name, APR_FNM_CASE_BLIND) == APR_SUCCESS;
}

static size_t select_cases(bench *b, const char *only)
{
    size_t selected = 0;
    for (size_t i = 0; i < b->n_cases; i++) {
        bench_case *c = &b->cases[i];
        c->is_wanted = !only || matches(c->name, only);
        for (size_t row = 0; c->is_wanted && row < c->n_rows; row++) {
            c->rows[row].is.probe->is_wanted = true;
        }
        selected += c->is_wanted;
    }
    return selected;
}

static void run_probe(bench_probe *probe, int64_t slice_ns)
{
    double values[BENCH_MAX_FIGURES] = {0};
    reason[0] = '\0';
    // A forked child must not have text of ours to print once more.
    fflush(stdout);
    probe->state = probe->run(probe->arg, slice_ns, values);
    if (probe->state != 0) {
        snprintf(probe->reason, sizeof probe->reason, "%s", reason);
        fprintf(stderr, "bench: %s %s: %s\n", probe->name,
                probe->state == BENCH_SKIPPED ? "skipped" : "FAILED", reason);
        return;
    }
    for (size_t i = 0; i < probe->n_figures; i++) {
        probe->values[i][probe->rounds] = values[i];
    }
    probe->rounds++;
}

static bool is_late(const struct options *options, int64_t begin, int64_t part_ns, int64_t more_ns)
{
    return options->budget_ns > 0 && bench_now() - begin + more_ns > part_ns;
}

/*
 * Forth in even rounds and back in odd ones: nobody always follows the same neighbour. The slow ones
 * take no more than half of the time, but for their first round.
 */
static void run_round(bench *b, const struct options *options, size_t round, int64_t begin)
{
    int64_t part_ns = round == 0 ? options->budget_ns * 3 / 4 : options->budget_ns / 2;
    for (size_t i = 0; i < b->n_probes; i++) {
        bench_probe *probe = &b->probes[round % 2 == 0 ? i : b->n_probes - 1 - i];
        bool is_due =
            !probe->is_slow || (round % SLOW_ROUNDS == 0 && !is_late(options, begin, part_ns, 0));
        if (is_due && probe->is_wanted && probe->state == 0) {
            run_probe(probe, options->slice_ns);
        }
    }
}

static void run_rounds(bench *b, const struct options *options)
{
    int64_t begin = bench_now();
    int64_t shortest = 0;
    for (size_t round = 0; round < options->rounds; round++) {
        int64_t before = bench_now();
        if (round > 1 && is_late(options, begin, options->budget_ns, shortest)) {
            fprintf(stderr, "bench: out of time after %zu rounds\n", round);
            break;
        }
        run_round(b, options, round, begin);
        int64_t took = bench_now() - before;
        shortest = round == 0 || took < shortest ? took : shortest;
        fprintf(stderr, "bench: round %zu of %zu took %.1f s\n", round + 1, options->rounds,
                (double)took / 1e9);
    }
    if (b->at_end) {
        b->at_end();
    }
}

static void print_list(const bench *b)
{
    for (size_t i = 0; i < b->n_cases; i++) {
        const bench_case *c = &b->cases[i];
        if (!c->is_wanted) {
            continue;
        }
        printf("%s\n   ", c->name);
        for (size_t row = 0; row < c->n_rows; row++) {
            printf(" %s%s", c->rows[row].subject, row + 1 < c->n_rows ? "," : "\n");
        }
    }
}

static int run_suite(bench *b, const struct options *options)
{
    if (select_cases(b, options->only) == 0) {
        return bad_usage("no case is called like", options->only) < 0 ? 2 : 0;
    }
    if (options->is_list) {
        print_list(b);
        return 0;
    }
    run_rounds(b, options);
    bench_print(b);
    if (options->json && bench_write_json(b, options->json) < 0) {
        return 1;
    }
    for (size_t i = 0; i < b->n_probes; i++) {
        if (b->probes[i].state == BENCH_FAILED) {
            return 1;
        }
    }
    return 0;
}

int bench_main(int argc, char **argv, const char *suite, void (*build)(bench *b))
{
    struct options options;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(argv[0], suite);
            return 0;
        }
    }
    if (take_options(&options, argc, argv) < 0) {
        return 2;
    }
    bench *b = calloc(1, sizeof *b);
    if (!b || apr_initialize() != APR_SUCCESS) {
        fprintf(stderr, "bench: no memory\n");
        free(b);
        return 1;
    }
    b->suite = suite;
    bench_describe_machine(b->machine, sizeof b->machine);
    build(b);
    int status = run_suite(b, &options);
    free(b);
    apr_terminate();
    return status;
}
