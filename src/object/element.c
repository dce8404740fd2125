/* SPDX-License-Identifier: Apache-2.0 */
/*
 * element.c: see element.h.
 */
#include "object/element.h"

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define INTEGER MPROC__ELEMENT_INTEGER
#define SIGNED (MPROC__ELEMENT_INTEGER | MPROC__ELEMENT_SIGNED)
#define BOOL (MPROC__ELEMENT_INTEGER | MPROC__ELEMENT_BOOL)
#define REAL MPROC__ELEMENT_REAL

static const struct mproc__element elements[] = {
    {sizeof(char), 'c', 0, {0}},
    {sizeof(signed char), 'b', SIGNED, {0}},
    {sizeof(unsigned char), 'B', INTEGER, {0}},
    {sizeof(bool), '?', BOOL, {0}},
    {sizeof(wchar_t), 'u', 0, {0}},
    {sizeof(short), 'h', SIGNED, {0}},
    {sizeof(unsigned short), 'H', INTEGER, {0}},
    {sizeof(int), 'i', SIGNED, {0}},
    {sizeof(unsigned), 'I', INTEGER, {0}},
    {sizeof(long), 'l', SIGNED, {0}},
    {sizeof(unsigned long), 'L', INTEGER, {0}},
    {sizeof(long long), 'q', SIGNED, {0}},
    {sizeof(unsigned long long), 'Q', INTEGER, {0}},
    {sizeof(float), 'f', REAL, {0}},
    {sizeof(double), 'd', REAL, {0}},
};

/* What mproc/array.h promises. */
_Static_assert(sizeof(short) == 2 && sizeof(int) == 4 && sizeof(long long) == 8, "h, i and q");
_Static_assert(sizeof(bool) == 1 && sizeof(float) == 4 && sizeof(double) == 8, "?, f and d");
_Static_assert(sizeof(struct mproc__element) == 16, "part of an array's head");

int mproc__element_of(char typecode, struct mproc__element *ret_element)
{
    for (size_t i = 0; i < MPROC__COUNT(elements); i++) {
        if (elements[i].typecode == typecode) {
            *ret_element = elements[i];
            return MPROC_OK;
        }
    }
    const char text[] = {typecode, '\0'};
    return mproc__fail(MPROC_EINVAL, "a typecode is one of c b B ? u h H i I l L q Q f d, not '%s'",
                       text);
}

int mproc__element_of_size(size_t size, struct mproc__element *ret_element)
{
    if (size == 0) {
        return mproc__fail(MPROC_EINVAL, "create: an element has a size of at least one byte");
    }
    *ret_element = (struct mproc__element){.size = size};
    return MPROC_OK;
}

static int lacks(const struct mproc__element *element, const char *what)
{
    return element->typecode == '\0'
               ? mproc__fail(MPROC_ETYPE, "a struct has no %s", what)
               : mproc__fail(MPROC_ETYPE, "typecode %c has no %s", element->typecode, what);
}

static int does_not_fit(const struct mproc__element *element, int64_t number)
{
    return mproc__fail(MPROC_ERANGE, "%lld does not fit typecode %c", (long long)number,
                       element->typecode);
}

/** Whether an integer is among those that an element can be. */
static bool fits(const struct mproc__element *element, int64_t number)
{
    unsigned bits = 8 * (unsigned)element->size;
    if (element->traits & MPROC__ELEMENT_SIGNED) {
        int64_t max = INT64_MAX >> (64 - bits);
        return number >= -max - 1 && number <= max;
    }
    if (element->traits & MPROC__ELEMENT_BOOL) {
        bits = 1;
    }
    return number >= 0 && (bits == 64 || number < (int64_t)1 << bits);
}

/** The number that the low bits of `word` are. */
static int64_t from_bits(const struct mproc__element *element, uint64_t word)
{
    unsigned shift = 64 - 8 * (unsigned)element->size;
    uint64_t high = word << shift;
    return element->traits & MPROC__ELEMENT_SIGNED ? (int64_t)high >> shift
                                                   : (int64_t)(high >> shift);
}

/** The bytes of an integer as a word. */
static uint64_t word_at(const struct mproc__element *element, const void *at)
{
    uint8_t byte;
    uint16_t half;
    uint32_t word;
    uint64_t whole;
    switch (element->size) {
    case 1:
        memcpy(&byte, at, sizeof(byte));
        return byte;
    case 2:
        memcpy(&half, at, sizeof(half));
        return half;
    case 4:
        memcpy(&word, at, sizeof(word));
        return word;
    default:
        memcpy(&whole, at, sizeof(whole));
        return whole;
    }
}

