/* What the files of sync share. Nobody outside lib/sync includes this. */
#ifndef SYNC_INTERNAL_H
#define SYNC_INTERNAL_H

#include "sync/barrier.h"
#include "sync/both.h"
#include "sync/folder.h"
#include "sync/hash.h"
#include "sync/shared.h"
#include "sync/transfer.h"

#endif
