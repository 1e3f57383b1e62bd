#include <cstdlib>

extern "C" void mismatched_new_free() {
	int *volatile p = new int(1);
	free(p); // BUG MismatchedNewFree
}

extern "C" void mismatched_malloc_delete() {
	int *volatile p = static_cast<int *>(malloc(sizeof(int)));
	delete p; // BUG MismatchedMallocDelete
}

extern "C" void mismatched_array_delete() {
	// Of one int: else valgrind tells since 3.23 of the size, too, that delete says it has.
	int *volatile p = new int[1];
	delete p; // BUG MismatchedArrayDelete
}

extern "C" void matched() {
	int *volatile p = new int(1);
	delete p;
	int *volatile q = new int[4];
	delete[] q;
	free(malloc(sizeof(int)));
}
