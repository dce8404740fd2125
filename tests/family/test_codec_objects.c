/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_codec_objects.c: shared objects in messages, and what the two passes of reading promise: no
 * object stays attached after a failure, and an input that changes between them does no harm.
 */
#include "family/value_test.h"

#include "base/alloc.h"
#include "family/object.h"

#include <string.h>

static int put_offset(void *arg, struct mproc_object *object, uint64_t *ret_reference)
{
    ++*(int *)arg;
    *ret_reference = object->offset;
    return 0;
}

static int attach_offset(void *arg, uint64_t reference, struct mproc_object **ret_object)
{
    ++*(int *)arg;
    return mproc__object_attach(reference, ret_object);
}

/* Accepts one object and refuses the second. */
static int attach_first(void *arg, uint64_t reference, struct mproc_object **ret_object)
{
    return ++*(int *)arg == 1 ? mproc__object_attach(reference, ret_object) : MPROC_EACCES;
}

static int put_nothing(void *arg, struct mproc_object *object, uint64_t *ret_reference)
{
    (void)object;
    *ret_reference = 0;
    ++*(int *)arg;
    return MPROC_ENOSPC;
}

static void test_codec_objects__carries_objects(void)
{
    unsigned char wire[64];
    int n_calls = 0;
    const mproc__codec codec = {put_offset, attach_offset, &n_calls, false};
    mproc_block *block = NULL;
    mproc_value value = MPROC_NIL_VALUE;
    size_t size = 0;
    size_t n_objects = 0;
    const size_t before = live_blocks();
    CU_ASSERT_FATAL(mproc_block_create(&block, 10) == 0);
    const mproc_value list = MPROC_LIST(block, "text", MPROC_MAP(MPROC_PAIR("b", block)));
    CU_ASSERT(mproc__codec_size(&codec, &list, &size, &n_objects) == 0);
    CU_ASSERT_FATAL(n_objects == 2 && size == 1 + 10 + 5 + 1 + 2 + 10);
    CU_ASSERT(mproc__codec_write(&codec, &list, wire) == 0);
    CU_ASSERT(n_calls == 2);
    CU_ASSERT(wire[1] == 0xd7 && wire[2] == MPROC__EXT_OBJECT);
    CU_ASSERT_FATAL(decode(&codec, wire, size, &value) == 0);
    CU_ASSERT(n_calls == 4);
    CU_ASSERT(mproc_value_equal(&value, &list));
    mproc_block_close(block);
    CU_ASSERT(live_blocks() == before + 1);
    mproc_value_clear(&value);
    CU_ASSERT(live_blocks() == before);
}

static void test_codec_objects__closes_objects_when_it_fails(void)
{
    unsigned char wire[64];
    int n_calls = 0;
    const mproc__codec whole = {put_offset, attach_offset, &n_calls, false};
    const mproc__codec first = {put_nothing, attach_first, &n_calls, false};
    mproc_block *block = NULL;
    mproc_value value = MPROC_VALUE(5);
    size_t size = 0;
    const size_t before = live_blocks();
    CU_ASSERT_FATAL(mproc_block_create(&block, 10) == 0);
    const mproc_value list = MPROC_LIST(block, block, block);
    CU_ASSERT_FATAL(mproc__codec_size(&whole, &list, &size, NULL) == 0);
    CU_ASSERT(mproc__codec_write(&whole, &list, wire) == 0);
    n_calls = 0;
    CU_ASSERT(decode(&first, wire, size, &value) == MPROC_EACCES);
    CU_ASSERT(n_calls == 2);
    CU_ASSERT(value.type == MPROC_INT);
    CU_ASSERT(decode(&whole, wire, size - 1, &value) == MPROC_EMALFORMED);
    n_calls = 0;
    CU_ASSERT(mproc__codec_write(&first, &list, wire) == MPROC_ENOSPC);
    CU_ASSERT(n_calls == 1);
    mproc_block_close(block);
    CU_ASSERT(live_blocks() == before);
}

static void test_codec_objects__reads_objects_in_every_form(void)
{
    static const char *const heads[] = {"\xc7\x08\x01", "\xc8\x00\x08\x01",
                                        "\xc9\x00\x00\x00\x08\x01"};
    mproc_block *block = NULL;
    int n_calls = 0;
    const mproc__codec codec = {put_offset, attach_offset, &n_calls, false};
    CU_ASSERT_FATAL(mproc_block_create(&block, 10) == 0);
    const mproc_value wanted = MPROC_VALUE(block);
    unsigned char shortest[10];
    CU_ASSERT(mproc__codec_write(&codec, &wanted, shortest) == 0);
    for (size_t i = 0; i < 3; i++) {
        unsigned char wire[16];
        const size_t n_head = i == 0 ? 3 : i == 1 ? 4 : 6;
        mproc_value value = MPROC_NIL_VALUE;
        memcpy(wire, heads[i], n_head);
        memcpy(wire + n_head, shortest + 2, 8);
        CU_ASSERT(decode(&codec, wire, n_head + 8, &value) == 0);
        CU_ASSERT(mproc_value_equal(&value, &wanted));
        mproc_value_clear(&value);
    }
    mproc_block_close(block);
}

