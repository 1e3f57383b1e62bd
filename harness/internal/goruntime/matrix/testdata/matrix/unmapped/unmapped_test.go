package unmapped

import "testing"

//go:noinline
func first(bug func()) { bug() }

//go:noinline
func second(bug func()) { func() { bug() }() }

func TestUnmappedFirst(*testing.T)  { first(Unmapped) }
func TestUnmappedSecond(*testing.T) { second(Unmapped) }
func TestUnmappedClean(*testing.T)  { first(Mapped); second(Mapped) }
