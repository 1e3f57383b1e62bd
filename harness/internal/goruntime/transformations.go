package goruntime

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// A transformation is one change to Go's sources.
type transformation struct {
	Name string
	// Why says which false error or blind spot it removes.
	Why  string
	arch []string // empty for all
	// stock is whether it is made with the stock runtime, too.
	stock bool
	// unneeded is whether this version of Go has mended the defect itself, so that nothing is to be done. It is nil for
	// what is no defect of Go's: what cgogrind adds, and what is right outside memcheck.
	unneeded func(*tree) bool
	apply    func(*tree) error
}

// transformations in the order in which they are applied.
var transformations = []transformation{
	{
		Name: "memory model",
		Why: "The runtime's own description of its memory to memcheck makes the leak check abort (blocks overlap), " +
			"breaks for objects that straddle two arenas, and leaves free slots addressable.",
		apply: func(t *tree) error {
			src, err := t.read("runtime/valgrind.go")
			if err != nil {
				return err
			}
			for _, f := range []string{"valgrindClientRequest", "valgrindRegisterStack", "valgrindDeregisterStack",
				"valgrindChangeStack", "valgrindMalloc", "valgrindFree", "valgrindCreateMempool", "valgrindMempoolMalloc",
				"valgrindMempoolFree", "valgrindMakeMemUndefined", "valgrindMakeMemDefined", "valgrindMakeMemNoAccess"} {
				if !strings.Contains(src.text, "\nfunc "+f+"(") {
					return t.fail(src.name, "there is no function %s", f)
				}
			}
			if n := strings.Count(src.text, "\nfunc "); n != 12 {
				return t.fail(src.name, "it has %d functions, not the 12 that are known", n)
			}
			src.text = file("runtime/valgrind.go")
			return t.editGo("runtime/mheap.go", func(g *goFile) {
				// Into the padding there: the size of mspan stays what it was.
				g.field("mspan", "freeIndexForScan", "cgogrindHigh uint16")
			})
		},
	},
	{
		Name: "arena growth",
		Why:  "Memory that an arena grows by becomes addressable with mmap, before it holds anything.",
		unneeded: func(t *tree) bool {
			return t.has("runtime/mheap.go", "(*mheap).grow", "valgrindMakeMemNoAccess(")
		},
		apply: func(t *tree) error {
			return t.editGo("runtime/mheap.go", func(g *goFile) {
				f := g.fn("(*mheap).grow")
				f.stmt("sysMap(unsafe.Pointer(h.curArena.base), size,").
					after("if valgrindenabled { valgrindMakeMemNoAccess(unsafe.Pointer(h.curArena.base), size) }")
				f.stmt("sysMap(unsafe.Pointer(v), nBase-v,").
					after("if valgrindenabled { valgrindMakeMemNoAccess(unsafe.Pointer(v), nBase-v) }")
			})
		},
	},
	{
		Name: "heap address",
		Why: "Nothing goes wrong, but everything goes slowly: memcheck looks up the state of addresses from 128 GiB on, where " +
			"Go has its heap, in a tree, and those below in a table.",
		arch: []string{"amd64"},
		apply: func(t *tree) error {
			return t.editGo("runtime/malloc.go", func(g *goFile) {
				// The hint that is tried first. valgrind's own memory begins at 64 GiB, C's mappings below.
				g.fn("mallocinit").stmt("hint.next, *hintList = *hintList, hint").
					before("if valgrindenabled && i == 0 { hint.addr = 16 << 30 }")
			})
		},
	},
	{
		Name: "slots",
		Why:  "The allocator clears a slot before it announces the object: false InvalidWrite, in large objects too.",
		unneeded: func(t *tree) bool {
			return t.has("runtime/malloc.go", "mallocgcSmallNoscan", "if valgrindenabled {") &&
				t.has("runtime/malloc.go", "mallocgcLarge", "if valgrindenabled {")
		},
		apply: func(t *tree) error {
			return t.editGo("runtime/malloc.go", func(g *goFile) {
				for _, f := range []string{"mallocgcSmallNoscan", "mallocgcSmallScanNoHeader", "mallocgcSmallScanHeader"} {
					g.fn(f).stmt("x := unsafe.Pointer(v)").after("if valgrindenabled { cgogrindSlot(x, span) }")
				}
				g.fn("mallocgcLarge").stmt("x := unsafe.Pointer(span.base())").
					after("if valgrindenabled { cgogrindSlot(x, span) }")
			})
		},
	},
	{
		Name: "size-specialised allocators",
		Why: "Compiled code calls them past every hook in mallocgc: objects that memcheck is never told of. From Go 1.28 on no " +
			"experiment turns them off.",
		unneeded: func(t *tree) bool { return !t.exists("runtime/malloc_generated.go") }, // before Go 1.26
		apply: func(t *tree) error {
			src, err := t.read("runtime/malloc.go")
			if err != nil {
				return err
			}
			// Otherwise mallocgc would hand back to them.
			if !regexp.MustCompile(`const sizeSpecializedMallocEnabled = .*!valgrindenabled`).MatchString(src.text) {
				return t.fail(src.name, "sizeSpecializedMallocEnabled does not depend on valgrindenabled")
			}
			if err := t.editGo("runtime/malloc.go", func(g *goFile) {
				// Never true here, and the compiler would see initialisation go round in a circle.
				for _, s := range g.fn("mallocgc").stmts(1, "if sizeSpecializedMallocEnabled && size <",
					"if sizeSpecializedMallocEnabled && heapBitsInSpan(size)") {
					s.replace("")
				}
			}); err != nil {
				return err
			}
			return t.editGo("runtime/malloc_generated.go", func(g *goFile) {
				allocators := g.fns("(size uintptr, typ *_type, needzero bool) unsafe.Pointer")
				if len(allocators) == 0 {
					g.failf("there is no allocator")
				}
				for _, f := range allocators {
					f.start("if valgrindenabled { return mallocgc(size, typ, needzero) }")
				}
			})
		},
	},
	{
		Name: "tiny allocator",
		Why:  "It announces pieces of a slot of which sweeping takes back only the first.",
		unneeded: func(t *tree) bool {
			return t.has("runtime/malloc.go", "mallocgc", "if !valgrindenabled && size < maxTinySize")
		},
		apply: func(t *tree) error {
			return t.editGo("runtime/malloc.go", func(g *goFile) {
				g.fn("mallocgc").stmt("if size < maxTinySize").cond("!valgrindenabled && ")
			})
		},
	},
	{
		Name: "red zones",
		Why:  "Slots are packed: C code that runs off the end of a Go slice or string lands in its neighbour.",
		apply: func(t *tree) error {
			return t.editGo("runtime/malloc.go", func(g *goFile) {
				f := g.fn("mallocgc")
				f.stmt("if asanenabled { asanRZ = redZoneSize(size)").
					after("if valgrindenabled { asanRZ = cgogrindRedZone(size, typ); size += asanRZ }")
				f.stmt("valgrindMalloc(x, size-asanRZ)").replace("cgogrindObject(x, size-asanRZ, elemsize, typ)")
			})
		},
	},
	{
		Name: "sweeping",
		Why: "The loop that takes back dead objects never runs for valgrind, and takes objects behind a malloc header " +
			"at the wrong address.",
		unneeded: func(t *tree) bool {
			return t.has("runtime/mgcsweep.go", "(*sweepLocked).sweep", "asanenabled || valgrindenabled {") &&
				t.has("runtime/mgcsweep.go", "(*sweepLocked).sweep", "gc.MallocHeaderSize")
		},
		apply: func(t *tree) error {
			return t.editGo("runtime/mgcsweep.go", func(g *goFile) {
				f := g.fn("(*sweepLocked).sweep")
				f.stmt("if traceAllocFreeEnabled() || debug.clobberfree != 0 || raceenabled || msanenabled || asanenabled {").
					cond("valgrindenabled || ")
				f.stmt("valgrindFree(unsafe.Pointer(x))").replace("cgogrindSwept(x, s)")
			})
		},
	},
	{
		Name: "goroutine stacks",
		Why: "Stacks that are blocks count as lost or found in the leak check, and overlap with what is announced for " +
			"the lists of free stacks.",
		apply: func(t *tree) error {
			return t.editGo("runtime/stack.go", func(g *goFile) {
				link := "valgrindMalloc(unsafe.Pointer(x.ptr()), unsafe.Sizeof(x.ptr()))"
				g.fn("stackpoolalloc").stmt(link).replace("")
				a := g.fn("stackalloc")
				a.stmt("valgrindFree(unsafe.Pointer(x.ptr()))").replace("")
				a.stmt("valgrindMalloc(v, uintptr(n))").replace("valgrindMakeMemUndefined(v, uintptr(n))")
				f := g.fn("stackfree")
				f.stmt("valgrindFree(v)").replace("cgogrindStackFreed(v, n)")
				for _, s := range f.stmts(2, link) {
					s.replace("")
				}
			})
		},
	},
	{
		Name: "signal stacks",
		Why: "valgrind goes on using an alternate signal stack that was switched off (it looks at the size only): a signal " +
			"that comes while a thread ends is handled on memory that has a new owner. And where it knows of a signal stack it " +
			"does not see the return from there: it takes the next change of SP for that, and leaves a frame off limits.",
		apply: func(t *tree) error {
			if err := t.editGo("runtime/os_linux.go", func(g *goFile) {
				g.fn("mpreinit").stmt("mp.gsignal = malg(").
					after("if valgrindenabled { valgrindDeregisterStack(mp.gsignal.valgrindStackID) }")
			}); err != nil {
				return err
			}
			return t.editGo("runtime/proc.go", func(g *goFile) {
				g.fn("mexit").stmt("stackfree(mp.gsignal.stack)").
					replace("if valgrindenabled { cgogrindSignalStack(mp.gsignal.stack) } else { stackfree(mp.gsignal.stack) }")
			})
		},
	},
	{
		Name: "tracebacks",
		Why:  "A goroutine dump prints stack words that nobody has written yet.",
		unneeded: func(t *tree) bool {
			return t.has("runtime/traceback.go", "printArgs", "if valgrindenabled {")
		},
		apply: func(t *tree) error {
			return t.editGo("runtime/traceback.go", func(g *goFile) {
				g.fn("printArgs").stmt("x := readUnaligned64(add(argp, uintptr(off)))").
					after("if valgrindenabled { valgrindMakeMemDefined(unsafe.Pointer(&x), unsafe.Sizeof(x)) }")
			})
		},
	},
	{
		Name: "hash functions",
		Why:  "The AES hash reads whole 16 bytes around short keys.",
		unneeded: func(t *tree) bool {
			return t.has("runtime/alg.go", "alginit", "valgrindenabled") ||
				t.has("internal/runtime/maps/runtime_alg.go", "AlgInit", "valgrindenabled")
		},
		apply: func(t *tree) error {
			file, fn := "runtime/alg.go", "alginit"
			if !t.defines(file, fn) { // since Go 1.27
				file, fn = "internal/runtime/maps/runtime_alg.go", "AlgInit"
			}
			return t.editGo(file, func(g *goFile) {
				for _, s := range g.fn(fn).stmts(2, "if (goarch.GOARCH ==", "if (GOARCH ==", "if goarch.GOARCH ==", "if GOARCH ==") {
					s.cond("false && ")
				}
			})
		},
	},
	{
		Name: "settings",
		Why: "Asynchronous preemption injects frames; the AES hash reads too far; valgrind says of every processor that it has " +
			"RDTSCP. Made in GODEBUG these settings are seen by libraries, which print about them, and by the programs that a test starts.",
		apply: func(t *tree) error {
			return t.editGo("runtime/proc.go", func(g *goFile) {
				g.fn("cpuinit").stmt("cpu.Initialize(env)").after("if valgrindenabled { cgogrindSettings() }")
			})
		},
	},
	{
		Name: "exact byte functions",
		Why: "Assembly in internal/bytealg reads past what it was given, by design: the bits of the missing bytes are " +
			"undefined, and the taint spreads to whatever uses the result.",
		apply: exactByteFunctions,
	},
	{
		Name: "exact memequal",
		Why:  "memequal reads eight bytes where fewer than eight are compared.",
		arch: []string{"amd64"},
		apply: func(t *tree) error {
			return t.asmReplace("internal/bytealg/equal_amd64.s", "memeqbody<>", []string{
				"small:", "CMPQ BX, $0", "JEQ equal", "LEAQ 0(BX*8), CX", "NEGQ CX", "CMPB SI, $0xf8", "JA si_high",
				"MOVQ (SI), SI", "JMP si_finish", "si_high:", "MOVQ -8(SI)(BX*1), SI", "SHRQ CX, SI", "si_finish:",
				"CMPB DI, $0xf8", "JA di_high", "MOVQ (DI), DI", "JMP di_finish", "di_high:", "MOVQ -8(DI)(BX*1), DI",
				"SHRQ CX, DI", "di_finish:", "SUBQ SI, DI", "SHLQ CX, DI", "equal:", "SETEQ AX", "RET",
			}, file("internal/bytealg/memequal_amd64.s"))
		},
	},
	{
		Name: "identity",
		Why:  "memcheck folds what looks the same: without a mark in the stack a second test's error has no record.",
		apply: func(t *tree) error {
			if err := t.editGo("runtime/runtime2.go", func(g *goFile) {
				// Half of the word will do for valgrind's number of a stack: the size of g stays what it was.
				g.refield("g", "valgrindStackID", "valgrindStackID, cgogrindID uint32")
			}); err != nil {
				return err
			}
			if err := t.editGo("runtime/proc.go", func(g *goFile) {
				g.fn("newproc1").stmt("newg.parentGoid = callergp.goid").
					after("if valgrindenabled { newg.cgogrindID = cgogrindInherit(callergp) }")
			}); err != nil {
				return err
			}
			for _, f := range []string{"cgogrind.go", "cgogrind_" + t.tc.GOARCH + ".go", "cgogrind_" + t.tc.GOARCH + ".s"} {
				if err := t.add("runtime/"+f, file("runtime/"+f)); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		Name: "asked for",
		Why: "What the runtime calls later is nobody's, or that of the test that needed the runtime's goroutine first: what a " +
			"timer starts, finalizers, cleanups, what waits for a context to end.",
		apply: func(t *tree) error {
			for _, edit := range []struct {
				file string
				make func(*goFile)
			}{
				{"runtime/proc.go", func(g *goFile) {
					// It serves nobody, or all in turn.
					g.fn("newproc1").stmt("sched.ngsys.Add(1)").before("newg.cgogrindID = 0")
				}},
				{"runtime/time.go", func(g *goFile) {
					// Into the padding there: the size of timer stays what it was.
					g.field("timer", "rand", "cgogrindID uint32")
					g.fn("(*timer).modify").stmt("t.period = period").
						after("if id := cgogrindAsker(); id != 0 { t.cgogrindID = id }")
					run := g.fn("(*timer).unlockAndRun")
					run.stmt("seq := t.seq").after("cgogrindFor := t.cgogrindID")
					run.stmt("f(arg, seq, delay)").
						replace("cgogrindWas := cgogrindTake(cgogrindFor); f(arg, seq, delay); cgogrindTake(cgogrindWas)")
				}},
				{"runtime/mheap.go", func(g *goFile) {
					// Into the padding there. The finalizer's queue has the identity beside the number of bytes of its results.
					g.field("special", "kind", "cgogrindID uint32")
					g.fn("addfinalizer").stmt("s.special.kind = _KindSpecialFinalizer").
						after("s.special.cgogrindID = cgogrindInherit(getg().m.curg)")
					g.fn("freeSpecial").stmt("queuefinalizer(p, sf.fn, sf.nret, sf.fint, sf.ot)").
						replace("queuefinalizer(p, sf.fn, sf.nret|uintptr(sf.special.cgogrindID)<<32, sf.fint, sf.ot)")
				}},
				{"runtime/mfinal.go", func(g *goFile) {
					g.fn("iterate_finq").stmt("callback(f.fn, f.arg, f.nret, f.fint, f.ot)").
						replace("callback(f.fn, f.arg, f.nret&(1<<32-1), f.fint, f.ot)")
					run := g.fn("runFinalizers")
					run.stmt("f := &fb.fin[i-1]").after("cgogrindTake(uint32(f.nret >> 32)); f.nret &= 1<<32 - 1")
					run.stmt("f.fn = nil").before("cgogrindTake(0)")
				}},
				{"runtime/mcleanup.go", func(g *goFile) {
					g.fn("AddCleanup").stmt("if gcCleanups.needG() {").before("cleanup = cgogrindCleanup(cleanup)")
				}},
				{"context/context.go", func(g *goFile) {
					g.fn("AfterFunc").start("f = cgogrindAsked(f)")
				}},
			} {
				if err := t.editGo(edit.file, edit.make); err != nil {
					return err
				}
			}
			for _, f := range []string{"cgogrind.go", "cgogrind.s"} {
				if err := t.add("context/"+f, file("context/"+f)); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		Name: "mirrored stack",
		Why: "asmcgocall switches stacks, and memcheck's unwinder does not follow: nobody learns which Go code called " +
			"the C function.",
		arch: []string{"amd64"},
		apply: func(t *tree) error {
			text := strings.NewReplacer(
				"CGOGRIND_MIRROR_MAX", fmt.Sprint(mirrorMax),
				"CGOGRIND_MIRROR_END", fmt.Sprint(mirrorEnd),
			).Replace(file("runtime/asmcgocall_amd64.s"))
			return t.asmReplace("runtime/asm_amd64.s", "·asmcgocall", []string{
				"MOVQ SI, g(CX)", "MOVQ (g_sched+gobuf_sp)(SI), SP",
				"SUBQ $16, SP", "ANDQ $~15, SP", "MOVQ DI, 8(SP)", "MOVQ (g_stack+stack_hi)(DI), DI", "SUBQ DX, DI",
				"MOVQ DI, 0(SP)", "CALL runtime·asmcgocall_landingpad(SB)",
				"get_tls(CX)", "MOVQ 8(SP), DI", "MOVQ (g_stack+stack_hi)(DI), SI", "SUBQ 0(SP), SI", "MOVQ DI, g(CX)",
				"MOVQ SI, SP",
			}, text)
		},
	},
	{
		Name: "fatal signals",
		Why:  "Go prints its goroutines and exits: where in C code the signal struck, nobody learns.",
		apply: func(t *tree) error {
			if err := t.editGo("runtime/signal_unix.go", func(g *goFile) {
				f := g.fn("sighandler")
				f.stmt("dumpregs(c)").replace("if valgrindenabled { cgogrindDumpRegisters(sig, c) } else { dumpregs(c) }")
				f.stmt("if docrash {").before("if valgrindenabled && cgogrindFatal(sig, c) { return }")
				f.stmt("gp = fatalsignal(sig, c, gp, mp)").before("if valgrindenabled { cgogrindHold(sig, mp) }")
				g.fn("raisebadsignal").stmt("unblocksig(sig)").
					before("if valgrindenabled && handler == _SIG_DFL && cgogrindFatalInC(sig, c) { return }")
			}); err != nil {
				return err
			}
			return t.editGo("runtime/print.go", func(g *goFile) {
				g.fn("gwrite").stmt("writeErr(b)").before("if valgrindenabled && cgogrindHolds(b) { return }")
			})
		},
	},
	{
		Name: "probes",
		Why: "Code under test that switches the reporting of errors off, or declares memory accessible that is not its own, makes " +
			"the rest of the process look clean.",
		apply: func(t *tree) error {
			if err := t.add("runtime/cgogrind_probe.go", file("runtime/cgogrind_probe.go")); err != nil {
				return err
			}
			if err := t.editGo("runtime/runtime2.go", func(g *goFile) {
				g.field("m", "ncgocall", "cgogrindEpoch uint32; cgogrindCallers [4]uint32")
			}); err != nil {
				return err
			}
			if err := t.editGo("runtime/signal_unix.go", func(g *goFile) {
				g.fn("sighandler").stmt("mp := gsignal.m").
					after("if valgrindenabled && sig == sigPreempt && cgogrindSignalled(mp) { return }")
			}); err != nil {
				return err
			}
			return t.editGo("runtime/cgocall.go", func(g *goFile) {
				g.fn("cgocall").stmt("mp.ncgocall++").
					after("if valgrindenabled && cgogrindIsNew(mp, getg().cgogrindID) { cgogrindBeforeCall(mp, getg().cgogrindID) }")
			})
		},
	},
	{
		Name: "collection stress",
		Why:  "C code that keeps a Go pointer past its call is caught only if the collector happens to run in between.",
		apply: func(t *tree) error {
			return t.editGo("runtime/cgocall.go", func(g *goFile) {
				g.fn("cgocall").stmt("return errno").before("if valgrindenabled && cgogrindStressEvery != 0 { cgogrindStress() }")
			})
		},
	},
	{
		Name:  "threads",
		stock: true,
		Why: "For a thread with a stack from Go's heap valgrind takes the heap below that stack for the thread's: moves " +
			"between goroutine stacks look like calls and returns, and repaint the heap. Threads of the C library are none.",
		apply: func(t *tree) error {
			return t.add("testing/cgogrind_cgo.go", file("testing/cgogrind_cgo.go"))
		},
	},
	{
		Name: "overlapping memcpy",
		Why:  "The C library's memcpy is its memmove, and memcheck takes it for that: nobody learns of memory that overlaps.",
		apply: func(t *tree) error {
			// The name is one that cgo gives: nobody is to blame for what happens in it.
			return t.add("runtime/cgo/cgo-memcpy.c", file("runtime/cgo/cgo-memcpy.c"))
		},
	},
	{
		Name: "borrowed memory",
		Why: "What strerror and its like return may be a heap block or a static buffer of the library's own: nobody learns " +
			"that the caller frees it, or reads it after the next call.",
		apply: func(t *tree) error {
			for _, f := range []string{"cgo-borrowed.c", "cgogrind.go"} {
				if err := t.add("runtime/cgo/"+f, file("runtime/cgo/"+f)); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		Name:  "test marks",
		Why:   "The stream has to say which test runs.",
		stock: true,
		apply: func(t *tree) error {
			if err := t.editGo("testing/testing.go", func(g *goFile) {
				g.field("common", "name", "cgogrindID uint32; cgogrindErrors uint64; cgogrindReason string")
				r := g.fn("tRunner")
				r.start(`cgogrindBegin(&t.common, "test")`)
				r.stmt("t.signal <- signal").before("cgogrindEnd(&t.common)")
				p := g.fn("(*T).Parallel")
				p.stmt("t.signal <- true").before("cgogrindPause(&t.common)")
				p.stmt("t.tstate.waitParallel()").after("cgogrindCont(&t.common)")
				m := g.fn("(*M).Run")
				m.start("defer cgogrindDone(m)")
				m.stmt("m.before()").before("if cgogrindSelect(m) { return }")
				m.stmt("testRan, testOk := runTests(").before("cgogrindPlan(m)")
			}); err != nil {
				return err
			}
			if err := t.editGo("testing/fuzz.go", func(g *goFile) {
				r := g.fn("fRunner")
				r.start(`cgogrindBegin(&f.common, "fuzz")`)
				r.stmt("f.signal <- true").before("cgogrindEnd(&f.common)")
			}); err != nil {
				return err
			}
			if err := t.editGo("testing/run_example.go", func(g *goFile) {
				g.fn("runExample").start("defer cgogrindExample(eg.Name)(&ok)")
			}); err != nil {
				return err
			}
			files := []string{"cgogrind.go", "cgogrind_select.go", "cgogrind_runtime.go", "cgogrind.s"}
			if t.stock {
				files = []string{"cgogrind.go", "cgogrind_select.go", "cgogrind_stock.go",
					"cgogrind_stock_" + t.tc.GOARCH + ".s"}
			}
			for _, f := range files {
				if err := t.add("testing/"+f, file("testing/"+f)); err != nil {
					return err
				}
			}
			return nil
		},
	},
}

// How much of a goroutine's stack is mirrored, and how many zero bytes end the copy.
const (
	mirrorMax = 16 << 10
	mirrorEnd = 64
)

// exactByteFunctions puts the pure Go versions of internal/bytealg in the place of the assembly.
func exactByteFunctions(t *tree) error {
	dir := "internal/bytealg/"
	for _, f := range []string{"compare", "count", "index", "indexbyte"} {
		generic := dir + f + "_generic.go"
		src, err := t.read(generic)
		if err != nil {
			return err
		}
		head, rest, ok := strings.Cut(src.text, "//go:build ")
		_, rest, ok2 := strings.Cut(rest, "\n")
		if !ok || !ok2 || !strings.Contains(rest, "package bytealg") {
			return t.fail(generic, "it has no build constraint")
		}
		src.text = head + "\n" + rest

		drop := []string{dir + f + "_native.go", dir + f + "_" + t.tc.GOARCH + ".s"}
		if f == "index" {
			drop = append(drop, dir+f+"_"+t.tc.GOARCH+".go")
		}
		for _, name := range drop {
			src, err := t.read(name)
			if err != nil {
				return err
			}
			src.text = "// Replaced by " + path.Base(generic) + ".\n"
			if strings.HasSuffix(name, ".go") {
				src.text += "\npackage bytealg\n"
			}
		}
	}
	return nil
}
