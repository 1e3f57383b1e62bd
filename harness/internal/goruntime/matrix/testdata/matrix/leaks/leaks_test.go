package leaks

import "testing"

//go:noinline
func first(bug func()) { bug() }

//go:noinline
func second(bug func()) { func() { bug() }() }

func both(clean func()) { first(clean); second(clean) }

func TestCStringFirst(*testing.T)  { first(CString) }
func TestCStringSecond(*testing.T) { second(CString) }
func TestCStringClean(*testing.T)  { both(CStringFreed) }

func TestLeakInCFirst(*testing.T)  { first(LeakInC) }
func TestLeakInCSecond(*testing.T) { second(LeakInC) }
func TestLeakInCClean(*testing.T)  { both(NoLeakInC) }

func TestDroppedFirst(*testing.T)       { first(Dropped) }
func TestDroppedSecond(*testing.T)      { second(Dropped) }
func TestDroppedChainFirst(*testing.T)  { first(DroppedChain) }
func TestDroppedChainSecond(*testing.T) { second(DroppedChain) }

func TestKeptInGlobalClean(*testing.T)   { KeptInGlobal() }
func TestKeptInMapClean(*testing.T)      { KeptInMap() }
func TestKeptInMapKeyClean(*testing.T)   { KeptInMapKey() }
func TestKeptInSliceClean(*testing.T)    { both(KeptInSlice) }
func TestKeptByInteriorClean(*testing.T) { KeptByInterior() }
func TestKeptOnStackClean(*testing.T)    { both(KeptOnStack) }
func TestFinalizedClean(*testing.T)      { both(Finalized) }
func TestCleanedUpClean(*testing.T)      { both(CleanedUp) }
