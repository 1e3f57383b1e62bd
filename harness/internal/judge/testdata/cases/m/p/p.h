#ifdef __cplusplus
extern "C"
#endif
char *make_name(void);
