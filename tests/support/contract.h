/*
 * What every store must do, whatever stands behind it: one suite, run by tests/contract/DRIVER.c
 * against each driver. A failing test here means that sync would lose data with that driver.
 *
 * Each test works below a folder of its own with a new name and removes it, so that servers may be
 * shared.
 */
#ifndef SUPPORT_CONTRACT_H
#define SUPPORT_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "crypto/crypto.h"
#include "loop/loop.h"
#include "store/store.h"

/* What a server may answer in place of what it is asked for. */
enum contract_trouble {
	TROUBLE_NONE,
	TROUBLE_HICCUP,      /* too fast, once */
	TROUBLE_RATE,        /* too fast, in the words of the provider */
	TROUBLE_RATE_BARE,   /* too fast, says what stands before the server */
	TROUBLE_UNAVAILABLE, /* 503 */
	TROUBLE_FULL,        /* no room, to what needs some */
	TROUBLE_FULL_BARE,
	TROUBLE_EXPIRED, /* the credentials have ended, and can perhaps be renewed */
	TROUBLE_DENIED,  /* they are not accepted any more: a person has to act */
	TROUBLES,
};

/* What the store must make of it. */
struct contract_verdict {
	enum err_kind kind; /* ERR_NONE: it helps itself */
	uint32_t retry_ms;
	const char *says; /* what a person finds in the text; ", or " stands between two of them */
};

struct contract {
	const char *name;
	struct loop *loop;
	/* One more store object on the same remote; NULL with err. */
	struct store *(*open)(struct contract *contract, struct err *err);
	void (*close)(struct contract *contract, struct store *store);
	void *user;
	int64_t part_bytes; /* the least size of a part that is not the last */
	bool no_lists; /* leaves out the groups of lists and troubles, which another run has told */
	bool small;    /* a place of a few MiB: what is told of those, and nothing else */
	bool no_parts; /* the server takes none, which it says */
	/* The server keeps names and bytes, no times and modes; what hashes it tells it reads. */
	bool no_times;
	int64_t time_grain_ns; /* times are kept to so much, and none before 1970; 0: as they are */
	int refused;           /* names of the lists that it refuses, beside three odd ones */
	bool key_limit;        /* keys of more than 1,024 bytes are refused */
	bool key_characters;   /* ... characters, rather */
	size_t key_before;     /* bytes that the driver puts before each key */
	bool changes;          /* tells them; see store.h */
	bool deep_versions;    /* of folders */
	int many;              /* entries of a folder that needs more than one page; 0: 1,050 */
	/* Makes the server of the stores that open_troubled() gives answer so, after so many requests that it
	 * could befall. NULL: it never says so. Absent: nothing can be made to stand between. */
	const struct contract_verdict *(*trouble)(
		struct contract *contract, enum contract_trouble trouble, int passes);
	struct store *(*open_troubled)(struct contract *contract, struct err *err);
	int troubled; /* requests that were answered so since */
};

/* Runs all of it; the number of failed tests, as main() returns it. */
int contract_run(struct contract *contract);

/* ---- for the files of the suite ---- */

struct bench {
	struct contract *contract;
	struct loop *loop;
	struct store *store;
	char *root; /* the folder of this test */
	struct err err;
};

int bench_open(void **state);
int bench_close(void **state);

/* "ROOT/name". Lives until the test ends or 64 more were asked for. */
const char *bench_key(struct bench *bench, const char *name);

/* Runs one operation to its end; ERR_NONE or what it failed with, the whole error in bench->err. */
enum err_kind bench_run(struct bench *bench, struct store_op *op);
enum err_kind bench_run_on(struct bench *bench, struct store *store, struct store_op *op);

/* A file, or a link, with its hash, mtime and mode as sync gives them. */
void bench_put_init(
	struct bench *bench, struct store_op *op, const char *name, const void *bytes, size_t len);
void bench_put(struct bench *bench, const char *name, const char *text);
/* The whole content; fails the test when it is not there. The caller's. */
char *bench_get(struct bench *bench, const char *name, enum store_kind kind);
void bench_expect(struct bench *bench, const char *name, const char *text);
void bench_expect_absent(struct bench *bench, const char *name, enum store_kind kind);
/* STAT into `entry` (release it). */
enum err_kind bench_stat(
	struct bench *bench, const char *name, enum store_kind kind, struct store_entry *entry);
char *bench_version(struct bench *bench, const char *name);
/* Is this what a bench_put of these bytes made? */
void bench_expect_entry(
	struct bench *bench, const struct store_entry *entry, const void *bytes, size_t len);
void bench_mkdir(struct bench *bench, const char *name);
enum err_kind bench_remove(struct bench *bench, const char *name, enum store_kind kind);

/* All pages of a listing, `limit` a page. */
struct listing {
	struct store_entry *entries;
	size_t count;
	int pages;
};
enum err_kind bench_list(
	struct bench *bench, const char *name, bool recursive, int limit, struct listing *listing);
const struct store_entry *listing_find(const struct listing *listing, const char *name);
void listing_take(struct listing *listing, struct store_op *op); /* the page of its answer */
void listing_release(struct listing *listing);

struct store_hash bench_hash(const struct store *store, const void *bytes, size_t len);
/* Of a part, as the store likes it best. */
struct store_hash bench_part_hash(const struct store *store, const void *bytes, size_t len);

/* `call` gives an enum err_kind; the error's text is told where it is another. */
#define assert_err(bench, call, kind)                                                    \
	do {                                                                             \
		enum err_kind got_ = (call);                                             \
		if (got_ != (kind)) {                                                    \
			fail_msg("%s: %s instead of %s: %s", #call, err_kind_name(got_), \
				err_kind_name(kind), (bench)->err.text);                 \
		}                                                                        \
	} while (0)

/* A store whose server contract->trouble() reaches. */
struct store *bench_open_troubled(struct bench *bench);
/* Is the last error of the bench what is to be made of it? It came after so many requests. */
void bench_expect_verdict(const struct bench *bench, const char *what, int passes,
	const struct contract_verdict *verdict);

/* A time as the store keeps it. */
int64_t bench_time(struct bench *bench, int64_t ns);

#define BENCH_MTIME_NS (1700000000123456789LL)
#define BENCH_MODE     0640

extern const struct CMUnitTest contract_file_tests[], contract_copy_tests[], contract_list_tests[],
	contract_keep_tests[], contract_part_tests[], contract_fault_tests[],
	contract_change_tests[], contract_deep_tests[], contract_trouble_tests[],
	contract_room_tests[], contract_halfway_tests[], contract_long_tests[];
extern const size_t contract_file_count, contract_copy_count, contract_list_count,
	contract_keep_count, contract_part_count, contract_fault_count, contract_change_count,
	contract_deep_count, contract_trouble_count, contract_room_count, contract_halfway_count,
	contract_long_count;

#define BENCH_TEST(function) cmocka_unit_test_setup_teardown(function, bench_open, bench_close)

#endif
