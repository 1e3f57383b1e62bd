package errtext

import "testing"

func TestText(t *testing.T) {
	if Text(2) == "" {
		t.Error("no text")
	}
}

func TestLength(t *testing.T) {
	t.Run("known", func(t *testing.T) {
		if n := Length(2); n != 3 {
			t.Errorf("got %d,\nwant 3 <&>", n)
		}
	})
	t.Run("none", func(t *testing.T) { t.Skip("no such code") })
}
