package suppress

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cgogrind/cgogrind/harness/result"
	"github.com/cgogrind/cgogrind/suppressions"
)

func TestKinds(t *testing.T) {
	stack := []result.Stack{{Frames: []result.Frame{{Function: "f"}}}}
	for _, c := range []struct{ kind, message, want string }{
		{"InvalidRead", "Invalid read of size 4 past the end of Go memory", "Memcheck:Addr4"},
		{"InvalidWrite", "Invalid write of size 16", "Memcheck:Addr16"},
		{"InvalidJump", "Jump to the invalid address stated on the next line", "Memcheck:Jump"},
		{"InvalidFree", "Invalid free() / delete / delete[] / realloc()", "Memcheck:Free"},
		{"MismatchedFree", "Mismatched free() / delete / delete []", "Memcheck:Free"},
		{"UninitCondition", "Conditional jump or move depends on uninitialised value(s)", "Memcheck:Cond"},
		{"UninitValue", "Use of uninitialised value of size 8", "Memcheck:Value8"},
		{"Overlap", "Source and destination overlap in memcpy(0x1, 0x2, 3)", "Memcheck:Overlap"},
		{"SyscallParam", "Syscall param sendmsg(msg.msg_iov[0]) points to uninitialised byte(s)",
			"Memcheck:Param\n   sendmsg(msg.msg_iov[0])"},
		{"SyscallParam", "Syscall param exit_group(status) contains uninitialised byte(s)",
			"Memcheck:Param\n   exit_group(status)"},
		{"FishyValue", "Argument 'size' of function malloc has a fishy (possibly negative) value: -1",
			"Memcheck:FishyValue\n   malloc(size)"},
		{"InvalidMemPool", "Illegal memory pool address", "Memcheck:Mempool"},
		{"ClientCheck", "Unaddressable byte(s) found during client check request", "Memcheck:User"},
		{"FdBadUse", "File descriptor 3 is not open", "CoreError:FdBadUse"},
		{"Leak_DefinitelyLost", "3 bytes", "Memcheck:Leak\n   match-leak-kinds: definite"},
		{"Leak_PossiblyLost", "3 bytes", "Memcheck:Leak\n   match-leak-kinds: possible"},
	} {
		e, err := Entry(&result.Finding{Fingerprint: "0123456789abcdef", Kind: c.kind, Message: c.message, Stacks: stack})
		if err != nil || !strings.Contains(e.String(), "\n   "+c.want+"\n   fun:f\n") {
			t.Errorf("%s: %v\n%s", c.kind, err, e)
		}
		again, err := suppressions.Parse("f", strings.NewReader(e.String()))
		if err != nil || len(again) != 1 || again[0].ID() != e.ID() {
			t.Errorf("%s: read back as %v, %v", c.kind, again, err)
		}
	}
	for _, f := range []result.Finding{
		{Kind: "CgoCheck", Stacks: stack}, {Kind: "FromTheFuture", Stacks: stack},
		{Kind: "InvalidRead", Message: "?", Stacks: stack}, {Kind: "InvalidFree"},
	} {
		if _, err := Entry(&f); !errors.Is(err, ErrNoEntry) {
			t.Errorf("%s: %v", f.Kind, err)
		}
	}
}

