/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_auth.c: the handshake, each side against the other one, against old and new Python's messages, and
 * against who does not know the key.
 */
#include "object/auth.h"

#include "base/compiler.h"
#include "platform.h"
#include "support/testlib.h"

#include <string.h>

/* ---- both sides ------------------------------------------------------------------------------ */

typedef struct pair {
    mproc__auth side[2]; // 0: the listener
    int rc[2];
} pair;

/** Let both sides talk until neither has more to say. */
static pair talk(const char *listener_key, const char *client_key)
{
    pair both = {.rc = {0, 0}};
    mproc__auth_reply reply[2];
    const char *const keys[] = {listener_key, client_key};
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(
            mproc__auth_begin(&both.side[i], i == 0, keys[i], strlen(keys[i]), &reply[i]), 0);
    }
    CU_ASSERT(reply[0].size > 0 && reply[1].size == 0);
    for (int from = 0; reply[from].size > 0; from = 1 - from) {
        int to = 1 - from;
        CU_ASSERT_EQUAL_FATAL(both.rc[to], 0);
        both.rc[to] =
            mproc__auth_step(&both.side[to], reply[from].data, reply[from].size, &reply[to]);
        // Who has had its say may be due again at once: the client asks when it has been welcomed.
    }
    return both;
}

static void test_auth__both_know_the_key(void)
{
    pair both = talk("secret", "secret");
    // The client's last word, its welcome, ends it for both.
    CU_ASSERT_EQUAL(both.rc[0], 1);
    CU_ASSERT_EQUAL(both.rc[1], 1);
}

static void test_auth__one_knows_another_key(void)
{
    pair both = talk("secret", "secreT");
    CU_ASSERT_EQUAL(both.rc[0], MPROC_EACCES);
    CU_ASSERT_EQUAL(both.rc[1], MPROC_EACCES);
}

/* ---- as a listener --------------------------------------------------------------------------- */

static mproc__auth auth;
static mproc__auth_reply said;

static void begin(bool is_listener)
{
    CU_ASSERT_EQUAL_FATAL(mproc__auth_begin(&auth, is_listener, "secret", 6, &said), 0);
}

static int hear(const void *data, size_t size)
{
    return mproc__auth_step(&auth, data, size, &said);
}

static bool has_said(const char *text)
{
    return said.size == strlen(text) && memcmp(said.data, text, said.size) == 0;
}

/** Answer what the listener has asked: with the digest's name in front, or as old clients do. */
static size_t answer(enum mplat_digest digest, const char *name, unsigned char *ret_answer)
{
    mplat_mac mac;
    size_t prefix = strlen(name);
    CU_ASSERT_EQUAL_FATAL(mplat_hmac(digest, "secret", 6, said.data + 11, said.size - 11, &mac),
                          MPROC_OK);
    for (size_t i = 0; i < prefix; i++) {
        ret_answer[i] = (unsigned char)name[i];
    }
    memcpy(ret_answer + prefix, mac.bytes, mac.size);
    return prefix + mac.size;
}

static void test_auth__takes_old_and_new_answers(void)
{
    const struct {
        enum mplat_digest digest;
        const char *name;
    } table[] = {{MPLAT_MD5, ""},
                 {MPLAT_MD5, "{md5}"},
                 {MPLAT_SHA256, "{sha256}"},
                 {MPLAT_SHA384, "{sha384}"}};
    for (size_t i = 0; i < MPROC__COUNT(table); i++) {
        unsigned char data[96];
        begin(true);
        CU_ASSERT_EQUAL(said.size, 11 + 8 + 40);
        CU_ASSERT_EQUAL(memcmp(said.data, "#CHALLENGE#{sha256}", 19), 0);
        size_t size = answer(table[i].digest, table[i].name, data);
        CU_ASSERT_EQUAL(hear(data, size), 0);
        CU_ASSERT(has_said("#WELCOME#"));
    }
}

