package borrowed

import "testing"

//go:noinline
func first(bug func()) { bug() }

//go:noinline
func second(bug func()) { func() { bug() }() }

func TestFreeErrorTextFirst(*testing.T)    { first(FreeErrorText) }
func TestFreeErrorTextSecond(*testing.T)   { second(FreeErrorText) }
func TestFreeLoaderErrorFirst(*testing.T)  { first(FreeLoaderError) }
func TestFreeLoaderErrorSecond(*testing.T) { second(FreeLoaderError) }
func TestFreeSignalTextFirst(*testing.T)   { first(FreeSignalText) }
func TestFreeSignalTextSecond(*testing.T)  { second(FreeSignalText) }
func TestFreeUserFirst(*testing.T)         { first(FreeUser) }
func TestFreeUserSecond(*testing.T)        { second(FreeUser) }
func TestOldErrorTextFirst(*testing.T)     { first(OldErrorText) }
func TestOldErrorTextSecond(*testing.T)    { second(OldErrorText) }
func TestOldTimeFirst(*testing.T)          { first(OldTime) }
func TestOldTimeSecond(*testing.T)         { second(OldTime) }
func TestOldAddressFirst(*testing.T)       { first(OldAddress) }
func TestOldAddressSecond(*testing.T)      { second(OldAddress) }
func TestEndedThreadFirst(*testing.T)      { first(EndedThread) }
func TestEndedThreadSecond(*testing.T)     { second(EndedThread) }
func TestGoFreeErrorTextFirst(*testing.T)  { first(GoFreeErrorText) }
func TestGoFreeErrorTextSecond(*testing.T) { second(GoFreeErrorText) }
func TestGoOldErrorTextFirst(*testing.T)   { first(func() { GoOldErrorText() }) }
func TestGoOldErrorTextSecond(*testing.T)  { second(func() { GoOldErrorText() }) }

func TestKeepClean(*testing.T)        { first(Keep); second(Keep) }
func TestKeepThreadsClean(*testing.T) { first(KeepThreads); second(KeepThreads) }

func TestGoKeepClean(t *testing.T) {
	if text := GoKeep(); text != "Unknown error -2" {
		t.Error(text)
	}
}
