package shell

import (
	"slices"
	"strings"
)

// Getenv is the value of a variable in an environment of the form KEY=VALUE, as a program that is started with it finds
// it: the last one counts. It is empty if there is none.
func Getenv(env []string, key string) string {
	for _, kv := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}
