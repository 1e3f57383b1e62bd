package symbols

import "testing"

func TestIsNilCheck(t *testing.T) {
	for name, c := range map[string]struct {
		code []byte
		want bool
	}{
		"TESTB AX, (AX)":   {[]byte{0x84, 0x00, 0x90}, true},
		"TESTB AX, (R9)":   {[]byte{0x41, 0x84, 0x01}, true},
		"TESTB AX, 8(BX)":  {[]byte{0x84, 0x43, 0x08}, true},
		"TESTB AX, AX":     {[]byte{0x84, 0xc0, 0x90}, false},
		"TESTB CX, (AX)":   {[]byte{0x84, 0x08, 0x90}, false},
		"MOVBLZX (AX), CX": {[]byte{0x0f, 0xb6, 0x08}, false},
		"cut":              {[]byte{0x84}, false},
		"TESTQ AX, (AX)":   {[]byte{0x48, 0x85, 0x00}, false},
	} {
		if got := isNilCheck(c.code); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
