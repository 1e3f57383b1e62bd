package result

import "testing"

func TestLeakMessage(t *testing.T) {
	for _, c := range []struct {
		in            string
		bytes, blocks uint64
		want          string
	}{
		{"5 bytes in 1 blocks are definitely lost", 35, 7, "35 bytes in 7 blocks are definitely lost"},
		{"5 (+5) bytes in 1 (+1) blocks are definitely lost", 35, 7, "35 bytes in 7 blocks are definitely lost"},
		{"24 (16 direct, 8 indirect) bytes in 1 blocks are definitely lost", 24, 1, "24 (16 direct, 8 indirect) bytes in 1 blocks are definitely lost"},
		{"24 (16 direct, 8 indirect) bytes in 1 blocks are definitely lost", 48, 2, "48 bytes in 2 blocks are definitely lost"},
		{"1,000 bytes in 1 blocks are possibly lost", 1000, 1, "1,000 bytes in 1 blocks are possibly lost"},
		{"1000 bytes in 1 blocks are possibly lost", 1000, 1, "1000 bytes in 1 blocks are possibly lost"},
		{"1000 bytes in 1 blocks are possibly lost", 1234567, 1000, "1,234,567 bytes in 1,000 blocks are possibly lost"},
		{"5 bytes in 1 blocks", 0, 0, "5 bytes in 1 blocks"},
		{"Invalid read of size 4", 35, 7, "Invalid read of size 4"},
		{"", 35, 7, ""},
	} {
		if got := LeakMessage(c.in, c.bytes, c.blocks); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}
