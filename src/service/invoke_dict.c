/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invoke_dict.c: the methods of dicts and namespaces by name; see mproc/dict.h.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "mproc/dict.h"
#include "service/invoke.h"

static int set(mproc__invocation *call)
{
    mproc_value key;
    mproc_value value;
    int rc = MPROC_UNPACK(&call->args, &key, &value);
    return rc < 0 ? rc : mproc_dict_set(MPROC__SELF(call, mproc_dict), key, value);
}

static int update(mproc__invocation *call)
{
    mproc_value map;
    int rc = MPROC_UNPACK(&call->args, &map);
    return rc < 0 ? rc : mproc_dict_update(MPROC__SELF(call, mproc_dict), map);
}

/** A key, and what is returned where it is not there, if that is given. */
static int read(mproc__invocation *call,
                int (*fn)(mproc_dict *dict, mproc_value key, mproc_value *ret_value))
{
    mproc_value key;
    mproc_value instead;
    int rc = call->args.count > 1 ? MPROC_UNPACK(&call->args, &key, &instead)
                                  : MPROC_UNPACK(&call->args, &key);
    if (rc >= 0) {
        rc = fn(MPROC__SELF(call, mproc_dict), key, &call->result);
    }
    if (rc == MPROC_ENOENT && call->args.count > 1) {
        rc = mproc_value_copy(&call->result, &instead);
    }
    return rc;
}

static int get_one(mproc_dict *dict, mproc_value key, mproc_value *ret_value)
{
    return mproc_dict_get(dict, key, ret_value);
}

static int get(mproc__invocation *call)
{
    return read(call, get_one);
}

static int pop(mproc__invocation *call)
{
    return read(call, mproc_dict_pop);
}

static int get_many(mproc__invocation *call)
{
    mproc_value keys;
    int rc = MPROC_UNPACK(&call->args, &keys);
    if (rc >= 0 && keys.type != MPROC_LIST) {
        rc = mproc__fail(MPROC_ETYPE, "get_many: the keys are no list");
    }
    return rc < 0 ? rc
                  : mproc_dict_get_many(MPROC__SELF(call, mproc_dict), keys.as.list.items,
                                        keys.as.list.count, &call->result);
}

static int contains(mproc__invocation *call)
{
    mproc_value key;
    int rc = MPROC_UNPACK(&call->args, &key);
    return rc < 0
               ? rc
               : mproc__invoke_bool(call, mproc_dict_contains(MPROC__SELF(call, mproc_dict), key));
}

static int setdefault(mproc__invocation *call)
{
    mproc_value key;
    mproc_value value;
    int rc = MPROC_UNPACK(&call->args, &key, &value);
    if (rc >= 0) {
        rc = mproc_dict_setdefault(MPROC__SELF(call, mproc_dict), key, value, &call->result);
    }
    return rc < 0 ? rc : MPROC_OK;
}

static int increment(mproc__invocation *call)
{
    mproc_value key;
    int64_t by = 1;
    int64_t sum = 0;
    int rc = MPROC_UNPACK(&call->args, &key, MPROC_OPTIONAL(&by));
    if (rc >= 0) {
        rc = mproc_dict_increment(MPROC__SELF(call, mproc_dict), key, by, &sum);
    }
    return mproc__invoke_int(call, rc, sum);
}

static int compare_and_set(mproc__invocation *call)
{
    mproc_value key;
    mproc_value expected;
    mproc_value value;
    int rc = MPROC_UNPACK(&call->args, &key, &expected, &value);
    if (rc < 0) {
        return rc;
    }
    rc = mproc_dict_compare_and_set(MPROC__SELF(call, mproc_dict), key, expected, value);
    return mproc__invoke_bool(call, rc);
}

static int length(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return mproc__invoke_int(call, rc, (int64_t)mproc_dict_length(MPROC__SELF(call, mproc_dict)));
}

static int clear(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_dict_clear(MPROC__SELF(call, mproc_dict));
}

static int items(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_dict_items(MPROC__SELF(call, mproc_dict), &call->result);
}

static int keys(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_dict_keys(MPROC__SELF(call, mproc_dict), &call->result);
}

static int values(mproc__invocation *call)
{
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_dict_values(MPROC__SELF(call, mproc_dict), &call->result);
}

const mproc__method mproc__methods_dict[] = {
    {"get", get},
    {"set", set},
    {"contains", contains},
    {"increment", increment},
    {"pop", pop},
    {"setdefault", setdefault},
    {"compare_and_set", compare_and_set},
    {"update", update},
    {"get_many", get_many},
    {"length", length},
    {"items", items},
    {"keys", keys},
    {"values", values},
    {"clear", clear},
    {NULL, NULL},
};
