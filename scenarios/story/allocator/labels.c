#include "labels.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef STORY_JEMALLOC
#include <jemalloc/jemalloc.h>
static void *get(size_t size) { return mallocx(size, 0); }
static void give(void *p) { if (p) dallocx(p, 0); }
#else
static void *get(size_t size) { return malloc(size); }
static void give(void *p) { free(p); }
#endif

enum { SIZE = 24 };

struct shelf { char name[SIZE]; };

static char *last; // what label_text has lent

char *label_copy(int number) {
	char *label = get(SIZE);
	if (!label) abort();
	snprintf(label, SIZE, "label %d", number);
	return label;
}

void label_free(char *label) { give(label); }

char *label_text(int number) {
	label_free(last);
	last = label_copy(number);
	return last;
}

shelf *shelf_new(int number) {
	shelf *s = get(sizeof *s);
	if (!s) abort();
	snprintf(s->name, sizeof s->name, "shelf %d", number);
	return s;
}

const char *shelf_name(const shelf *s) { return s->name; }
void shelf_free(shelf *s) { give(s); }
