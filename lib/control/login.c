/*
 * Sessions, one-time codes, and how often a wrong token is heard. All of it is bounded and lives as
 * long as the TCP side is open: after a restart one logs in again.
 */
#include <string.h>

#include "control/internal.h"

/* Over all of the longer one, so that how long it takes does not tell how much was right. */
bool secret_same(const char *left, const char *right) {
	size_t left_len = strlen(left), right_len = strlen(right);
	size_t len = left_len > right_len ? left_len : right_len;
	volatile unsigned char other = left_len != right_len;

	for (size_t i = 0; i < len; i++) {
		other |= (unsigned char)((i < left_len ? left[i] : 0) ^
					 (i < right_len ? right[i] : 0));
	}
	return other == 0;
}

/* ---- sessions ---- */

static bool session_alive(const struct session *session, int64_t now_ms) {
	return session->id[0] && now_ms - session->used_ms < (int64_t)SESSION_IDLE_S * 1000 &&
	       now_ms - session->made_ms < (int64_t)SESSION_MAX_S * 1000;
}

const char *logins_session_new(struct logins *logins, const char *random, int64_t now_ms) {
	struct session *place = &logins->sessions[0];

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *session = &logins->sessions[i];
		if (!session_alive(session, now_ms)) {
			place = session;
			break;
		}
		if (session->used_ms < place->used_ms) place = session;
	}
	memcpy(place->id, random, SECRET_TEXT_SIZE);
	place->made_ms = place->used_ms = now_ms;
	return place->id;
}

/* All of them are looked at, also behind the one that fits. */
bool logins_session_good(struct logins *logins, const char *id, int64_t now_ms) {
	struct session *found = NULL;

	for (size_t i = 0; id && i < SESSIONS_MAX; i++) {
		struct session *session = &logins->sessions[i];
		bool same = secret_same(session->id, id);
		if (same && session_alive(session, now_ms)) found = session;
	}
	if (found) found->used_ms = now_ms;
	return found != NULL;
}

void logins_session_end(struct logins *logins, const char *id) {
	for (size_t i = 0; id && i < SESSIONS_MAX; i++) {
		struct session *session = &logins->sessions[i];
		if (session->id[0] && secret_same(session->id, id))
			memset(session, 0, sizeof(*session));
	}
}

/* ---- codes ---- */

void logins_code_new(struct logins *logins, const char *random, int64_t now_ms) {
	struct code *place = &logins->codes[0];

	for (size_t i = 1; i < CODES_MAX; i++) {
		struct code *code = &logins->codes[i];
		if (code->until_ms < place->until_ms) place = code;
	}
	memcpy(place->text, random, SECRET_TEXT_SIZE);
	place->until_ms = now_ms + (int64_t)CODE_S * 1000;
}

static size_t code_find(const struct logins *logins, const char *text, int64_t now_ms) {
	size_t found = CODES_MAX;

	for (size_t i = 0; i < CODES_MAX; i++) {
		const struct code *code = &logins->codes[i];
		bool same = code->text[0] && secret_same(code->text, text);
		if (same && now_ms < code->until_ms) found = i;
	}
	return found;
}

bool logins_code_waits(const struct logins *logins, const char *text, int64_t now_ms) {
	return code_find(logins, text, now_ms) < CODES_MAX;
}

bool logins_code_take(struct logins *logins, const char *text, int64_t now_ms) {
	size_t found = code_find(logins, text, now_ms);

	if (found == CODES_MAX) return false;
	memset(&logins->codes[found], 0, sizeof(logins->codes[found]));
	return true;
}

/* ---- guesses ---- */

int64_t logins_wait_s(const struct logins *logins, int64_t now_ms) {
	int64_t left_ms = logins->wait_until_ms - now_ms;

	return left_ms > 0 ? (left_ms + 999) / 1000 : 0;
}

/* 1, 2, 4 ... seconds after the free ones. */
void logins_wrong(struct logins *logins, int64_t now_ms) {
	int64_t over = ++logins->wrong - GUESSES_FREE;

	if (over < 0) return;
	int64_t wait_s = over >= 5 ? GUESS_WAIT_MAX_S : INT64_C(1) << over;
	logins->wait_until_ms = now_ms + wait_s * 1000;
}

void logins_right(struct logins *logins) {
	logins->wrong = 0;
	logins->wait_until_ms = 0;
}
