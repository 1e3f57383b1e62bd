package memcheck

import "testing"

func TestParseVersion(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Version
	}{
		{"valgrind-3.19.0", Version{3, 19, 0, ""}},
		{"valgrind-3.27.1", Version{3, 27, 1, ""}},
		{"3.24.0", Version{3, 24, 0, ""}},
		{"valgrind-3.20.0.GIT", Version{3, 20, 0, ".GIT"}},
		{"valgrind-3.25.0.RC1", Version{3, 25, 0, ".RC1"}},
		{"valgrind-3.22.0-Debian", Version{3, 22, 0, "-Debian"}},
		{"valgrind-3.20", Version{3, 20, 0, ""}},
		{"valgrind-10.0.0~rc2+b1", Version{10, 0, 0, "~rc2+b1"}},
	} {
		got, err := ParseVersion(c.in)
		if err != nil || got != c.want {
			t.Errorf("ParseVersion(%q) = %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{"", "valgrind-", "valgrind", "3", "valgrind-3.x.0", "Valgrind 3.19.0", "3.19.0\n",
		"3.99999999999.0", "-3.19.0"} {
		if got, err := ParseVersion(in); err == nil {
			t.Errorf("ParseVersion(%q) = %v, want an error", in, got)
		}
	}
}

func TestVersionCompare(t *testing.T) {
	ordered := []string{"3.9.9", "3.18.1", "3.19.0", "3.19.1", "3.20.0", "4.0.0", "10.0.0"}
	for i, a := range ordered {
		for j, b := range ordered {
			v, _ := ParseVersion(a)
			w, _ := ParseVersion(b)
			if got, want := v.Compare(w), min(1, max(-1, i-j)); got != want {
				t.Errorf("%v.Compare(%v) = %d, want %d", v, w, got, want)
			}
		}
	}
	git, _ := ParseVersion("valgrind-3.19.0.GIT")
	if git.Compare(Oldest) != 0 || git.String() != "3.19.0.GIT" {
		t.Errorf("%v compares as %d with %v, want 0", git, git.Compare(Oldest), Oldest)
	}
}
