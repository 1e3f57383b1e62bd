package allocator

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// FuzzObject: of a damaged library it is said that it cannot be read, or what is left of it; what hands out memory is known by
// an allocator's name.
func FuzzObject(f *testing.F) {
	dir := f.TempDir()
	if _, err := exec.LookPath("gcc"); err != nil {
		f.Skip(err)
	}
	source := filepath.Join(dir, "a.c")
	text := "void *mi_malloc(unsigned long n);\nvoid *je_malloc(unsigned long n) { return (void *)n; }\n" +
		"void *own(void) { return mi_malloc(3); }\nvoid *other(void) { return je_malloc(4); }\nconst char *s = \"<jemalloc>: \";\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	for _, flags := range [][]string{{"-c"}, {"-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libmimalloc.so"}} {
		object := filepath.Join(dir, "object")
		if out, err := exec.Command("gcc", append(flags, "-o", object, source)...).CombinedOutput(); err != nil {
			f.Fatalf("%v\n%s", err, out)
		}
		data, err := os.ReadFile(object)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	file := filepath.Join(dir, "damaged.so")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := readObject(file)
		if err != nil {
			return
		}
		for _, list := range [][]function{o.entries, o.used, o.unsure} {
			for _, e := range list {
				if e.name == "" || e.allocator == "" {
					t.Errorf("%+v", e)
				}
			}
		}
	})
}
