/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start.c: start blocks: packed here, and unpacked in child.c but for the arguments.
 */
#include "object/start.h"

#include "base/log.h"
#include "base/status.h"
#include "family/codec.h"
#include "object/connection.h"

#include <string.h>

/** Where the parts of a block go: sizes are summed first, then the same steps copy. */
typedef struct writer {
    char *base; /* NULL while sizes are summed */
    uint64_t at;
} writer;

static uint32_t pack_bytes(writer *packer, const void *data, uint64_t size)
{
    uint64_t at = packer->at;
    if (packer->base != NULL && size > 0) {
        memcpy(packer->base + at, data, (size_t)size);
    }
    packer->at = (at + size + 7) / 8 * 8;
    return (uint32_t)at;
}

static uint32_t pack_string(writer *packer, const char *string)
{
    return string == NULL ? 0 : pack_bytes(packer, string, strlen(string) + 1);
}

static void pack_options(writer *packer, const mproc_process_options *options,
                         struct mproc__start_shm *start)
{
    if (options->env != NULL) {
        start->env_at = (uint32_t)packer->at;
        for (start->n_env = 0; options->env[start->n_env] != NULL; start->n_env++) {
            (void)pack_string(packer, options->env[start->n_env]);
        }
    }
    if (options->n_cpus > 0) {
        start->n_cpus = (uint32_t)options->n_cpus;
        start->cpus_at = pack_bytes(packer, options->cpus, options->n_cpus * sizeof(int));
    }
    start->nice = options->nice;
    start->umask = options->umask;
    start->user = options->user;
    start->group = options->group;
    start->flags = (options->is_daemon ? MPROC__START_DAEMON : 0) |
                   (options->set_umask ? MPROC__START_UMASK : 0) |
                   (options->set_user ? MPROC__START_USER : 0) |
                   (mproc__log_is_to_stderr() ? MPROC__START_LOG_STDERR : 0);
    start->log_level = (uint32_t)mproc_log_get_level();
}

/** Everything but the arguments. */
static void pack_all(writer *packer, const mproc__start_info *info, const mproc__entry *entry,
                     struct mproc__start_shm *start)
{
    *start = (struct mproc__start_shm){.distance = entry->distance,
                                       .is_program = entry->module.is_program};
    memcpy(start->build, entry->module.build, sizeof(start->build));
    packer->at = sizeof(*start);
    if (info->function != NULL) {
        start->path_at = pack_string(packer, entry->module.path);
    }
    start->name_at = pack_string(packer, info->name);
    start->identity_at = pack_string(packer, info->identity);
    start->directory_at = pack_string(packer, info->directory);
    start->method_at = pack_string(packer, mproc_get_start_method());
    pack_options(packer, info->options, start);
}

static mproc_value list_of(const mproc_args *args)
{
    mproc_value list = {.type = MPROC_LIST};
    if (args != NULL) {
        list.as.list.items = args->items;
        list.as.list.count = args->count;
    }
    return list;
}

int mproc__start_check(const mproc__start_info *info)
{
    const mproc__codec codec = {.put_object = mproc__object_embed};
    const mproc_value args = list_of(info->args);
    size_t unused;
    return mproc__codec_size(&codec, &args, &unused, NULL);
}

static bool has_strangers(const mproc_value *value)
{
    bool result = value->type == MPROC_OBJECT && mproc__connection_is_strangers(value->as.object);
    if (value->type == MPROC_LIST) {
        for (size_t i = 0; i < value->as.list.count && !result; i++) {
            result = has_strangers(&value->as.list.items[i]);
        }
    } else if (value->type == MPROC_MAP) {
        for (size_t i = 0; i < value->as.map.count && !result; i++) {
            result = has_strangers(&value->as.map.pairs[i].key) ||
                     has_strangers(&value->as.map.pairs[i].value);
        }
    }
    return result;
}

bool mproc__start_has_strangers(const mproc__start_info *info)
{
    const mproc_value args = list_of(info->args);
    return has_strangers(&args);
}

int mproc__start_pack(const mproc__start_info *info, mproc__hold *ret_hold)
{
    mproc__entry entry = {0};
    mproc__hold hold;
    const mproc__codec codec = {.put_object = mproc__object_embed, .arg = &hold};
    const mproc_value args = list_of(info->args);
    size_t args_size;
    size_t n_objects;
    int rc = info->function != NULL ? mproc__entry_of(info->function, &entry) : MPROC_OK;
    if (rc < 0 || (rc = mproc__codec_size(&codec, &args, &args_size, &n_objects)) < 0) {
        return rc;
    }
    writer packer = {0};
    struct mproc__start_shm start;
    pack_all(&packer, info, &entry, &start);
    if (packer.at > UINT32_MAX || n_objects > UINT32_MAX) {
        return mproc__fail(MPROC_ETOOBIG,
                           "names, paths and environment of a process take over 4 GiB");
    }
    rc = mproc__block_create(MPROC__KIND_START, packer.at + args_size, (uint32_t)n_objects, false,
                             &hold);
    if (rc < 0) {
        return rc;
    }
    packer.base = mproc__block_at(hold.offset);
    pack_all(&packer, info, &entry, &start);
    start.args_at = packer.at;
    start.args_size = args_size;
    memcpy(packer.base, &start, sizeof(start));
    rc = mproc__codec_write(&codec, &args, packer.base + packer.at);
    if (rc < 0) {
        mproc__block_release(hold);
        return rc;
    }
    *ret_hold = hold;
    return MPROC_OK;
}

int mproc__start_args(const char *base, mproc_value *ret_args)
{
    const mproc__codec codec = {.get_object = mproc__object_receive, .borrow_bytes = true};
    struct mproc__start_shm start;
    memcpy(&start, base, sizeof(start));
    return mproc__codec_read(&codec, base + start.args_at, (size_t)start.args_size, ret_args);
}

void mproc__copy_string(char *ret_copy, size_t size, const char *string)
{
    size_t length = strlen(string);
    length = length < size ? length : size - 1;
    memcpy(ret_copy, string, length);
    ret_copy[length] = '\0';
}

int mproc__launch_give(mproc__launch *launch)
{
    int rc = mproc__block_give(launch->start, launch->member);
    launch->is_given = rc >= 0;
    return rc;
}
