package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzTimes: what former runs left is times, whatever it is, and further ones are added to it.
func FuzzTimes(f *testing.F) {
	for _, seed := range []string{`{"p":{"TestA":1.5}}`, `null`, `{"p":null}`, `{"p":{"TestA":null}}`, `[]`, `{"p":{"TestA":1e999}}`, "", "{"} {
		f.Add([]byte(seed))
	}
	file := filepath.Join(f.TempDir(), "times.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		before := readTimes(file)
		before.add("p", "TestNew", 2)
		before.total("p")
		if err := before.save(); err != nil {
			t.Fatal(err)
		}
		after := readTimes(file)
		if got := after.of("p")["TestNew"]; got != 2 {
			t.Errorf("TestNew took %g", got)
		}
		for pkg, tests := range before.seconds {
			for name, s := range tests {
				if got := after.of(pkg)[name]; got != s && !(pkg == "p" && name == "TestNew") {
					t.Errorf("%s.%s took %g, and is %g now", pkg, name, s, got)
				}
			}
		}
	})
}
