void here(const char *names);
void from_file(int n);
