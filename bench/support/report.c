/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c: a suite's figures as a table and as JSON.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof *values, compare_doubles);
    size_t middle = count / 2;
    return count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

struct bench_summary bench_summarize(bench_figure figure)
{
    double values[BENCH_MAX_ROUNDS];
    size_t count = 0;
    for (size_t i = 0; i < figure.probe->rounds; i++) {
        values[count++] = figure.probe->values[figure.figure][i];
    }
    double median = bench_median(values, count); // sorted from here on
    if (count == 0) {
        return (struct bench_summary){0};
    }
    return (struct bench_summary){count, median, values[0], values[count - 1]};
}

/* ---- the table ---- */

/* Three significant digits at least, no more noise than that. */
static void print_value(double value)
{
    int digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 1 ? 2 : 3;
    printf(" %11.*f", digits, value);
}

static void print_row(const bench_case *c, const struct bench_row *row, double reference)
{
    struct bench_summary s = bench_summarize(row->is);
    printf("  %-26s", row->subject);
    const bench_probe *probe = row->is.probe;
    if (s.count == 0 || probe->state == BENCH_FAILED) {
        const char *word = probe->state == BENCH_FAILED ? "FAILED" : "skipped";
        printf(" %11s  %s\n", probe->state == 0 ? "-" : word, probe->reason);
        return;
    }
    print_value(s.median);
    print_value(s.min);
    print_value(s.max);
    if (reference > 0) {
        printf("   %8.2f%s", s.median / reference, row == &c->rows[c->reference] ? " =" : "");
    }
    printf("\n");
}

static void print_case(const bench_case *c)
{
    double reference = 0;
    char ratio[64] = "";
    if (c->reference >= 0) {
        reference = bench_summarize(c->rows[c->reference].is).median;
        snprintf(ratio, sizeof ratio, "x %s", c->rows[c->reference].subject);
    }
    printf("\n%s  (%s, %s is better)\n", c->name, c->unit,
           c->better == BENCH_LOWER ? "lower" : "higher");
    printf("  %-26s %11s %11s %11s   %s\n", "", "median", "lowest", "highest", ratio);
    for (size_t i = 0; i < c->n_rows; i++) {
        print_row(c, &c->rows[i], reference);
    }
}

static void print_target(const struct bench_target *target)
{
    struct bench_summary above = bench_summarize(target->above);
    struct bench_summary below = {1, 1, 1, 1};
    if (target->below.probe) {
        below = bench_summarize(target->below);
    }
    printf("  %-66s", target->text);
    if (above.count == 0 || below.count == 0 || !(below.median > 0)) {
        printf(" not measured\n");
        return;
    }
    double ratio = above.median / below.median;
    if (target->limit > 0) {
        bool is_reached = target->is_least ? ratio >= target->limit : ratio <= target->limit;
        printf(" %6.2f, at %s %.2f: %s\n", ratio, target->is_least ? "least" : "most",
               target->limit, is_reached ? "reached" : "MISSED");
    } else {
        printf(" %6.2f\n", ratio);
    }
}

static void print_targets(const bench *b)
{
    bool is_first = true;
    for (size_t i = 0; i < b->n_targets; i++) {
        const struct bench_target *target = &b->targets[i];
        const bench_probe *below = target->below.probe;
        if (!target->above.probe->is_wanted || (below && !below->is_wanted)) {
            continue;
        }
        if (is_first) {
            printf("\ntargets  (ratios of medians of this run; for information)\n");
            is_first = false;
        }
        print_target(target);
    }
}

void bench_print(const bench *b)
{
    printf("Benchmark %s: median, lowest and highest of the rounds; %s\n", b->suite, b->machine);
    for (size_t i = 0; i < b->n_cases; i++) {
        if (b->cases[i].is_wanted) {
            print_case(&b->cases[i]);
        }
    }
    print_targets(b);
    fflush(stdout);
}

/* ---- JSON ---- */

static void write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', file);
        }
        fputc(*text, file);
    }
    fputc('"', file);
}

static void write_member(FILE *file, const char *name, const char *value)
{
    fprintf(file, "\"%s\":", name);
    write_string(file, value);
    fputc(',', file);
}

static void write_row(FILE *file, const bench *b, const bench_case *c, const struct bench_row *row,
                      const struct bench_summary *s)
{
    fputc('{', file);
    write_member(file, "suite", b->suite);
    write_member(file, "case", c->name);
    write_member(file, "subject", row->subject);
    fprintf(file, "\"value\":%.6g,", s->median);
    write_member(file, "unit", c->unit);
    write_member(file, "better", c->better == BENCH_LOWER ? "lower" : "higher");
    fprintf(file, "\"min\":%.6g,\"max\":%.6g,\"repeats\":%zu}", s->min, s->max, s->count);
}

int bench_write_json(const bench *b, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        return -1;
    }
    const char *separator = "[\n";
    for (size_t i = 0; i < b->n_cases; i++) {
        const bench_case *c = &b->cases[i];
        for (size_t row = 0; c->is_wanted && row < c->n_rows; row++) {
            struct bench_summary s = bench_summarize(c->rows[row].is);
            if (s.count > 0 && c->rows[row].is.probe->state != BENCH_FAILED) {
                fputs(separator, file);
                write_row(file, b, c, &c->rows[row], &s);
                separator = ",\n";
            }
        }
    }
    fputs(separator[0] == '[' ? "[]\n" : "\n]\n", file);
    if (fclose(file) != 0) {
        perror(path);
        return -1;
    }
    return 0;
}
