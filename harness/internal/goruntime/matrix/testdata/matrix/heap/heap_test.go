package heap

import "testing"

//go:noinline
func first(bug func()) { bug() }

//go:noinline
func second(bug func()) { func() { bug() }() }

func both(clean func()) { first(clean); second(clean) }

func TestReadAfterFreeFirst(*testing.T)  { first(ReadAfterFree) }
func TestReadAfterFreeSecond(*testing.T) { second(ReadAfterFree) }
func TestReadAfterFreeClean(*testing.T)  { both(ReadBeforeFree) }

func TestWriteAfterFreeFirst(*testing.T)  { first(WriteAfterFree) }
func TestWriteAfterFreeSecond(*testing.T) { second(WriteAfterFree) }
func TestWriteAfterFreeClean(*testing.T)  { both(WriteBeforeFree) }

func TestGoReadAfterFreeFirst(*testing.T)  { first(func() { GoReadAfterFree() }) }
func TestGoReadAfterFreeSecond(*testing.T) { second(func() { GoReadAfterFree() }) }
func TestGoReadAfterFreeClean(*testing.T)  { both(func() { GoReadBeforeFree() }) }

func TestDoubleFreeFirst(*testing.T)  { first(DoubleFree) }
func TestDoubleFreeSecond(*testing.T) { second(DoubleFree) }
func TestDoubleFreeClean(*testing.T)  { both(SingleFree) }

func TestDoubleFreeInCFirst(*testing.T)  { first(DoubleFreeInC) }
func TestDoubleFreeInCSecond(*testing.T) { second(DoubleFreeInC) }

func TestFreeStackFirst(*testing.T)   { first(FreeStack) }
func TestFreeStackSecond(*testing.T)  { second(FreeStack) }
func TestFreeStaticFirst(*testing.T)  { first(FreeStatic) }
func TestFreeStaticSecond(*testing.T) { second(FreeStatic) }
func TestFreeMiddleFirst(*testing.T)  { first(FreeMiddle) }
func TestFreeMiddleSecond(*testing.T) { second(FreeMiddle) }
func TestFreeNothingClean(*testing.T) { both(FreeNothing) }

func TestOverlapFirst(*testing.T)  { first(Overlap) }
func TestOverlapSecond(*testing.T) { second(Overlap) }
func TestOverlapClean(*testing.T)  { both(NoOverlap) }

func TestDeepFirst(*testing.T)  { first(Deep) }
func TestDeepSecond(*testing.T) { second(Deep) }
func TestDeepClean(*testing.T)  { both(DeepClean) }

func TestMismatchedNewFreeFirst(*testing.T)       { first(MismatchedNewFree) }
func TestMismatchedNewFreeSecond(*testing.T)      { second(MismatchedNewFree) }
func TestMismatchedMallocDeleteFirst(*testing.T)  { first(MismatchedMallocDelete) }
func TestMismatchedMallocDeleteSecond(*testing.T) { second(MismatchedMallocDelete) }
func TestMismatchedArrayDeleteFirst(*testing.T)   { first(MismatchedArrayDelete) }
func TestMismatchedArrayDeleteSecond(*testing.T)  { second(MismatchedArrayDelete) }
func TestMatchedClean(*testing.T)                 { both(Matched) }

func TestUninitialisedFirst(*testing.T)  { first(func() { Uninitialised() }) }
func TestUninitialisedSecond(*testing.T) { second(func() { Uninitialised() }) }
func TestUninitialisedClean(*testing.T)  { both(func() { Initialised() }) }

func TestWriteUninitialisedFirst(*testing.T)    { first(WriteUninitialised) }
func TestWriteUninitialisedSecond(*testing.T)   { second(WriteUninitialised) }
func TestWriteUninitialisedClean(*testing.T)    { both(WriteInitialised) }
func TestGoWriteUninitialisedFirst(*testing.T)  { first(GoWriteUninitialised) }
func TestGoWriteUninitialisedSecond(*testing.T) { second(GoWriteUninitialised) }
func TestGoWriteUninitialisedClean(*testing.T)  { both(GoWriteInitialised) }

func TestCallbackFirst(*testing.T)  { first(Callback) }
func TestCallbackSecond(*testing.T) { second(Callback) }
func TestCallbackClean(*testing.T)  { both(CallbackClean) }

func TestThreadCallbackFirst(*testing.T)  { first(ThreadCallback) }
func TestThreadCallbackSecond(*testing.T) { second(ThreadCallback) }
func TestThreadCallbackClean(*testing.T)  { both(ThreadCallbackClean) }
