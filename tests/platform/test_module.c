/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_module.c: where a function comes from, and finding it again: here, in a child, in a library
 * that the child has to load.
 */
#include "base/compiler.h"
#include "platform/child.h"

#include <apr_dso.h>
#include <apr_general.h>

typedef int (*answer_fn)(void);

enum { CALL_IT, CALL_ANOTHER_BUILD };

static int local_answer(void)
{
    return 41;
}

/* ---- roles ----------------------------------------------------------------------------------- */

/** Find shm->module here and call the function at offset number[0]. */
static int call_it(unsigned me)
{
    (void)me;
    const char *base = NULL;
    CHILD_CHECK(mplat_module_find(&shm->module, &base) == 0);
    answer_fn answer = (answer_fn)(uintptr_t)(base + shm->number[0]);
    // Again, and it is the same one.
    const char *again = NULL;
    CHILD_CHECK(mplat_module_find(&shm->module, &again) == 0 && again == base);
    return answer();
}

static int call_another_build(unsigned me)
{
    const char *base = NULL;
    shm->module.build[0] ^= 1;
    shm->number[me] = (uint64_t)(int64_t)mplat_module_find(&shm->module, &base);
    return base == NULL ? 0 : 1;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static const void *address_of(answer_fn function)
{
    return (const void *)(uintptr_t)function;
}

static int32_t in_child(unsigned role, const mplat_module *module, const void *address)
{
    mplat_child child;
    shm->module = *module;
    shm->number[0] = (uint64_t)((const char *)address - module->base);
    CU_ASSERT_EQUAL_FATAL(child_start(role, 1, &child), 0);
    return child_join(&child);
}

static void test_module__own_program(void)
{
    mplat_module module;
    const char *base = NULL;
    CU_ASSERT_EQUAL_FATAL(mplat_module_of(address_of(local_answer), &module), 0);
    CU_ASSERT(module.is_program);
    CU_ASSERT_EQUAL(mplat_module_find(&module, &base), 0);
    CU_ASSERT_PTR_EQUAL(base, module.base);
    child_found();
    CU_ASSERT_EQUAL(in_child(CALL_IT, &module, address_of(local_answer)), 41);
    child_end();
}

static void test_module__data_is_in_none(void)
{
    mplat_module module;
    int local = 0;
    void *heap = malloc(64);
    CU_ASSERT_EQUAL(mplat_module_of(&local, &module), MPROC_ENOENT);
    CU_ASSERT_EQUAL(mplat_module_of(heap, &module), MPROC_ENOENT);
    free(heap);
}

static void test_module__another_build_is_refused(void)
{
    mplat_module module;
    const char *base = NULL;
    CU_ASSERT_EQUAL_FATAL(mplat_module_of(address_of(local_answer), &module), 0);
    child_found();
    CU_ASSERT_EQUAL(in_child(CALL_ANOTHER_BUILD, &module, address_of(local_answer)), 0);
    CU_ASSERT_EQUAL((int)shm->number[1], MPROC_EBUILD);
    child_end();
    module.build[0] ^= 1;
    CU_ASSERT_EQUAL(mplat_module_find(&module, &base), MPROC_EBUILD);
    CU_ASSERT_PTR_NULL(base);
    CU_ASSERT(strlen(mproc_last_error()) > 0);
}

static void test_module__missing_library_is_not_found(void)
{
    mplat_module module;
    const char *base = NULL;
    CU_ASSERT_EQUAL_FATAL(mplat_module_of(address_of(local_answer), &module), 0);
    module.is_program = false;
    (void)snprintf(module.path, sizeof(module.path), "%s", "no_such_library");
    CU_ASSERT_EQUAL(mplat_module_find(&module, &base), MPROC_ENOENT);
    (void)snprintf(module.path, sizeof(module.path), "%s", "/no/such/library.so");
    CU_ASSERT_EQUAL(mplat_module_find(&module, &base), MPROC_ENOENT);
    CU_ASSERT(strstr(mproc_last_error(), "/no/such/library.so") != NULL);
    CU_ASSERT_PTR_NULL(base);
}

static void test_module__library_is_loaded_by_the_child(void)
{
    apr_pool_t *pool;
    apr_dso_handle_t *library;
    apr_dso_handle_sym_t symbol;
    mplat_module module;
    const char *base = NULL;
    CU_ASSERT_EQUAL_FATAL(apr_initialize(), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_pool_create(&pool, NULL), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_dso_load(&library, PLUGIN, pool), APR_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(apr_dso_sym(&symbol, library, "plugin_answer"), APR_SUCCESS);
    const void *address = (const void *)(uintptr_t)symbol;
    CU_ASSERT_EQUAL_FATAL(mplat_module_of(address, &module), 0);
    CU_ASSERT_FALSE(module.is_program);
    CU_ASSERT(strstr(module.path, "mproc_platform_plugin") != NULL);
    CU_ASSERT_EQUAL(mplat_module_find(&module, &base), 0);
    CU_ASSERT_PTR_EQUAL(base, module.base);
    child_found();
    CU_ASSERT_EQUAL(in_child(CALL_IT, &module, address), 42);
    CU_ASSERT_EQUAL(in_child(CALL_ANOTHER_BUILD, &module, address), 0);
    CU_ASSERT_EQUAL((int)shm->number[1], MPROC_EBUILD);
    child_end();
    apr_pool_destroy(pool);
    apr_terminate();
}

/* ---- places in the code ---------------------------------------------------------------------- */

#define FRAMES 32

static MPROC__NOINLINE size_t take_stack(const void **frames)
{
    size_t n = mplat_stack(frames, FRAMES);
    return n + (frames[0] == NULL ? 1 : 0); // so that the call above is no jump
}

/** How many of the addresses lie in the first `reach` bytes behind the entry of a function. */
static size_t count_near(const void *const *frames, size_t n, const void *function, size_t reach)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        uintptr_t distance = (uintptr_t)frames[i] - (uintptr_t)function;
        count += distance > 0 && distance < reach ? 1 : 0;
    }
    return count;
}

