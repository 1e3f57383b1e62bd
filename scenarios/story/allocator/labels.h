#include <stddef.h>

// A library like many: it makes labels for numbers, and keeps shelves with a name on each.

// label_text is the label of a number. It belongs to the library, and is good until the next call.
char *label_text(int number);

// label_copy is the same in memory that belongs to the caller, who gives it to label_free.
char *label_copy(int number);
void label_free(char *label);

typedef struct shelf shelf;
shelf *shelf_new(int number);
const char *shelf_name(const shelf *s);
void shelf_free(shelf *s);
