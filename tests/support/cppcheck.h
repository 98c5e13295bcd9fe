/* SPDX-License-Identifier: MIT
 * Macros of jansson, which cppcheck does not see since it reads no system headers.
 */
#define json_array_foreach(array, index, value) \
	for (index = 0; (value = json_array_get(array, index)) != NULL; index++)
#define json_object_foreach(object, key, value) \
	for (key = first_key(object); key && (value = json_object_get(object, key)) != NULL; key = next_key(object, key))
