package harness

import "github.com/cgogrind/cgogrind/valgrind/memcheck"

// Profile says how much time memcheck may take for what it finds out.
type Profile string

// The profiles. ci/bench measures what their options cost.
const (
	// ProfileQuick does not follow where an uninitialised value comes from: the same errors are found, and those about
	// such values do not say which memory was not set. It takes 60 to 70 % of the time, and half of the memory.
	ProfileQuick Profile = "quick"
	// ProfileDefault is the one without a name.
	ProfileDefault Profile = "default"
	// ProfileDeep sees more: definedness is followed bit by bit through all arithmetic, freed memory stays off limits ten
	// times as long, the space around a block is four times as wide, and stacks are twice as deep.
	ProfileDeep Profile = "deep"
)

// deep are the options of ProfileDeep. Valgrind's defaults are auto, 20000000 and 16.
var deep = []string{"--expensive-definedness-checks=yes", "--freelist-vol=200000000", "--redzone-size=64"}

// Set sets the options of memcheck.
func (p Profile) Set(o *memcheck.Options) {
	o.TrackOrigins = p != ProfileQuick
	if p == ProfileDeep {
		o.NumCallers = 2 * memcheck.DefaultNumCallers
		o.Extra = append(o.Extra, deep...)
	}
}
