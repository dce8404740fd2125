/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mproc/mproc.h: all of mproc.
 */
#ifndef MPROC_MPROC_H
#define MPROC_MPROC_H

#include "mproc/address.h"
#include "mproc/arena.h"
#include "mproc/array.h"
#include "mproc/barrier.h"
#include "mproc/condition.h"
#include "mproc/connection.h"
#include "mproc/dict.h"
#include "mproc/error.h"
#include "mproc/event.h"
#include "mproc/export.h"
#include "mproc/future.h"
#include "mproc/handle.h"
#include "mproc/latch.h"
#include "mproc/list.h"
#include "mproc/listener.h"
#include "mproc/lock.h"
#include "mproc/log.h"
#include "mproc/main.h"
#include "mproc/manager.h"
#include "mproc/named_lock.h"
#include "mproc/once.h"
#include "mproc/pool.h"
#include "mproc/pool_map.h"
#include "mproc/process.h"
#include "mproc/queue.h"
#include "mproc/rwlock.h"
#include "mproc/semaphore.h"
#include "mproc/shared_value.h"
#include "mproc/shareable_list.h"
#include "mproc/shared_memory.h"
#include "mproc/timeout.h"
#include "mproc/value.h"
#include "mproc/version.h"
#include "mproc/wait.h"
#include "mproc/waits.h"

#endif
