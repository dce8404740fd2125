/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin.c: a library for test_module to find functions in.
 */
#if defined(_WIN32)
#define PLUGIN_API __declspec(dllexport)
#else
#define PLUGIN_API __attribute__((visibility("default")))
#endif

PLUGIN_API int plugin_answer(void);

PLUGIN_API int plugin_answer(void)
{
    return 42;
}
