package valgrind_test

import (
	"testing"

	"github.com/cgogrind/cgogrind/valgrind"
)

func TestPlain(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Invalid read of size 4", "Invalid read of size 4"},
		{"Address 0x4a3b040 is 0 bytes inside a block of size 4 free'd", "0 bytes inside a block of size 4 free'd"},
		{"Address 0x18 is not stack'd, malloc'd or (recently) free'd", "Address 0x18 is not stack'd, malloc'd or (recently) free'd"},
		{"40 (+40) bytes in 1 (+1) blocks are definitely lost in loss record 1 of 2", "40 bytes in 1 blocks are definitely lost"},
		{"1,040 (+8) bytes in 2 blocks are definitely lost in loss record 1,001 of 2,002", "1,040 bytes in 2 blocks are definitely lost"},
		{"Source and destination overlap in memcpy(0x4a3b040, 0x4a3b044, 10)", "Source and destination overlap in memcpy(dst, dst+4, 10)"},
		{"Source and destination overlap in memcpy_chk(0x4a3b044, 0x4a3b040, 10)",
			"Source and destination overlap in memcpy_chk(dst, dst-4, 10)"},
		{"Source and destination overlap in strcpy(0x4a3b040, 0x4a3b040)", "Source and destination overlap in strcpy(dst, dst+0)"},
		{"Argument 'size' of function malloc has a fishy (possibly negative) value: -1\n",
			"Argument 'size' of function malloc has a fishy (possibly negative) value: -1"},
		{"Illegal memory pool address: 0x4A3B040", "Illegal memory pool address: 0x…"},
		{"", ""},
	} {
		got := valgrind.Plain(c.text)
		if got != c.want {
			t.Errorf("%q is %q, want %q", c.text, got, c.want)
		}
		if again := valgrind.Plain(got); again != got {
			t.Errorf("%q becomes %q, and then %q", c.text, got, again)
		}
	}
}
