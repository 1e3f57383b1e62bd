package kept

import "testing"

//go:noinline
func first(bug func()) { bug() }

//go:noinline
func second(bug func()) { func() { bug() }() }

func TestKeptReadFirst(*testing.T)    { first(KeptRead) }
func TestKeptReadSecond(*testing.T)   { second(KeptRead) }
func TestKeptWriteFirst(*testing.T)   { first(KeptWrite) }
func TestKeptWriteSecond(*testing.T)  { second(KeptWrite) }
func TestKeptClean(*testing.T)        { first(KeptAlive); second(KeptAlive) }
func TestAsyncWriteFirst(*testing.T)  { first(AsyncWrite) }
func TestAsyncWriteSecond(*testing.T) { second(AsyncWrite) }
func TestAsyncClean(*testing.T)       { first(AsyncAlive); second(AsyncAlive) }
