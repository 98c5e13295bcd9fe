/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <string.h>

#include "text.h"
#include "util.h"

enum kind {
	STRING,		/* or null */
	TEXT,		/* a string, else "" */
	INTEGER,	/* or null */
	NUMBER,		/* or null */
	BOOLEAN,	/* or null */
	STRINGS,	/* a list of strings, else [] */
	SCALARS,	/* an object of strings, numbers, booleans and nulls, or null */
	ITEMS,		/* a list of strings and such objects, else [] */
	OBJECT,		/* an object with these fields, or null */
	OBJECTS,	/* a list of objects with these fields, else [] */
	OBJECTS_OR_NULL,
};

struct field {
	enum kind kind;
	bool optional;			/* left out where the answer has none */
	const char *key;		/* NULL ends a list of fields */
	const struct field *fields;	/* of OBJECT and OBJECTS */
};

static const struct field executed_fields[] = {
	{ INTEGER, false, "line", NULL },
	{ STRING, false, "text", NULL },
	{ .key = NULL },
};

static const struct field kept_fields[] = {
	{ STRING, false, "name", NULL },
	{ STRING, false, "reason", NULL },
	{ .key = NULL },
};

static const struct field running_fields[] = {
	{ STRING, false, "kind", NULL },
	{ STRING, false, "thread", NULL },
	{ STRING, false, "name", NULL },
	{ STRING, false, "function", NULL },
	{ STRING, false, "file", NULL },
	{ INTEGER, false, "line", NULL },
	{ .key = NULL },
};

static const struct field module_fields[] = {
	{ STRING, false, "name", NULL },
	{ STRING, false, "path", NULL },
	{ STRING, false, "state", NULL },
	{ STRING, false, "why", NULL },
	{ STRING, false, "baseline", NULL },
	{ STRINGS, false, "changed", NULL },
	{ STRINGS, false, "added", NULL },
	{ STRINGS, false, "removed", NULL },
	{ STRINGS, false, "rebound", NULL },
	{ OBJECTS, false, "executed", executed_fields },
	{ ITEMS, false, "derived", NULL },
	{ OBJECTS, false, "kept_old", kept_fields },
	{ OBJECTS, false, "running_old", running_fields },
	{ STRINGS, false, "warnings", NULL },
	{ INTEGER, false, "ran_us", NULL },
	{ STRING, false, "diff", NULL },
	{ NUMBER, true, "loaded_at", NULL },
	{ BOOLEAN, true, "exact", NULL },
	{ .key = NULL },
};

static const struct field error_fields[] = {
	{ STRING, false, "code", NULL },
	{ STRING, false, "message", NULL },
	{ STRING, false, "module", NULL },
	{ STRING, false, "file", NULL },
	{ INTEGER, false, "line", NULL },
	{ STRING, false, "traceback", NULL },
	{ STRING, false, "hint", NULL },
	{ .key = NULL },
};

static const struct field history_fields[] = {
	{ INTEGER, false, "id", NULL },
	{ NUMBER, false, "at", NULL },
	{ INTEGER, false, "uid", NULL },
	{ STRING, false, "sudo_user", NULL },
	{ STRING, false, "command", NULL },
	{ INTEGER, false, "status", NULL },
	{ ITEMS, false, "modules", NULL },
	{ .key = NULL },
};

static const struct field answer_fields[] = {
	{ INTEGER, false, "status", NULL },
	{ STRING, false, "python", NULL },
	{ STRING, false, "executable", NULL },
	{ INTEGER, false, "interpreter", NULL },
	{ INTEGER, false, "gil_longest", NULL },
	{ OBJECTS, false, "modules", module_fields },
	{ STRINGS, false, "excluded_stale", NULL },
	{ SCALARS, false, "heap", NULL },
	{ TEXT, false, "output", NULL },
	{ STRING, false, "value", NULL },
	{ OBJECT, false, "error", error_fields },
	{ OBJECTS_OR_NULL, false, "history", history_fields },
	{ STRING, false, "engine", NULL },
	{ STRINGS, false, "notes", NULL },
	{ .key = NULL },
};

static json_t *clean(json_t *value, const struct field *field);

static json_t *keep_if(json_t *value, bool right_type)
{
	return right_type ? json_incref(value) : json_null();
}

static bool is_scalar(const json_t *value)
{
	return !json_is_object(value) && !json_is_array(value);
}

