/*
 * The page's files, embedded at build (embed.cmake writes page_files). They hold nothing secret, so
 * they are for everybody who reaches the server: what they show is asked with a login.
 */
#include <stdint.h>
#include <stdlib.h>

#include "control/internal.h"

/* Nothing from elsewhere, nothing inline, in nobody's frame. */
static const char content_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const struct page_file *page_find(const char *path) {
	const char *name = str_equal(path, "/") ? "/index.html" : path;

	for (size_t i = 0; i < page_file_count; i++) {
		if (str_equal(page_files[i].path, name)) return &page_files[i];
	}
	return NULL;
}

void page_answer(struct control_request *request, const struct page_file *file) {
	struct MHD_Response *response = MHD_create_response_from_buffer(
		file->len, (void *)(uintptr_t)file->bytes, MHD_RESPMEM_PERSISTENT);

	if (!response) abort(); /* out of memory, as in base */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->type);
	MHD_add_response_header(response, "Content-Security-Policy", content_policy);
	request_set_response(request, MHD_HTTP_OK, response);
}
