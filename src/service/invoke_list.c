/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke_list.c: the methods of lists by name; see mproc/list.h.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "mproc/list.h"
#include "service/invoke.h"

static int append(mproc__invocation *call)
{
    mproc_value value;
    size_t n = 0;
    int rc = MPROC_UNPACK(&call->args, &value);
    if (rc >= 0) {
        rc = mproc_list_append(MPROC__SELF(call, mproc_list), value, &n);
    }
    return mproc__invoke_int(call, rc, (int64_t)n);
}

static int extend(mproc__invocation *call)
{
    mproc_value values;
    size_t n = 0;
    int rc = MPROC_UNPACK(&call->args, &values);
    if (rc >= 0 && values.type != MPROC_LIST) {
        rc = mproc__fail(MPROC_ETYPE, "extend: the values are no list");
    }
    if (rc >= 0) {
        rc = mproc_list_extend(MPROC__SELF(call, mproc_list), values.as.list.items,
                               values.as.list.count, &n);
    }
    return mproc__invoke_int(call, rc, (int64_t)n);
}

static int insert(mproc__invocation *call)
{
    int64_t index;
    mproc_value value;
    int rc = MPROC_UNPACK(&call->args, &index, &value);
    return rc < 0 ? rc : mproc_list_insert(MPROC__SELF(call, mproc_list), index, value);
}

static int get(mproc__invocation *call)
{
    int64_t index;
    int rc = MPROC_UNPACK(&call->args, &index);
    return rc < 0 ? rc : mproc_list_get(MPROC__SELF(call, mproc_list), index, &call->result);
}

static int set(mproc__invocation *call)
{
    int64_t index;
    mproc_value value;
    int rc = MPROC_UNPACK(&call->args, &index, &value);
    return rc < 0 ? rc : mproc_list_set(MPROC__SELF(call, mproc_list), index, value);
}

static int pop(mproc__invocation *call)
{
    int64_t index = -1;
    int rc = MPROC_UNPACK(&call->args, MPROC_OPTIONAL(&index));
    return rc < 0 ? rc : mproc_list_pop(MPROC__SELF(call, mproc_list), index, &call->result);
}

static int slice(mproc__invocation *call)
{
    int64_t start = 0;
    int64_t stop = MPROC_LIST_END;
    int rc = MPROC_UNPACK(&call->args, MPROC_OPTIONAL(&start), MPROC_OPTIONAL(&stop));
    return rc < 0 ? rc
                  : mproc_list_slice(MPROC__SELF(call, mproc_list), start, stop, &call->result);
}

static int length(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return mproc__invoke_int(call, rc, (int64_t)mproc_list_length(MPROC__SELF(call, mproc_list)));
}

static int clear(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_list_clear(MPROC__SELF(call, mproc_list));
}

const mproc__method mproc__methods_list[] = {
    {"get", get},       {"set", set},       {"append", append}, {"pop", pop},
    {"extend", extend}, {"insert", insert}, {"length", length}, {"slice", slice},
    {"clear", clear},   {NULL, NULL},
};
