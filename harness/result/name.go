package result

import "strings"

// longName is the number of bytes from which a name is shortened.
const longName = 80

// ShortName returns a long C++ or Rust name without what it was instantiated with, for Frame.Name:
// ns::Box<…>::make(std::map<…> const&). It is empty for a name that needs it not, and for one whose brackets do not match.
func ShortName(function string) string {
	if len(function) < longName {
		return ""
	}
	var out strings.Builder
	depth, hidden := 0, 0 // brackets that are open, and the one of those whose inside is left out
	for i := 0; i < len(function); {
		named := i > 0 && isNameByte(function[i-1])
		token := function[i : i+1]
		if sign := operatorSign(function[i:]); sign != "" && (!named || sign == "->") {
			token = sign
		}
		i += len(token)
		if token == ">" {
			if hidden == depth {
				hidden = 0
			}
			if depth--; depth < 0 {
				return ""
			}
		}
		if hidden == 0 {
			out.WriteString(token)
		}
		if token == "<" {
			if depth++; hidden == 0 && named {
				hidden = depth
				out.WriteString("…")
			}
		}
	}
	if short := out.String(); depth == 0 && len(short) < len(function) {
		return short
	}
	return ""
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
}

// operatorSigns are C++'s operators with a bracket, those first that begin with another.
var operatorSigns = []string{"<<=", ">>=", "<=>", "->*", "<<", ">>", "<=", ">=", "->", "<", ">"}

// operatorSign returns what a name begins with if that has brackets that enclose nothing: operator<<, ->.
func operatorSign(name string) string {
	if strings.HasPrefix(name, "->") {
		return "->"
	}
	if rest, ok := strings.CutPrefix(name, "operator"); ok {
		for _, sign := range operatorSigns {
			if strings.HasPrefix(rest, sign) {
				return "operator" + sign
			}
		}
	}
	return ""
}
