// SPDX-License-Identifier: Apache-2.0
// boost_queue.cpp: see boost_queue.h.
#include "boost_queue.h"

#include <boost/interprocess/ipc/message_queue.hpp>

#include <string>
#include <unistd.h>

namespace bi = boost::interprocess;

void *boost_queue_create(size_t depth, size_t size)
{
    static unsigned number;
    const std::string name =
        "bench-channel-" + std::to_string(getpid()) + "-" + std::to_string(number++);
    try {
        auto *queue = new bi::message_queue(bi::create_only, name.c_str(), depth, size);
        bi::message_queue::remove(name.c_str());
        return queue;
    } catch (const std::exception &) {
        return nullptr;
    }
}

void boost_queue_destroy(void *queue)
{
    delete static_cast<bi::message_queue *>(queue);
}

int boost_queue_put(void *queue, const void *data, size_t size)
{
    try {
        static_cast<bi::message_queue *>(queue)->send(data, size, 0);
        return 0;
    } catch (const std::exception &) {
        return -1;
    }
}

int boost_queue_get(void *queue, void *data, size_t size)
{
    bi::message_queue::size_type got;
    unsigned priority;
    try {
        static_cast<bi::message_queue *>(queue)->receive(data, size, got, priority);
        return 0;
    } catch (const std::exception &) {
        return -1;
    }
}
