package artifact

import (
	"regexp"
	"slices"
	"strings"
)

// secretName is a part of the names of variables that hold secrets. PWD is the working directory.
var secretName = regexp.MustCompile(`(?i)(secret|token|passw|passphrase|pwd|credential|apikey|api_key|access_?key|private|` +
	`auth|cookie|session|signature|_key$|^key$|_pat$|_pass$|dsn$|keyring)`)

// secretValue is what a secret looks like: a URL with a user or password, a setting or header that names one, a PEM block,
// tokens of well-known services.
var secretValue = regexp.MustCompile(`://[^/\s@]+@|(?i:passw(or)?d|pwd|secret|token|api[_-]?key)["']?\s*[=:]|` +
	`(?i:\b(bearer|basic)\s+[A-Za-z0-9+/_.=-]{6,})|-----BEGIN |\beyJ[A-Za-z0-9_-]{10,}\.|\bgh[pousr]_[A-Za-z0-9]{20,}|` +
	`\bgithub_pat_|\bglpat-|\bAKIA[0-9A-Z]{16}|\bxox[abprs]-|\bsk-[A-Za-z0-9_-]{20,}`)

// Dropped is the value that a variable has in the place of one that looks like a secret.
const Dropped = "(left out: it looks like a secret)"

// WithoutSecrets is an environment, sorted, whose values that look like secrets are dropped. Values of several lines are
// dropped, too: they would be other variables in a file.
func WithoutSecrets(env []string) []string {
	var out []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		isDir := name == "PWD" || name == "OLDPWD"
		if !isDir && secretName.MatchString(name) || secretValue.MatchString(value) || strings.ContainsAny(value, "\n\r") {
			value = Dropped
		}
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}