static void test_codec_objects__borrows_bytes_on_request(void)
{
    static const char wire[] = "\x92\xc4\x03\x61\x62\x63\xa1s";
    const mproc__codec codec = {.borrow_bytes = true};
    mproc_value value = MPROC_NIL_VALUE;
    CU_ASSERT_FATAL(mproc__codec_read(&codec, wire, sizeof(wire) - 1, &value) == 0);
    CU_ASSERT(value.as.list.items[0].as.bytes.data == wire + 3);
    CU_ASSERT(value.as.list.items[1].as.string.data != wire + 7);
    mproc_value_clear(&value);
    CU_ASSERT_FATAL(mproc__codec_read(&codec, wire + 1, 5, &value) == 0);
    CU_ASSERT(value.as.bytes.data == wire + 3 && value.owned == NULL);
}

/* Changes the message between the passes, as another process can: called by the second one. */
struct meddler {
    unsigned char *at;
    const char *change;
    size_t size;
};

static int meddle(void *arg, uint64_t reference, struct mproc_object **ret_object)
{
    const struct meddler *meddler = arg;
    memcpy(meddler->at, meddler->change, meddler->size);
    return mproc__object_attach(reference, ret_object);
}

static void test_codec_objects__survives_changes_meanwhile(void)
{
    // Eight bytes that follow an object in a list; each becomes each of the others.
    static const char *const tails[] = {
        "\xa7zzzzzzz",
        "\x97\x01\x02\x03\x04\x05\x06\x07",
        "\xc4\x06zzzzzz",
        "\xa1z\xa1z\xa1z\xa1z",
        "\x91\x91\x91\x91\x91\x91\x91\xc0",
        "\x83\x01\x02\x03\x04\x05\x91\xa0",
        "\xdb\xff\xff\xff\xffzzz",
        "\xdd\x00\x00\x00\x03\x01\x02\x03",
        "\xd7\x01\x00\x00\x00\x00\x00\x00",
        "\xc1\xc1\xc1\xc1\xc1\xc1\xc1\xc1",
    };
    const size_t count = sizeof(tails) / sizeof(tails[0]);
    unsigned char wire[19];
    int n_calls = 0;
    const mproc__codec writer = {.put_object = put_offset, .arg = &n_calls};
    mproc_block *block = NULL;
    const size_t before = live_blocks();
    CU_ASSERT_FATAL(mproc_block_create(&block, 10) == 0);
    const mproc_value object = MPROC_VALUE(block);
    CU_ASSERT(mproc__codec_write(&writer, &object, wire + 1) == 0);
    for (size_t i = 0; i < count * count; i++) {
        struct meddler meddler = {wire + 11, tails[i / count], 8};
        const mproc__codec reader = {.get_object = meddle, .arg = &meddler};
        mproc_value value = MPROC_NIL_VALUE;
        wire[0] = 0x92;
        memcpy(wire + 11, tails[i % count], 8);
        int rc = mproc__codec_read(&reader, wire, sizeof(wire), &value);
        CU_ASSERT(rc == 0 || rc == MPROC_EMALFORMED);
        mproc_value_clear(&value);
    }
    mproc_block_close(block);
    CU_ASSERT(live_blocks() == before);
}

#ifdef MPROC_KILLPOINTS
static void test_codec_objects__survives_every_failed_allocation(void)
{
    static const char wire[] = "\x94\xa4text\xc4\x02hi\x81\x01\x90\xd7\x01";
    unsigned char message[sizeof(wire) - 1 + 8];
    int n_calls = 0;
    const mproc__codec codec = {put_offset, attach_offset, &n_calls, false};
    mproc_block *block = NULL;
    const size_t before = live_blocks();
    CU_ASSERT_FATAL(mproc_block_create(&block, 10) == 0);
    const mproc_value object = MPROC_VALUE(block);
    unsigned char encoded[10];
    CU_ASSERT(mproc__codec_write(&codec, &object, encoded) == 0);
    memcpy(message, wire, sizeof(wire) - 1);
    memcpy(message + sizeof(wire) - 1, encoded + 2, 8);
    int rc = MPROC_ENOMEM;
    for (uint32_t n = 1; rc < 0; n++) {
        mproc_value value = MPROC_NIL_VALUE;
        CU_ASSERT_FATAL(n < 20);
        mproc__alloc_fail_after = n;
        rc = mproc__codec_read(&codec, message, sizeof(message), &value);
        CU_ASSERT(rc == 0 || (rc == MPROC_ENOMEM && value.type == MPROC_NIL));
        mproc_value_clear(&value);
    }
    mproc__alloc_fail_after = 1;
    void *data = NULL;
    size_t size = 0;
    const mproc_value text = MPROC_VALUE("text");
    CU_ASSERT(mproc_value_encode(&text, &data, &size) == MPROC_ENOMEM);
    mproc__alloc_fail_after = 0;
    mproc_block_close(block);
    CU_ASSERT(live_blocks() == before);
}
#else
static void test_codec_objects__survives_every_failed_allocation(void)
{
    testlib_skip("the library was built without MPROC_KILLPOINTS");
}
#endif

static const testlib_case cases[] = {
    {"carries_objects", test_codec_objects__carries_objects},
    {"closes_objects_when_it_fails", test_codec_objects__closes_objects_when_it_fails},
    {"reads_objects_in_every_form", test_codec_objects__reads_objects_in_every_form},
    {"borrows_bytes_on_request", test_codec_objects__borrows_bytes_on_request},
    {"survives_changes_meanwhile", test_codec_objects__survives_changes_meanwhile},
    {"survives_every_failed_allocation", test_codec_objects__survives_every_failed_allocation},
};
TESTLIB_MAIN("family.codec_objects", cases)
