#include "ownership.h"

struct point {
	int x, y;
};

point *point_new(int x, int y) { return new point{x, y}; }
int point_x(const point *p) { return p->x; }
void point_delete(point *p) { delete p; }
