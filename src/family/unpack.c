/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpack.c: taking arguments and lists apart into C variables.
 *
 * Twice over the slots: the first time checks that everything fits, the second stores. So either
 * all variables are set or none is touched.
 */
#include "mproc/value.h"

#include "base/compiler.h"
#include "base/status.h"
#include "family/object.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* What is being taken apart, for the sentences. */
struct source {
    const char *item; // "argument" or "item"
    const mproc_value *values;
    size_t count;
};

struct range {
    const char *name;
    int64_t min;
    uint64_t max;
};

/* By kind of slot; those without a name are no integers. */
static const struct range ranges[] = {
    [MPROC__SLOT_BOOL] = {"a bool", 0, 1},
    [MPROC__SLOT_SCHAR] = {"a signed char", SCHAR_MIN, SCHAR_MAX},
    [MPROC__SLOT_UCHAR] = {"an unsigned char", 0, UCHAR_MAX},
    [MPROC__SLOT_SHORT] = {"a short", SHRT_MIN, SHRT_MAX},
    [MPROC__SLOT_USHORT] = {"an unsigned short", 0, USHRT_MAX},
    [MPROC__SLOT_INT] = {"an int", INT_MIN, INT_MAX},
    [MPROC__SLOT_UINT] = {"an unsigned int", 0, UINT_MAX},
    [MPROC__SLOT_LONG] = {"a long", LONG_MIN, LONG_MAX},
    [MPROC__SLOT_ULONG] = {"an unsigned long", 0, ULONG_MAX},
    [MPROC__SLOT_LLONG] = {"a long long", LLONG_MIN, LLONG_MAX},
    [MPROC__SLOT_ULLONG] = {"an unsigned long long", 0, ULLONG_MAX},
};

