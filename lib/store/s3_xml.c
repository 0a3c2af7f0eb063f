#include <expat.h>
#include <string.h>

#include "store/s3_xml.h"

enum {
	PATH_MAX_BYTES = 512,
	TEXT_MAX_BYTES = 16 << 10, /* a key of 1024 bytes, each as %XX, several times over */
	DEPTH_MAX = 16,
};

struct walk {
	XML_Parser parser;
	s3_xml_ended *ended;
	void *user;
	struct buf path, text;
	int depth;
	bool refused;
};

static void refuse(struct walk *walk) {
	walk->refused = true;
	XML_StopParser(walk->parser, XML_FALSE);
}

/* Servers put it into namespaces of their own; only the local name counts. */
static const char *local_name(const XML_Char *name) {
	const char *colon = strrchr(name, ':');
	return colon ? colon + 1 : name;
}

static void XMLCALL element_began(void *user, const XML_Char *name, const XML_Char **attributes) {
	struct walk *walk = user;

	buf_clear(&walk->text);
	if (++walk->depth > DEPTH_MAX || (walk->path.len && buf_addc(&walk->path, '/')) ||
		buf_adds(&walk->path, local_name(name))) {
		refuse(walk);
	}
}

static void XMLCALL element_ended(void *user, const XML_Char *name) {
	struct walk *walk = user;
	const char *slash = strrchr(walk->path.at, '/');

	walk->ended(walk->user, walk->path.at, walk->text.at);
	buf_clear(&walk->text);
	walk->depth--;
	walk->path.len = slash ? (size_t)(slash - walk->path.at) : 0;
	if (walk->path.cap) walk->path.at[walk->path.len] = '\0';
}

static void XMLCALL text_came(void *user, const XML_Char *text, int len) {
	struct walk *walk = user;
	if (buf_add(&walk->text, text, (size_t)len)) refuse(walk);
}

static void XMLCALL document_type_came(void *user, const XML_Char *name, const XML_Char *system,
	const XML_Char *public, int internal) {
	refuse(user);
}

int s3_xml_walk(const char *bytes, size_t len, s3_xml_ended *ended, void *user, struct err *err) {
	struct walk walk = { .parser = XML_ParserCreate(NULL), .ended = ended, .user = user };
	int result = 0;

	if (!walk.parser) return err_set(err, ERR_FULL, "out of memory");
	buf_init(&walk.path, PATH_MAX_BYTES);
	buf_init(&walk.text, TEXT_MAX_BYTES);
	XML_SetUserData(walk.parser, &walk);
	XML_SetElementHandler(walk.parser, element_began, element_ended);
	XML_SetCharacterDataHandler(walk.parser, text_came);
	XML_SetStartDoctypeDeclHandler(walk.parser, document_type_came);
	if (len > INT32_MAX || XML_Parse(walk.parser, bytes, (int)len, 1) != XML_STATUS_OK ||
		walk.refused) {
		result = err_set(err, ERR_CORRUPT,
			"the answer is not XML as this service writes it: %s",
			walk.refused ? "too deep, too long, or with a document type"
				     : XML_ErrorString(XML_GetErrorCode(walk.parser)));
	}
	XML_ParserFree(walk.parser);
	buf_release(&walk.path);
	buf_release(&walk.text);
	return result;
}

struct reading {
	const char *root;
	bool found;
	s3_xml_ended *ended;
	void *user;
};

static void root_sought(void *user, const char *path, const char *text) {
	struct reading *reading = user;

	if (str_equal(path, reading->root)) reading->found = true;
	reading->ended(reading->user, path, text);
}

int s3_xml_read(const char *bytes, size_t len, const char *root, s3_xml_ended *ended, void *user,
	struct err *err) {
	struct reading reading = { .root = root, .ended = ended, .user = user };

	return s3_xml_walk(bytes, len, root_sought, &reading, err) ? -1 : reading.found;
}

void s3_xml_escape(struct buf *out, const char *text) {
	for (; *text; text++) {
		switch (*text) {
		case '&': buf_adds(out, "&amp;"); break;
		case '<': buf_adds(out, "&lt;"); break;
		case '>': buf_adds(out, "&gt;"); break;
		case '"': buf_adds(out, "&quot;"); break;
		default: buf_addc(out, *text);
		}
	}
}