static void test_module__stack_leads_to_the_caller(void)
{
    const void *frames[FRAMES] = {NULL};
    size_t n = take_stack(frames);
    CU_ASSERT_FATAL(n >= 2 && n <= FRAMES);
    const void *self = (const void *)(uintptr_t)test_module__stack_leads_to_the_caller;
    CU_ASSERT(count_near(frames, n, self, 1024) >= 1);
    CU_ASSERT(mplat_stack(frames, 1) <= 1);
}

static void test_module__code_has_a_text(void)
{
    char text[1400];
    char wanted[64];
    mplat_module module;
    const char *address = (const char *)address_of(local_answer) + 1;
    CU_ASSERT_EQUAL_FATAL(mplat_module_of(address, &module), 0);
    // The call that returns there ends a byte before.
    (void)snprintf(wanted, sizeof(wanted), "+0x%llx",
                   (unsigned long long)(address - 1 - module.base));
    mplat_code_text(address, text, sizeof(text));
    CU_ASSERT(strstr(text, "test_platform_module") != NULL);
    CU_ASSERT(strstr(text, wanted) != NULL);
    mplat_code_text(address, text, 8);
    CU_ASSERT_EQUAL(strlen(text), 7);
    int local = 0;
    mplat_code_text(&local, text, sizeof(text));
    CU_ASSERT(strlen(text) > 0 && strchr(text, '+') == NULL);
}

static void child_fn(int argc, char **argv)
{
    static const child_role roles[] = {call_it, call_another_build};
    child_run(argc, argv, roles, sizeof(roles) / sizeof(roles[0]));
}

static const testlib_case cases[] = {
    {"own_program", test_module__own_program},
    {"data_is_in_none", test_module__data_is_in_none},
    {"another_build_is_refused", test_module__another_build_is_refused},
    {"missing_library_is_not_found", test_module__missing_library_is_not_found},
    {"library_is_loaded_by_the_child", test_module__library_is_loaded_by_the_child},
    {"stack_leads_to_the_caller", test_module__stack_leads_to_the_caller},
    {"code_has_a_text", test_module__code_has_a_text},
};
TESTLIB_MAIN_CHILD("platform.module", cases, child_fn)
