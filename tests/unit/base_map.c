#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

static void put_get_take(void **state) {
	int one = 1, two = 2;
	struct map map;

	(void)state;
	map_init(&map);
	assert_null(map_get(&map, "a"));
	assert_null(map_take(&map, "a"));
	assert_int_equal(map_count(&map), 0);

	assert_null(map_put(&map, "a", &one));
	assert_null(map_put(&map, "", &two)); /* the empty key is a key */
	assert_ptr_equal(map_get(&map, "a"), &one);
	assert_ptr_equal(map_get(&map, ""), &two);
	assert_ptr_equal(map_put(&map, "a", &two), &one);
	assert_ptr_equal(map_get(&map, "a"), &two);
	assert_int_equal(map_count(&map), 2);

	assert_ptr_equal(map_take(&map, "a"), &two);
	assert_null(map_get(&map, "a"));
	assert_int_equal(map_count(&map), 1);
	map_release(&map);
	assert_int_equal(map_count(&map), 0);
	map_release(&map);
}

static void keys_are_copied(void **state) {
	char key[] = "key";
	struct map map;

	(void)state;
	map_init(&map);
	map_put(&map, key, key);
	key[0] = 'x';
	assert_ptr_equal(map_get(&map, "key"), key);
	assert_null(map_get(&map, "xey"));
	map_release(&map);
}

static void keeps_the_order(void **state) {
	enum { COUNT = 5000 };
	static int values[COUNT];
	struct map map;
	char key[32];

	(void)state;
	map_init(&map);
	for (int i = 0; i < COUNT; i++) {
		snprintf(key, sizeof(key), "%d", (i * 7919) % COUNT);
		map_put(&map, key, &values[i]);
	}
	assert_int_equal(map_count(&map), COUNT);
	for (int i = 0; i < COUNT; i += 2) {
		snprintf(key, sizeof(key), "%d", (i * 7919) % COUNT);
		assert_ptr_equal(map_take(&map, key), &values[i]);
	}
	int next = 1;
	for (struct map_item *item = NULL; (item = map_next(&map, item)); next += 2) {
		snprintf(key, sizeof(key), "%d", (next * 7919) % COUNT);
		assert_string_equal(map_key(item), key);
		assert_ptr_equal(map_value(item), &values[next]);
	}
	assert_int_equal(next, COUNT + 1);
	map_release(&map);
}

/* ---- lists, the other way to hold many ---- */

struct thing {
	int number;
	struct list link;
};

static void expect_list(struct list *head, const char *numbers) {
	char seen[32] = "";

	list_each(head, link) {
		struct thing *thing = list_entry(link, struct thing, link);
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%d", thing->number);
	}
	assert_string_equal(seen, numbers);
}

static void lists(void **state) {
	struct thing things[] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct list head, other;

	(void)state;
	list_init(&head);
	list_init(&other);
	assert_true(list_empty(&head));
	for (size_t i = 0; i < ARRAY_LEN(things); i++) list_add_tail(&head, &things[i].link);
	expect_list(&head, "123");
	list_remove(&things[1].link);
	list_remove(&things[1].link); /* harmless twice */
	expect_list(&head, "13");
	list_add_tail(&other, &things[1].link);
	list_take_all(&other, &head);
	expect_list(&other, "213");
	expect_list(&head, "");
	list_take_all(&other, &head);
	expect_list(&other, "213");
	list_each(&other, link) {
		list_remove(link); /* inside the loop */
	}
	assert_true(list_empty(&other));
	assert_ptr_equal(container_of(&things[1].link, struct thing, link), &things[1]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_get_take),
		cmocka_unit_test(keys_are_copied),
		cmocka_unit_test(keeps_the_order),
		cmocka_unit_test(lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