func TestFrames(t *testing.T) {
	c := func(function string) result.Frame { return result.Frame{Function: function, Lang: result.C} }
	g := func(function string) result.Frame { return result.Frame{Function: function, Lang: result.Go} }
	lib := result.Frame{Function: "free", Object: "/usr/libexec/valgrind/vgpreload_memcheck-amd64-linux.so"}
	blame := g("example.com/p.Text.func1.2")
	for _, tc := range []struct {
		name  string
		stack []result.Frame
		blame *result.Frame
		want  string
	}{
		{"C and Go", []result.Frame{lib, c("dfree.constprop.0"), g("example.com/p.(*T).Free"), g("example.com/p.TestFree")},
			&result.Frame{Function: "example.com/p.(*T).Free", Lang: result.Go},
			"fun:free fun:dfree* ... fun:example.com/p.(*T).Free"},
		{"closure", []result.Frame{lib, blame, g("example.com/p.Test")}, &blame, "fun:free ... fun:example.com/p.Text.func*"},
		{"generic", []result.Frame{lib, g("example.com/p.(*Set[go.shape.[]int]).Add.func1")}, nil,
			"fun:free ... fun:example.com/p.(*Set[go.shape.*]).Add.func*"},
		{"blamed elsewhere", []result.Frame{lib, c("x"), g("example.com/p.Test"), g("main.main")},
			&result.Frame{Function: "other"}, "fun:free fun:x ... fun:example.com/p.Test"},
		{"no Go", []result.Frame{lib, c("pthread_create@@GLIBC_2.34")}, nil, "fun:free fun:pthread_create*"},
		{"callback", []result.Frame{g("example.com/p.cb"), c("call"), g("example.com/p.Test")},
			&result.Frame{Function: "example.com/p.Test", Lang: result.Go},
			"fun:example.com/p.cb ... fun:call ... fun:example.com/p.Test"},
		{"deep library", []result.Frame{lib, c("a"), c("b"), c("c"), c("d"), c("rados_connect"), g("example.com/p.Test")},
			nil, "fun:free fun:a fun:b ... fun:rados_connect ... fun:example.com/p.Test"},
		{"no symbol", []result.Frame{{Object: "/usr/lib/librados.so.2.0.0", Offset: 16}, c("x")}, nil,
			"obj:*/librados.so* fun:x"},
		{"cgo hash", []result.Frame{c("_cgo_0123456789ab_Cfunc_free")}, nil, "fun:_cgo_*_Cfunc_free"},
		{"assembly", []result.Frame{{Function: "internal/bytealg.IndexByte", File: "/go/x.s", Lang: result.Go}}, nil,
			"fun:internal/bytealg.IndexByte*"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, p := range frames(tc.stack, tc.blame) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
	var deep []result.Frame
	for range 40 {
		deep = append(deep, g("example.com/p.F"))
	}
	deep = append(deep, g("example.com/p.Last"))
	got := frames(deep, &deep[40])
	if len(got) != 24 || got[23].Pattern != "example.com/p.Last" || got[22].Kind != suppressions.Any {
		t.Errorf("%d frames, the last %v", len(got), got[len(got)-1])
	}
}

// The names are those that g++ gives, see TestMangledNames under valgrind.
func TestMangled(t *testing.T) {
	for function, want := range map[string]string{
		"librados::v14_2_0::RadosClient::connect()":                "_Z*8librados*7v14_2_0*11RadosClient*7connect*",
		"planted::Box<int>::put(int const&)":                       "_Z*7planted*3Box*3put*",
		"planted::Thing::Thing(std::string)":                       "_Z*7planted*5Thing*C*",
		"planted::Thing::~Thing()":                                 "_Z*7planted*5Thing*D*",
		"(anonymous namespace)::hidden(int)":                       "_Z*6hidden*",
		"int planted::twice<int>(int)":                             "_Z*7planted*5twice*",
		"std::vector<int, std::allocator<int> >::push_back(int&&)": "_Z*6vector*9push_back*",
		"mycrate::foo::bar":                                        "_*7mycrate*3foo*3bar*",
		"mycrate::foo::{{closure}}":                                "_*7mycrate*3foo*closure*",
		"mycrate::foo::{closure#0}":                                "_*7mycrate*3foo*",
		"operator new(unsigned long)":                              "_Zn*",
		"operator delete[](void*)":                                 "_Zd*",
		"planted::Thing::operator+(int) const":                     "_Z*7planted*5Thing*pl*",
		"planted::operator<<(std::ostream&, int)":                  "_Z*7planted*ls*",
		"planted::Thing::operator int() const":                     "_Z*7planted*5Thing*cv*",
		"planted::operators::run()":                                "_Z*7planted*9operators*3run*",
		"leak(int)":                                                "_Z*4leak*",
	} {
		if got := mangled(function); got != want {
			t.Errorf("%s: %s, want %s", function, got, want)
		}
	}
}

func TestUnused(t *testing.T) {
	entry := func(name string) suppressions.Entry {
		return suppressions.Entry{Name: name, Tools: []string{"Memcheck"}, Kind: "Cond"}
	}
	used, idle, absent := entry("used"), entry("idle"), entry("absent")
	gotIdle, gotAbsent := Unused([]suppressions.Entry{used, idle, absent}, []result.Suppression{
		{ID: used.ID()}, {ID: idle.ID()}, {ID: used.ID(), Count: 2}, {ID: idle.ID()}, {ID: "another"},
	})
	if diff := cmp.Diff([][]suppressions.Entry{{idle}, {absent}}, [][]suppressions.Entry{gotIdle, gotAbsent}); diff != "" {
		t.Error(diff)
	}
}
