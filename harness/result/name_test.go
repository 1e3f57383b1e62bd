package result_test

import (
	"strings"
	"testing"

	"github.com/cgogrind/cgogrind/harness/result"
)

func TestShortName(t *testing.T) {
	const long = "std::vector<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > >"
	for _, c := range []struct{ name, want string }{
		{"ns::Box<int>::make(int)", ""},
		{"example.com/m.Map[go.shape.string,go.shape.struct { F func(int) <-chan int; G string; H string }]", ""},
		{strings.Repeat("n", 100), ""},
		{"ns::Box<int>::make(" + long + " const&) [clone .isra.0]", "ns::Box<…>::make(std::vector<…> const&) [clone .isra.0]"},
		{"std::operator<< <" + long + ">(std::ostream&, char)", "std::operator<< <std::vector<…>>(std::ostream&, char)"},
		{"my_operator<" + long + ">(int)", "my_operator<…>(int)"},
		{"ns::It<" + long + ">::operator->() const", "ns::It<…>::operator->() const"},
		{"bool ns::operator< <int>(ns::It<" + long + "> const&)", "bool ns::operator< <int>(ns::It<…> const&)"},
		{"decltype (f(" + long + "{}) -> g) ns::h<" + long + ">()", "decltype (f(std::vector<…>{}) -> g) ns::h<…>()"},
		{"<alloc::vec::Vec<alloc::string::String> as core::ops::drop::Drop>::drop::<core::option::Option<alloc::string::String>>",
			"<alloc::vec::Vec<…> as core::ops::drop::Drop>::drop::<core::option::Option<…>>"},
		{"ns::f<" + long, ""},
		{"ns::f>(" + long + ")", ""},
	} {
		if got := result.ShortName(c.name); got != c.want {
			t.Errorf("ShortName(%s):\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}
