/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager_objects.c: what is done with managers: objects are created, named and found.
 *
 * How  These are methods, like those of other objects (invoke.h): so a stranger's manager has them called by name, of
 *      reference 0, and the server does what the family does itself.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "family/family.h"
#include "service/invoke.h"
#include "service/manager.h"
#include "service/protocol.h"

static int is_null(const char *verb)
{
    return mproc__fail(MPROC_EINVAL, "%s: the manager, or something else, is NULL", verb);
}

/* ---- its methods ----------------------------------------------------------------------------- */

static mproc_dict names_of(const mproc__invocation *call)
{
    uint64_t at = mproc__manager_of(MPROC__SELF(call, mproc_manager))->names;
    return (mproc_dict){
        .object = {.kind = MPROC__KIND_DICT, .offset = at, .shm = mproc__block_at(at)}};
}

/** create(type, ...): the result is the object. */
static int method_create(mproc__invocation *call)
{
    const char *type;
    struct mproc_object *object = NULL;
    const mproc_args first = {call->args.count < 1 ? 0 : 1, call->args.items};
    int rc = MPROC_UNPACK(&first, &type);
    if (rc < 0) {
        return rc;
    }
    const mproc_args rest = {call->args.count - 1, call->args.items + 1};
    rc = mproc__invoke_create(type, &rest, &object);
    if (rc >= 0) {
        mproc_value value = {.type = MPROC_OBJECT};
        value.as.object = object;
        rc = mproc_value_copy(&call->result, &value);
        mproc__object_close(object);
    }
    return rc;
}

static int method_get(mproc__invocation *call)
{
    const char *name;
    mproc_dict names = names_of(call);
    int rc = MPROC_UNPACK(&call->args, &name);
    if (rc >= 0) {
        rc = mproc_dict_get(&names, MPROC_VALUE(name), &call->result);
    }
    return rc == MPROC_ENOENT ? mproc__fail(rc, "no object is published as \"%s\"", name) : rc;
}

static int method_publish(mproc__invocation *call)
{
    const char *name;
    struct mproc_object *object;
    mproc_dict names = names_of(call);
    int rc = MPROC_UNPACK(&call->args, &name, &object);
    return rc < 0 ? rc : mproc_dict_set(&names, MPROC_VALUE(name), call->args.items[1]);
}

static int method_unpublish(mproc__invocation *call)
{
    const char *name;
    mproc_dict names = names_of(call);
    int rc = MPROC_UNPACK(&call->args, &name);
    if (rc >= 0) {
        rc = mproc_dict_pop(&names, MPROC_VALUE(name), NULL);
    }
    return rc == MPROC_ENOENT ? mproc__fail(rc, "no object is published as \"%s\"", name) : rc;
}

static int method_names(mproc__invocation *call)
{
    mproc_dict names = names_of(call);
    int rc = mproc__invoke_none(call);
    return rc < 0 ? rc : mproc_dict_keys(&names, &call->result);
}

const mproc__method mproc__methods_manager[] = {
    {"get", method_get},         {"create", method_create},
    {"publish", method_publish}, {"unpublish", method_unpublish},
    {"names", method_names},     {NULL, NULL},
};

/** Call one of them, wherever the manager is. */
static int call_manager(mproc_manager *manager, const char *method, const mproc_args *args,
                        mproc_value *ret_result)
{
    int rc = mproc__family_enter();
    if (rc < 0) {
        return rc;
    }
    if (mproc__manager_of(manager)->is_remote != 0) {
        const struct mproc__manager_local *local = mproc__manager_local_of(manager);
        return local == NULL ? mproc__fail(MPROC_ESTATE,
                                           "the manager is another process's, which has connected")
                             : mproc__remote_call(local->remote, MPROC__REFERENCE_MANAGER, method,
                                                  args, ret_result, MPROC_FOREVER);
    }
    mproc__invocation call = {.object = &manager->object, .args = *args, .timeout = MPROC_FOREVER};
    rc = mproc__invoke(&call, method);
    *ret_result = call.result;
    return rc;
}

/** The same, for a proxy of the object that it returns. */
static int call_for_object(mproc_manager *manager, const char *method, const mproc_args *args,
                           mproc_proxy **ret_proxy)
{
    mproc_value result = MPROC_NIL_VALUE;
    int rc = call_manager(manager, method, args, &result);
    if (rc >= 0) {
        rc = mproc_proxy_of(ret_proxy, &result);
    }
    mproc_value_clear(&result);
    return rc;
}

int mproc_manager_create_object(mproc_manager *manager, const char *type, const mproc_args *args,
                                mproc_proxy **ret_proxy)
{
    mproc_value all[17];
    size_t n = args != NULL ? args->count : 0;
    if (manager == NULL || type == NULL || ret_proxy == NULL) {
        return is_null("create_object");
    }
    if (n >= MPROC__COUNT(all)) {
        return mproc__fail(MPROC_ECOUNT, "create_object: no type has %zu arguments", n);
    }
    all[0] = MPROC_VALUE(type);
    for (size_t i = 0; i < n; i++) {
        all[i + 1] = mproc__value_borrow(args->items[i]);
    }
    return call_for_object(manager, "create", &(const mproc_args){n + 1, all}, ret_proxy);
}

int mproc_manager_get_object(mproc_manager *manager, const char *name, mproc_proxy **ret_proxy)
{
    if (manager == NULL || name == NULL || ret_proxy == NULL) {
        return is_null("get_object");
    }
    return call_for_object(manager, "get", MPROC_ARGS(name), ret_proxy);
}

static int call_for_nothing(mproc_manager *manager, const char *method, const mproc_args *args)
{
    mproc_value result = MPROC_NIL_VALUE;
    int rc = call_manager(manager, method, args, &result);
    mproc_value_clear(&result);
    return rc < 0 ? rc : MPROC_OK;
}

int mproc_manager_publish(mproc_manager *manager, const char *name, mproc_proxy *proxy)
{
    if (manager == NULL || name == NULL || proxy == NULL) {
        return is_null("publish");
    }
    if (mproc__manager_of(manager)->is_remote == 0 && proxy->object.kind == MPROC__KIND_PROXY) {
        return mproc__fail(MPROC_ETYPE, "publish: the object is one of another manager's");
    }
    return call_for_nothing(manager, "publish", MPROC_ARGS(name, proxy));
}

int mproc_manager_unpublish(mproc_manager *manager, const char *name)
{
    if (manager == NULL || name == NULL) {
        return is_null("unpublish");
    }
    return call_for_nothing(manager, "unpublish", MPROC_ARGS(name));
}