static void test_auth__refuses_wrong_answers(void)
{
    unsigned char right[96];
    unsigned char data[96];
    begin(true);
    size_t size = answer(MPLAT_SHA256, "{sha256}", right);
    mproc__auth asked = auth;
    for (size_t i = 0; i < size; i++) { // each byte counts
        memcpy(data, right, size);
        data[i] ^= 1;
        auth = asked;
        CU_ASSERT_EQUAL(hear(data, size), MPROC_EACCES);
        CU_ASSERT(has_said("#FAILURE#"));
        auth = asked;
        CU_ASSERT_EQUAL(hear(right, i), MPROC_EACCES); // too short
    }
    auth = asked;
    CU_ASSERT_EQUAL(hear(right, size + 1), MPROC_EACCES);
    auth = asked;
    CU_ASSERT_EQUAL(hear(asked.text, asked.text_size), MPROC_EACCES); // what was asked
    begin(true);
    CU_ASSERT_EQUAL(hear(right, size), MPROC_EACCES); // the answer to another question
    auth = asked;
    CU_ASSERT_EQUAL(hear("#WELCOME#", 9), MPROC_EACCES);
    auth = asked;
    CU_ASSERT_EQUAL(hear("{sha1}aaaaaaaaaaaaaaaaaaaa", 26), MPROC_EACCES);
    auth = asked;
    char large[257] = "";
    CU_ASSERT_EQUAL(hear(large, sizeof(large)), MPROC_EMALFORMED);
}

/* ---- as a client ----------------------------------------------------------------------------- */

static void test_auth__answers_old_and_new_challenges(void)
{
    mplat_mac mac;
    begin(false);
    CU_ASSERT_EQUAL(said.size, 0);
    CU_ASSERT_EQUAL(hear("#CHALLENGE#0123456789abcdefghij", 31), 0);
    CU_ASSERT_EQUAL(mplat_hmac(MPLAT_MD5, "secret", 6, "0123456789abcdefghij", 20, &mac), 0);
    CU_ASSERT(said.size == mac.size && memcmp(said.data, mac.bytes, mac.size) == 0);
    begin(false);
    CU_ASSERT_EQUAL(hear("#CHALLENGE#{sha384}0123456789abcdefghij", 39), 0);
    CU_ASSERT_EQUAL(mplat_hmac(MPLAT_SHA384, "secret", 6, "{sha384}0123456789abcdefghij", 28, &mac),
                    0);
    CU_ASSERT(said.size == 8 + mac.size && memcmp(said.data, "{sha384}", 8) == 0 &&
              memcmp(said.data + 8, mac.bytes, mac.size) == 0);
    CU_ASSERT_EQUAL(hear("#WELCOME#", 9), 0);
    CU_ASSERT_EQUAL(memcmp(said.data, "#CHALLENGE#{sha256}", 19), 0);
}

static void test_auth__refuses_bad_challenges(void)
{
    const struct {
        const char *text;
        int rc;
    } table[] = {
        {"", MPROC_EMALFORMED},
        {"#WELCOME#", MPROC_EMALFORMED},
        {"#CHALLENGE#", MPROC_EMALFORMED},
        {"#CHALLENGE#0123456789abcdefghi", MPROC_EMALFORMED}, // 19
        {"#CHALLENGE#0123456789abcdefghijk", MPROC_ENOTSUP},  // 21, and no name
        {"#CHALLENGE#{sha1}0123456789abcdefghij", MPROC_ENOTSUP},
        {"#CHALLENGE#{sha256 0123456789abcdefghij", MPROC_ENOTSUP},
    };
    for (size_t i = 0; i < MPROC__COUNT(table); i++) {
        begin(false);
        CU_ASSERT_EQUAL(hear(table[i].text, strlen(table[i].text)), table[i].rc);
        CU_ASSERT_EQUAL(said.size, 0);
    }
    begin(false);
    CU_ASSERT_EQUAL(hear("#CHALLENGE#0123456789abcdefghij", 31), 0);
    CU_ASSERT_EQUAL(hear("#FAILURE#", 9), MPROC_EACCES);
    CU_ASSERT_EQUAL(said.size, 0);
}

/* A listener that has been convinced answers no question of its own. */
static void test_auth__answers_no_reflection(void)
{
    unsigned char data[96];
    char back[96] = "#CHALLENGE#";
    begin(true);
    size_t size = answer(MPLAT_SHA256, "{sha256}", data);
    CU_ASSERT_EQUAL(hear(data, size), 0);
    memcpy(back + 11, auth.text, auth.text_size);
    CU_ASSERT_EQUAL(hear(back, 11 + auth.text_size), MPROC_EACCES);
}

static const testlib_case cases[] = {
    {"both_know_the_key", test_auth__both_know_the_key},
    {"one_knows_another_key", test_auth__one_knows_another_key},
    {"takes_old_and_new_answers", test_auth__takes_old_and_new_answers},
    {"refuses_wrong_answers", test_auth__refuses_wrong_answers},
    {"answers_old_and_new_challenges", test_auth__answers_old_and_new_challenges},
    {"refuses_bad_challenges", test_auth__refuses_bad_challenges},
    {"answers_no_reflection", test_auth__answers_no_reflection},
};
TESTLIB_MAIN("object.auth", cases)
