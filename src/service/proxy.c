/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.c: mproc_proxy: calls go where the object is, which is here as a rule.
 */
#include "base/compiler.h"
#include "base/status.h"
#include "family/family.h"
#include "service/invoke.h"
#include "service/protocol.h"
#include "service/remote.h"

static const mproc_args no_args = {0, NULL};

static int somebody_elses(void)
{
    return mproc__fail(MPROC_ESTATE,
                       "the proxy is another process's, which has connected to that manager");
}

static int call_here(struct mproc_object *object, const char *method, const mproc_args *args,
                     mproc_value *ret_result, mproc_timeout timeout)
{
    mproc__invocation call = {.object = object, .args = *args, .timeout = timeout};
    int rc = mproc__family_enter();
    if (rc >= 0) {
        rc = mproc__invoke(&call, method);
    }
    if (rc >= 0 && ret_result != NULL) {
        *ret_result = call.result;
    } else if (rc >= 0) {
        mproc_value_clear(&call.result);
    }
    return rc;
}

int mproc_proxy_call(mproc_proxy *proxy, const char *method, const mproc_args *args,
                     mproc_value *ret_result, mproc_timeout timeout)
{
    if (proxy == NULL || method == NULL) {
        return mproc__fail(MPROC_EINVAL, "call: the %s is NULL",
                           proxy == NULL ? "proxy" : "method");
    }
    args = args != NULL ? args : &no_args;
    if (proxy->object.kind != MPROC__KIND_PROXY) {
        return call_here(&proxy->object, method, args, ret_result, timeout);
    }
    mproc__remote *remote = mproc__remote_of(&proxy->object);
    return remote == NULL ? somebody_elses()
                          : mproc__remote_call(remote, mproc__remote_reference(&proxy->object),
                                               method, args, ret_result, timeout);
}

/** Whose they are, of all the operations from here on that go to the same server; NULL: they do not. */
static mproc__remote *run_of(mproc_operation *operations, size_t count, size_t *ret_length)
{
    mproc__remote *remote = mproc__remote_of(&operations[0].proxy->object);
    size_t n = 1;
    while (remote != NULL && n < count &&
           mproc__remote_of(&operations[n].proxy->object) == remote) {
        n++;
    }
    *ret_length = n;
    return remote;
}

int mproc_proxy_call_many(mproc_operation *operations, size_t count)
{
    int rc = operations != NULL || count == 0
                 ? MPROC_OK
                 : mproc__fail(MPROC_EINVAL, "call_many: there are no operations");
    for (size_t i = 0; i < count && rc >= 0; i++) {
        bool is_whole = operations[i].proxy != NULL && operations[i].method != NULL;
        operations[i].result = MPROC_NIL_VALUE;
        rc = is_whole
                 ? MPROC_OK
                 : mproc__fail(MPROC_EINVAL, "call_many: operation %zu has no proxy or method", i);
    }
    if (rc < 0) {
        return rc;
    }
    size_t n;
    for (size_t i = 0; i < count; i += n) {
        mproc_operation *first = &operations[i];
        mproc__remote *remote = run_of(first, count - i, &n);
        if (remote == NULL) {
            first->status = mproc_proxy_call(first->proxy, first->method, first->args,
                                             &first->result, MPROC_NOWAIT);
        } else if ((rc = mproc__remote_call_many(remote, first, n)) < 0) {
            for (size_t j = i; j < count; j++) {
                operations[j].status = rc;
            }
            return rc;
        }
    }
    return MPROC_OK;
}

int mproc_proxy_of(mproc_proxy **ret_proxy, const mproc_value *value)
{
    if (ret_proxy == NULL || value == NULL) {
        return mproc__fail(MPROC_EINVAL, "there is no value, or no place for the proxy");
    }
    if (value->type != MPROC_OBJECT || value->as.object == NULL) {
        return mproc__fail(MPROC_ETYPE, "the value is no object but a %s",
                           mproc_type_name(value->type));
    }
    return mproc_proxy_attach(ret_proxy, MPROC__CONTAINER(value->as.object, mproc_proxy, object));
}

const char *mproc_proxy_type(const mproc_proxy *proxy)
{
    if (proxy == NULL) {
        return "nothing";
    }
    if (mproc__remote_of(&proxy->object) != NULL) {
        uint64_t reference = mproc__remote_reference(&proxy->object);
        return mproc__object_text(mproc__reference_kind(reference));
    }
    return mproc__object_text(proxy->object.kind);
}
