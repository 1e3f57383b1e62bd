// LIBRARY marks what stands for a function of somebody's C library: gcc knows nothing of it where it is called, as if
// it were in a shared object.
#define LIBRARY static __attribute__((noipa))