static json_t *clean_object(json_t *value, const struct field *fields)
{
	json_t *ret;

	if (!json_is_object(value))
		return json_null();
	ret = json_object();
	for (; ret && fields->key; fields++) {
		json_t *item = json_object_get(value, fields->key);

		if (!item && fields->optional)
			continue;
		if (json_object_set_new(ret, fields->key, clean(item, fields))) {
			json_decref(ret);
			return NULL;
		}
	}
	return ret;
}

static json_t *clean_scalars(json_t *value)
{
	const char *key;
	json_t *item, *ret;

	if (!json_is_object(value))
		return json_null();
	ret = json_object();
	json_object_foreach(value, key, item) {
		if (ret && is_scalar(item) && json_object_set(ret, key, item)) {
			json_decref(ret);
			return NULL;
		}
	}
	return ret;
}

/* One item of a list: NULL when it does not belong there. */
static json_t *clean_item(json_t *item, const struct field *field)
{
	switch (field->kind) {
	case STRINGS: return json_is_string(item) ? json_incref(item) : NULL;
	case ITEMS: return json_is_string(item) ? json_incref(item) :
			   json_is_object(item) ? clean_scalars(item) : NULL;
	default: return json_is_object(item) ? clean_object(item, field->fields) : NULL;
	}
}

static json_t *clean_list(json_t *value, const struct field *field)
{
	json_t *ret = json_array(), *item;
	size_t i;

	json_array_foreach(value, i, item) {
		json_t *cleaned = ret ? clean_item(item, field) : NULL;

		if (cleaned && json_array_append_new(ret, cleaned)) {
			json_decref(ret);
			return NULL;
		}
	}
	return ret;
}

static json_t *clean(json_t *value, const struct field *field)
{
	switch (field->kind) {
	case STRING: return keep_if(value, json_is_string(value));
	case TEXT: return json_is_string(value) ? json_incref(value) : json_string("");
	case INTEGER: return keep_if(value, json_is_integer(value));
	case NUMBER: return keep_if(value, json_is_number(value));
	case BOOLEAN: return keep_if(value, json_is_boolean(value));
	case SCALARS: return clean_scalars(value);
	case OBJECT: return clean_object(value, field->fields);
	case OBJECTS_OR_NULL: return json_is_array(value) ? clean_list(value, field) : json_null();
	default: return clean_list(value, field);
	}
}

json_t *answer_error(const char *code, const char *message, const char *hint)
{
	AUTO_JSON json_t *given = json_pack("{s:s, s:o, s:o}", "code", code, "message",
					    text_json(message, strlen(message)), "hint",
					    hint && hint[0] ? text_json(hint, strlen(hint)) : json_null());

	return given ? clean_object(given, error_fields) : NULL;
}

/* The status and the error must agree, whoever wrote them. */
static int settle_status(json_t *answer)
{
	json_int_t status = json_integer_value(json_object_get(answer, "status"));
	json_t *error = json_object_get(answer, "error");
	json_t *code = json_object_get(error, "code");

	if (!json_is_integer(json_object_get(answer, "status")) || (status != 0 && status != 7))
		status = 1;
	if (json_is_object(error) && !status)
		status = 1;
	if (status && !json_is_object(error) &&
	    json_object_set_new(answer, "error",
				answer_error("engine", "the process gave no reason for its refusal", NULL)))
		return -1;
	if (json_is_object(error) && !json_is_string(code) &&
	    json_object_set_new(error, "code", json_string("engine")))
		return -1;
	return json_object_set_new(answer, "status", json_integer(status));
}

int answer_parse(const char *text, size_t size, json_t **ret, struct mr_error *err)
{
	json_error_t where;
	AUTO_JSON json_t *raw = text ? json_loadb(text, size, JSON_ALLOW_NUL, &where) : NULL;
	json_t *answer;

	if (!text || !size)
		return mr_fail(err, MR_E_BUG, 0, "no answer came from the process");
	if (!json_is_object(raw))
		return mr_fail(err, MR_E_BUG, 0, "the answer of the process cannot be read (%zu bytes: %s)", size,
			       raw ? "no object" : where.text);
	answer = clean_object(raw, answer_fields);
	if (!answer || settle_status(answer)) {
		json_decref(answer);
		return mr_fail(err, MR_E_MEMORY, 0, "reading the answer");
	}
	*ret = answer;
	return 0;
}
