/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.cpp: the macros of mproc/value_generic.h as C++17 has them: the same names and meanings.
 */
#include "mproc/error.h"
#include "mproc/shared_memory.h"
#include "mproc/value.h"
#include "mproc/wait.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>

static int n_failed;

#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) {                                             \
            std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            n_failed++;                                                 \
        }                                                               \
    } while (0)

enum class colour : unsigned char { red = 1, blue = 2 };

static int sum(const mproc_args *args, std::int64_t *ret_sum)
{
    std::int64_t x = 0;
    std::int64_t y = 0;
    int rc = MPROC_UNPACK(args, &x, &y);
    *ret_sum = x + y;
    return rc;
}

static void check_values()
{
    const char *null_text = nullptr;
    mproc_block *no_block = nullptr;
    const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
    CHECK(MPROC_VALUE(true).type == MPROC_BOOL);
    CHECK(MPROC_VALUE('c').as.integer == 'c');
    CHECK(MPROC_VALUE(-5L).as.integer == -5);
    CHECK(MPROC_VALUE(huge).type == MPROC_UINT);
    CHECK(MPROC_VALUE(1.5F).as.real == 1.5);
    CHECK(MPROC_VALUE("text").as.string.size == 4);
    CHECK(MPROC_VALUE(null_text).type == MPROC_NIL);
    CHECK(MPROC_VALUE(nullptr).type == MPROC_NIL);
    CHECK(MPROC_VALUE(no_block).type == MPROC_NIL);
    CHECK(MPROC_VALUE(colour::blue).as.integer == 2);
    CHECK(MPROC_VALUE(mproc_bytes_of("ab", 2)).type == MPROC_BYTES);
    CHECK(MPROC_NIL_VALUE.type == MPROC_NIL);
}

/* The structure lives as long as the call, and that is long enough. */
static int copy_of(mproc_value *ret_copy, const mproc_value &value)
{
    return mproc_value_copy(ret_copy, &value);
}

static void check_structures()
{
    mproc_value copy = MPROC_NIL_VALUE;
    mproc_value inner = MPROC_NIL_VALUE;
    double x = 0;
    int rc = copy_of(&copy, MPROC_MAP(MPROC_PAIR("list", MPROC_LIST(1, 2.5, MPROC_LIST())),
                                      MPROC_PAIR(2, MPROC_EMPTY_MAP)));
    CHECK(rc == 0);
    CHECK(copy.type == MPROC_MAP && copy.as.map.count == 2);
    int one = 0;
    CHECK(MPROC_UNPACK_LIST(mproc_value_find(&copy, "list"), &one, &x, &inner) == 0);
    CHECK(one == 1 && x == 2.5 && inner.type == MPROC_LIST && inner.as.list.count == 0);
    mproc_value_clear(&copy);
    CHECK(MPROC_VALUES(1, 2, 3)[2].as.integer == 3);
}

static void check_unpacking()
{
    std::int64_t total = 0;
    colour favourite = colour::red;
    const char *text = nullptr;
    signed char small = 5;
    int retries = 3;
    bool flag = false;
    CHECK(sum(MPROC_ARGS(40, 2), &total) == 0 && total == 42);
    CHECK(MPROC_UNPACK(MPROC_ARGS(colour::blue, "x", true), &favourite, &text, &flag,
                       MPROC_OPTIONAL(&retries)) == 0);
    CHECK(favourite == colour::blue && std::strcmp(text, "x") == 0 && flag && retries == 3);
    CHECK(MPROC_UNPACK(MPROC_ARGS(300), &small) == MPROC_ERANGE && small == 5);
    CHECK(MPROC_UNPACK(MPROC_ARGS()) == 0);
}

static void check_wait_items()
{
    mproc_queue *queue = nullptr;
    mproc_process *process = nullptr;
    void *handle = &queue;
    mproc_wait_item items[] = {MPROC_WAIT_ITEM(queue), MPROC_WAIT_ITEM(process), MPROC_WAIT_ITEM(3),
                               MPROC_WAIT_ITEM(4LL), MPROC_WAIT_ITEM(handle)};
    CHECK(items[0].type == MPROC_WAIT_QUEUE && items[1].type == MPROC_WAIT_PROCESS);
    CHECK(items[2].type == MPROC_WAIT_NATIVE && items[2].as.native == 3);
    CHECK(items[3].as.native == 4);
    CHECK(items[4].as.native == reinterpret_cast<mproc_os_handle>(handle));
    CHECK(mproc_wait(items, 5, MPROC_NOWAIT) == MPROC_EINVAL);
}

/* The same number as in C, and a constant. */
struct frame {
    std::int64_t number;
    char pixels[3];
};
static_assert(MPROC_LAYOUT(frame, 2) ==
                  16 + 8 * UINT64_C(0x9e3779b97f4a7c15) + 2 * UINT64_C(0xd1342543de82ef95),
              "layout");

int main()
{
    check_values();
    check_structures();
    check_unpacking();
    check_wait_items();
    return n_failed == 0 ? 0 : 1;
}
