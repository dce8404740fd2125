/* SPDX-License-Identifier: Apache-2.0 */
/*
 * where.c: see where.h.
 */
#include "object/where.h"

#include "base/compiler.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>

static int no_address(const char *text)
{
    return mproc__fail(MPROC_EINVAL,
                       "\"%s\" is no address; these are: unix:/path, unix:@name, pipe:name, "
                       "tcp:host:port, tcp:[::1]:port",
                       text);
}

static int take_name(const char *text, const char *name, size_t length, mplat_address *address)
{
    if (length == 0) {
        return no_address(text);
    }
    if (length >= sizeof(address->name)) {
        return mproc__fail(MPROC_ETOOBIG, "an address is longer than %zu bytes: %s",
                           sizeof(address->name) - 1, text);
    }
    memcpy(address->name, name, length);
    address->name[length] = '\0';
    return MPROC_OK;
}

static int parse_port(const char *text, const char *digits, uint16_t *ret_port)
{
    uint32_t port = 0;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 5 || digits[count] != '\0') {
        return no_address(text);
    }
    for (; *digits != '\0'; digits++) {
        port = port * 10 + (uint32_t)(*digits - '0');
    }
    *ret_port = (uint16_t)port;
    return port <= UINT16_MAX ? MPROC_OK : no_address(text);
}

/** "host:port", or "[address]:port" where the address has colons itself. */
static int parse_tcp(const char *text, const char *rest, mplat_address *address)
{
    const char *colon = strrchr(rest, ':');
    const char *end = colon;
    if (colon == NULL) {
        return no_address(text);
    }
    if (rest[0] == '[' && end > rest && end[-1] == ']') {
        rest++;
        end--;
    } else if (memchr(rest, ':', (size_t)(end - rest)) != NULL) {
        return no_address(text);
    }
    int rc = take_name(text, rest, (size_t)(end - rest), address);
    return rc < 0 ? rc : parse_port(text, colon + 1, &address->port);
}

static const char *behind(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

int mproc__where_parse(const char *text, mplat_address *ret_address)
{
    const char *rest;
    *ret_address = (mplat_address){.family = MPLAT_FAMILY_UNIX};
    if ((rest = behind(text, "unix:")) != NULL) {
        return take_name(text, rest, strlen(rest), ret_address);
    }
    if ((rest = behind(text, "pipe:")) != NULL) {
        ret_address->family = MPLAT_FAMILY_PIPE;
        return strpbrk(rest, "\\/") == NULL ? take_name(text, rest, strlen(rest), ret_address)
                                            : no_address(text);
    }
    if ((rest = behind(text, "tcp:")) != NULL) {
        ret_address->family = MPLAT_FAMILY_TCP;
        return parse_tcp(text, rest, ret_address);
    }
    return no_address(text);
}

void mproc__where_format(const mplat_address *address, char *text, size_t size)
{
    bool has_colon = strchr(address->name, ':') != NULL;
    switch (address->family) {
    case MPLAT_FAMILY_TCP:
        (void)snprintf(text, size, has_colon ? "tcp:[%s]:%u" : "tcp:%s:%u", address->name,
                       address->port);
        break;
    case MPLAT_FAMILY_PIPE:
        (void)snprintf(text, size, "pipe:%s", address->name);
        break;
    default:
        (void)snprintf(text, size, "unix:%s", address->name);
    }
}