static void set_word_at(const struct mproc__element *element, void *at, uint64_t whole)
{
    uint8_t byte = (uint8_t)whole;
    uint16_t half = (uint16_t)whole;
    uint32_t word = (uint32_t)whole;
    switch (element->size) {
    case 1:
        memcpy(at, &byte, sizeof(byte));
        break;
    case 2:
        memcpy(at, &half, sizeof(half));
        break;
    case 4:
        memcpy(at, &word, sizeof(word));
        break;
    default:
        memcpy(at, &whole, sizeof(whole));
        break;
    }
}

int mproc__element_get_int(const struct mproc__element *element, const void *at,
                           int64_t *ret_number)
{
    if (!(element->traits & MPROC__ELEMENT_INTEGER)) {
        return lacks(element, "integer");
    }
    int64_t number = from_bits(element, word_at(element, at));
    if (number < 0 && !(element->traits & MPROC__ELEMENT_SIGNED)) {
        return mproc__fail(MPROC_ERANGE, "%llu does not fit an int64_t",
                           (unsigned long long)number);
    }
    *ret_number = number;
    return MPROC_OK;
}

int mproc__element_set_int(const struct mproc__element *element, void *at, int64_t number)
{
    if (!(element->traits & MPROC__ELEMENT_INTEGER)) {
        return lacks(element, "integer");
    }
    if (!fits(element, number)) {
        return does_not_fit(element, number);
    }
    set_word_at(element, at, (uint64_t)number);
    return MPROC_OK;
}

int mproc__element_get_double(const struct mproc__element *element, const void *at,
                              double *ret_number)
{
    if (!(element->traits & MPROC__ELEMENT_REAL)) {
        return lacks(element, "floating-point number");
    }
    if (element->size == sizeof(float)) {
        float number;
        memcpy(&number, at, sizeof(number));
        *ret_number = number;
    } else {
        memcpy(ret_number, at, sizeof(*ret_number));
    }
    return MPROC_OK;
}

int mproc__element_set_double(const struct mproc__element *element, void *at, double number)
{
    if (!(element->traits & MPROC__ELEMENT_REAL)) {
        return lacks(element, "floating-point number");
    }
    if (element->size == sizeof(double)) {
        memcpy(at, &number, sizeof(number));
        return MPROC_OK;
    }
    double distance = number < 0 ? -number : number;
    if (distance > FLT_MAX && distance <= DBL_MAX) {
        return mproc__fail(MPROC_ERANGE, "%g does not fit a float", number);
    }
    float rounded = (float)number;
    memcpy(at, &rounded, sizeof(rounded));
    return MPROC_OK;
}

/* ---- atomic ---------------------------------------------------------------------------------- */

static int check_atomic(const struct mproc__element *element)
{
    bool is_word = element->size == sizeof(uint32_t) || element->size == sizeof(uint64_t);
    return (element->traits & MPROC__ELEMENT_INTEGER) && is_word
               ? MPROC_OK
               : lacks(element, "atomic operations; i I l L q Q have");
}

static bool is_64(const struct mproc__element *element)
{
    return element->size == sizeof(uint64_t);
}

/** A number on its way into an atomic; any fits 64 bits, signed or not. */
static int check_number(const struct mproc__element *element, int64_t number)
{
    int rc = check_atomic(element);
    return rc < 0 || is_64(element) || fits(element, number) ? rc : does_not_fit(element, number);
}

int mproc__element_load(const struct mproc__element *element, const void *at, int64_t *ret_number)
{
    int rc = check_atomic(element);
    if (rc >= 0) {
        *ret_number = from_bits(element, is_64(element) ? mproc__load64(at) : mproc__load32(at));
    }
    return rc;
}

int mproc__element_store(const struct mproc__element *element, void *at, int64_t number)
{
    int rc = check_number(element, number);
    if (rc >= 0) {
        (void)(is_64(element) ? mproc__exchange64(at, (uint64_t)number)
                              : mproc__exchange32(at, (uint32_t)number));
    }
    return rc;
}

int mproc__element_add(const struct mproc__element *element, void *at, int64_t delta,
                       int64_t *ret_old)
{
    int rc = check_atomic(element);
    if (rc < 0) {
        return rc;
    }
    uint64_t old =
        is_64(element) ? mproc__add64(at, (uint64_t)delta) : mproc__add32(at, (uint32_t)delta);
    if (ret_old != NULL) {
        *ret_old = from_bits(element, old);
    }
    return MPROC_OK;
}

int mproc__element_compare_exchange(const struct mproc__element *element, void *at,
                                    int64_t *expected, int64_t desired)
{
    int rc = check_number(element, desired);
    if (rc < 0 || (rc = check_number(element, *expected)) < 0) {
        return rc;
    }
    uint64_t old = (uint64_t)*expected;
    uint32_t old_32 = (uint32_t)old;
    bool is_done = is_64(element) ? mproc__cas64(at, &old, (uint64_t)desired)
                                  : mproc__cas32(at, &old_32, (uint32_t)desired);
    *expected = from_bits(element, is_64(element) ? old : old_32);
    return is_done ? 1 : 0;
}