#define CHECK_KIND(name, NAME, kind, text) \
    _Static_assert(MPROC__KIND_##NAME == (kind), "kinds of objects are part of the ABI");
MPROC__OBJECTS(CHECK_KIND)
#undef CHECK_KIND

static bool is_integer_slot(int kind)
{
    return kind >= MPROC__SLOT_BOOL && kind <= MPROC__SLOT_ULLONG;
}

const char *mproc__object_text(uint32_t kind)
{
    switch (kind) {
#define OBJECT_TEXT(name, NAME, number, text) \
    case number:                              \
        return text;
        MPROC__OBJECTS(OBJECT_TEXT)
#undef OBJECT_TEXT
    default:
        return "an object";
    }
}

static const char *value_text(const mproc_value *value)
{
    static const char *const texts[] = {
        "nil",   "a boolean", "an integer", "an unsigned integer", "a double", "a string",
        "bytes", "a list",    "a map",
    };
    if (value->type == MPROC_OBJECT && value->as.object != NULL) {
        return mproc__object_text(value->as.object->kind);
    }
    const unsigned index = (unsigned)value->type;
    return index < MPROC__COUNT(texts) ? texts[index] : "an object";
}

static const char *slot_text(int kind)
{
    if (kind >= MPROC__SLOT_OBJECT) {
        return mproc__object_text((uint32_t)(kind - MPROC__SLOT_OBJECT));
    }
    switch (kind) {
    case MPROC__SLOT_BOOL:
        return "a boolean";
    case MPROC__SLOT_FLOAT:
    case MPROC__SLOT_DOUBLE:
        return "a number";
    case MPROC__SLOT_STRING:
        return "a string";
    case MPROC__SLOT_BYTES:
        return "bytes";
    case MPROC__SLOT_ANY_OBJECT:
        return "an object";
    default:
        return "an integer";
    }
}

static int wrong_type(const struct source *from, size_t i, int kind)
{
    return mproc__fail(MPROC_ETYPE, "%s %zu: expected %s, got %s", from->item, i + 1,
                       slot_text(kind), value_text(&from->values[i]));
}

/* The number at `i` does not fit what `name` says. */
static int out_of_range(const struct source *from, size_t i, const char *name)
{
    const mproc_value *value = &from->values[i];
    switch (value->type) {
    case MPROC_INT:
        return mproc__fail(MPROC_ERANGE, "%s %zu: %" PRId64 " does not fit %s", from->item, i + 1,
                           value->as.integer, name);
    case MPROC_UINT:
        return mproc__fail(MPROC_ERANGE, "%s %zu: %" PRIu64 " does not fit %s", from->item, i + 1,
                           value->as.uinteger, name);
    default:
        return mproc__fail(MPROC_ERANGE, "%s %zu: %.17g does not fit %s", from->item, i + 1,
                           value->as.real, name);
    }
}

static int check_integer(const struct source *from, size_t i, int kind)
{
    const mproc_value *value = &from->values[i];
    const struct range *range = &ranges[kind];
    bool fits = false;
    if (value->type == MPROC_INT) {
        const int64_t x = value->as.integer;
        fits = x < 0 ? x >= range->min : (uint64_t)x <= range->max;
    } else if (value->type == MPROC_UINT) {
        fits = value->as.uinteger <= range->max;
    } else if (value->type == MPROC_BOOL && kind == MPROC__SLOT_BOOL) {
        return 0;
    } else {
        return wrong_type(from, i, kind);
    }
    return fits ? 0 : out_of_range(from, i, range->name);
}

/* Whether `x` survives the way to a number of `n_bits` bits and an exponent, and back. */
static bool is_exact(uint64_t x, int n_bits)
{
    while (x != 0 && x % 2 == 0) {
        x /= 2;
    }
    return x >> n_bits == 0;
}

static int check_real(const struct source *from, size_t i, int kind)
{
    const mproc_value *value = &from->values[i];
    const bool is_float = kind == MPROC__SLOT_FLOAT;
    const int n_bits = is_float ? FLT_MANT_DIG : DBL_MANT_DIG;
    bool fits = false;
    if (value->type == MPROC_DOUBLE) {
        // Rounding is what a float is for; infinities and NaN are the same in both.
        const double size = fabs(value->as.real);
        fits = !(is_float && size > (double)FLT_MAX && size <= DBL_MAX);
    } else if (value->type == MPROC_INT) {
        const int64_t x = value->as.integer;
        fits = is_exact(x < 0 ? 0 - (uint64_t)x : (uint64_t)x, n_bits);
    } else if (value->type == MPROC_UINT) {
        fits = is_exact(value->as.uinteger, n_bits);
    } else {
        return wrong_type(from, i, kind);
    }
    return fits ? 0 : out_of_range(from, i, is_float ? "a float" : "a double");
}

static int check_string(const struct source *from, size_t i)
{
    const mproc_value *value = &from->values[i];
    if (value->type != MPROC_STRING) {
        return wrong_type(from, i, MPROC__SLOT_STRING);
    }
    if (memchr(value->as.string.data, '\0', value->as.string.size) != NULL) {
        return mproc__fail(MPROC_ETYPE,
                           "%s %zu: expected a string, got one with a NUL byte inside (take it as "
                           "mproc_value)",
                           from->item, i + 1);
    }
    return 0;
}

/* In the family an object is its own proxy, see mproc/manager.h. */
#define ANY_PROXY (MPROC__SLOT_OBJECT + MPROC__KIND_PROXY)

static int check_object(const struct source *from, size_t i, int kind)
{
    const mproc_value *value = &from->values[i];
    const bool fits = value->type == MPROC_OBJECT && value->as.object != NULL &&
                      (kind == MPROC__SLOT_ANY_OBJECT || kind == ANY_PROXY ||
                       value->as.object->kind == (uint32_t)(kind - MPROC__SLOT_OBJECT));
    return fits ? 0 : wrong_type(from, i, kind);
}

/* Whether value `i` can go into a slot of this kind. */
static int check(const struct source *from, size_t i, int kind)
{
    if (is_integer_slot(kind)) {
        return check_integer(from, i, kind);
    }
    switch (kind) {
    case MPROC__SLOT_FLOAT:
    case MPROC__SLOT_DOUBLE:
        return check_real(from, i, kind);
    case MPROC__SLOT_STRING:
        return check_string(from, i);
    case MPROC__SLOT_BYTES:
        return from->values[i].type == MPROC_BYTES ? 0 : wrong_type(from, i, kind);
    case MPROC__SLOT_VALUE:
        return 0;
    default:
        break;
    }
    if (kind != MPROC__SLOT_ANY_OBJECT && kind < MPROC__SLOT_OBJECT) {
        return mproc__fail(MPROC_EINVAL, "variable %zu: there is no kind of slot %d", i + 1, kind);
    }
    return check_object(from, i, kind);
}

/* Two's complement makes the bits of what check_integer has accepted right, signed or not. */
static void store_integer(const mproc_value *value, int kind, void *to)
{
    const uint64_t bits = value->type == MPROC_UINT   ? value->as.uinteger
                          : value->type == MPROC_BOOL ? (uint64_t)value->as.boolean
                                                      : (uint64_t)value->as.integer;
    switch (kind) {
    case MPROC__SLOT_BOOL:
        *(bool *)to = bits != 0;
        break;
    case MPROC__SLOT_SCHAR:
    case MPROC__SLOT_UCHAR:
        *(unsigned char *)to = (unsigned char)bits;
        break;
    case MPROC__SLOT_SHORT:
    case MPROC__SLOT_USHORT:
        *(unsigned short *)to = (unsigned short)bits;
        break;
    case MPROC__SLOT_INT:
    case MPROC__SLOT_UINT:
        *(unsigned *)to = (unsigned)bits;
        break;
    case MPROC__SLOT_LONG:
    case MPROC__SLOT_ULONG:
        *(unsigned long *)to = (unsigned long)bits;
        break;
    default:
        *(unsigned long long *)to = bits;
        break;
    }
}

static double real_of(const mproc_value *value)
{
    return value->type == MPROC_DOUBLE ? value->as.real
           : value->type == MPROC_INT  ? (double)value->as.integer
                                       : (double)value->as.uinteger;
}

/* Store a value that check has accepted. */
static void store(const mproc_value *value, int kind, void *to)
{
    if (is_integer_slot(kind)) {
        store_integer(value, kind, to);
        return;
    }
    switch (kind) {
    case MPROC__SLOT_FLOAT:
        *(float *)to = (float)real_of(value);
        break;
    case MPROC__SLOT_DOUBLE:
        *(double *)to = real_of(value);
        break;
    case MPROC__SLOT_STRING:
        *(const char **)to = value->as.string.data;
        break;
    case MPROC__SLOT_BYTES:
        *(mproc_bytes *)to = value->as.bytes;
        break;
    case MPROC__SLOT_VALUE:
        *(mproc_value *)to = mproc__value_borrow(*value);
        break;
    default:
        // A handle begins with its struct mproc_object, so a pointer to that is one to the handle.
        memcpy(to, &value->as.object, sizeof(void *));
        break;
    }
}

/* The slot that MPROC_OPTIONAL has wrapped, if it has. */
static mproc_slot unwrap(mproc_slot slot)
{
    return slot.kind == MPROC__SLOT_SLOT ? *(const mproc_slot *)slot.to : slot;
}

static bool is_optional(mproc_slot slot)
{
    return (slot.kind & MPROC__SLOT_OPTIONAL) != 0;
}

static int check_count(const struct source *from, const mproc_slot *slots, size_t count)
{
    size_t least = count;
    while (least > 0 && is_optional(unwrap(slots[least - 1]))) {
        least--;
    }
    if (from->count >= least && from->count <= count) {
        return 0;
    }
    if (least < count) {
        return mproc__fail(MPROC_ECOUNT, "expected %zu to %zu %ss, got %zu", least, count,
                           from->item, from->count);
    }
    return mproc__fail(MPROC_ECOUNT, "expected %zu %s%s, got %zu", count, from->item,
                       count == 1 ? "" : "s", from->count);
}

/* One number for one variable that holds all of its kind: most often that is all there is. */
static bool unpack_at_once(const mproc_value *value, mproc_slot slot)
{
    const bool is_long = slot.kind == MPROC__SLOT_LONG && sizeof(long) == sizeof(int64_t);
    const bool is_integer = value->type == MPROC_INT && (is_long || slot.kind == MPROC__SLOT_LLONG);
    const bool is_real = value->type == MPROC_DOUBLE && slot.kind == MPROC__SLOT_DOUBLE;
    if (is_integer || is_real) {
        memcpy(slot.to, &value->as, sizeof(int64_t));
    }
    return is_integer || is_real;
}

static int unpack(const struct source *from, const mproc_slot *slots, size_t count)
{
    if (count == 1 && from->count == 1 && unpack_at_once(from->values, slots[0])) {
        return 0;
    }
    int rc = check_count(from, slots, count);
    for (size_t i = 0; rc == 0 && i < from->count; i++) {
        const mproc_slot slot = unwrap(slots[i]);
        if (!is_optional(slot) || from->values[i].type != MPROC_NIL) {
            rc = check(from, i, slot.kind & ~MPROC__SLOT_OPTIONAL);
        }
    }
    for (size_t i = 0; rc == 0 && i < from->count; i++) {
        const mproc_slot slot = unwrap(slots[i]);
        if (!is_optional(slot) || from->values[i].type != MPROC_NIL) {
            store(&from->values[i], slot.kind & ~MPROC__SLOT_OPTIONAL, slot.to);
        }
    }
    return rc;
}

int mproc_unpack(const mproc_args *args, const mproc_slot *slots, size_t count)
{
    struct source from = {"argument", NULL, 0};
    if (args != NULL) {
        from.values = args->items;
        from.count = args->count;
    }
    return unpack(&from, slots, count);
}

int mproc_unpack_list(const mproc_value *list, const mproc_slot *slots, size_t count)
{
    if (list == NULL || list->type != MPROC_LIST) {
        return mproc__fail(MPROC_ETYPE, "expected a list, got %s",
                           list != NULL ? value_text(list) : "NULL");
    }
    struct source from = {"item", list->as.list.items, list->as.list.count};
    return unpack(&from, slots, count);
}
