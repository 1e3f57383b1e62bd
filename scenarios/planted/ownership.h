// A library written in C++, as C sees it.
#ifdef __cplusplus
extern "C" {
#endif

struct point;

struct point *point_new(int x, int y);
int point_x(const struct point *p);
void point_delete(struct point *p);

#ifdef __cplusplus
}
#endif
