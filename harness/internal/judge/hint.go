package judge

import (
	"regexp"
	"slices"
	"strings"

	"github.com/cgogrind/cgogrind/harness/internal/frames"
	"github.com/cgogrind/cgogrind/valgrind"
)

// pattern is a bug of cgo code, as it shows in a report.
type pattern struct {
	kind   *regexp.Regexp       // of the finding; nil for any
	memory []memory             // what it is about; none for any
	when   func(a account) bool // what else the report must say; nil for nothing
	page   string               // of cgogrind explain
	hint   string               // what usually causes it, and what to do; see lent.fill and inPlace
	plain  string               // the same for a program without Go, if hint is about Go
}

// hint says in one or two sentences what usually causes a finding like this in cgo code, what to do, and where there is
// more about it. It is empty where nothing better can be said than memcheck does. Of a program without Go it says nothing
// about Go.
func hint(kind valgrind.Kind, a account, withGo bool) string {
	for _, p := range patterns {
		if !p.matches(kind, a) {
			continue
		}
		text := p.hint
		if !withGo && p.plain != "" {
			text = p.plain
		}
		if !withGo && aboutGo.MatchString(text) {
			return ""
		}
		return a.lent.fill(text) + " (more: cgogrind explain " + p.page + ")"
	}
	return ""
}

// aboutGo matches hints that help with cgo code only.
var aboutGo = regexp.MustCompile(`\b(Go|cgo|goroutine|nil|C\.[A-Za-z]+|runtime\.[A-Z]\w+|unsafe\.\w+|sync\.\w+)\b`)

func (p pattern) matches(kind valgrind.Kind, a account) bool {
	return (p.kind == nil || p.kind.MatchString(string(kind))) &&
		(len(p.memory) == 0 || slices.Contains(p.memory, a.memory)) &&
		(p.when == nil || p.when(a))
}

var (
	access  = regexp.MustCompile(`^Invalid(Read|Write)$`)
	read    = regexp.MustCompile(`^InvalidRead$`)
	write   = regexp.MustCompile(`^InvalidWrite$`)
	freeing = regexp.MustCompile(`^(Invalid|Mismatched)Free$`)
	badFree = regexp.MustCompile(`^InvalidFree$`)
	uninit  = regexp.MustCompile(`^Uninit(Condition|Value)$`)
	syscall = regexp.MustCompile(`^SyscallParam$`)
	leak    = regexp.MustCompile(`^Leak_`)
)

// only matches one kind.
func only(kind valgrind.Kind) *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.QuoteMeta(string(kind)) + "$")
}

// patterns is searched from the top: what says more comes first.
var patterns = []pattern{
	{kind: only(cgoCheck), page: "CgoCheck",
		hint: "C must not hold a pointer to Go memory that the garbage collector may free or move. Pin what it points to " +
			"for as long as C has it (runtime.Pinner), hand out a cgo.Handle in its place, or copy the data into C memory."},

	// Giving memory back.
	{kind: freeing, memory: []memory{goInside, goCollected, goFreed, goPast}, page: "go-memory-freed",
		hint: "Memory that Go made belongs to the garbage collector: never give it to free. If C has to own it, make it " +
			"with C.malloc, C.CString or C.CBytes."},
	{kind: only("MismatchedFree"), page: "wrong-free",
		hint: "Memory goes back the way it came: malloc with free, new with delete, new[] with delete[], and what a " +
			"library made with the function that the library has for it."},
	{kind: badFree, memory: []memory{lentMemory}, when: lender(`^strerror`), page: "strerror",
		hint: "The text belongs to libc, which frees it later: let strerror_r write into a buffer of yours, or copy it, " +
			"and free neither. strerror does not know the code: was it to be negated?"},
	{kind: badFree, memory: []memory{lentMemory}, page: "borrowed",
		hint: "This WHAT belongs to OWNER, which lends it until END: copy it, and do not free it."},
	{kind: badFree, memory: []memory{cFreed}, when: freedBy(threadEnd), page: "thread-local",
		hint: "The end of a thread has freed it: what is handed to a thread's key with a destructor " +
			"(pthread_key_create) is that thread's to free."},
	{kind: badFree, memory: []memory{cFreed}, page: "double-free",
		hint: "It was freed before, {freed}: it needs one owner. Set a pointer to nil when it is freed, and " +
			"make Close do nothing the second time.",
		plain: "It was freed before, {freed}: it needs one owner."},
	{kind: badFree, memory: []memory{cInside, cOutside}, page: "inside-block",
		hint: "free takes the pointer that malloc returned, not one to somewhere else in the block: is it a part of a " +
			"struct, or does a library keep a header before it?"},
	{kind: badFree, memory: []memory{noBlock}, when: label(`in a \S+ mapped file \S*/` + libcFile + ` segment`), page: "strerror",
		hint: "malloc did not return this pointer: it is libc's own. The text that strerror returns belongs to libc: let " +
			"strerror_r write into a buffer of yours, or copy it, and free neither it nor anything that Go made.",
		plain: "malloc did not return this pointer: it is libc's own. The text that strerror returns belongs to libc: let " +
			"strerror_r write into a buffer of yours, or copy it, and do not free it."},
	{kind: badFree, memory: []memory{noBlock}, page: "borrowed",
		hint: "malloc did not return this pointer. What getenv, strerror, dlerror or inet_ntoa return is theirs, and so " +
			"is what the library's documentation does not tell you to free: copy it, and free only what you made."},

	// Reading and writing.
	{kind: access, memory: []memory{lentMemory}, page: "overwritten-result",
		hint: "This WHAT belongs to OWNER, which lent it until END, and has taken it back: COPY."},
	{kind: access, memory: []memory{goCollected}, when: inGo, page: "kept-pointer",
		hint: "The garbage collector saw nothing that pointed to this memory: a uintptr, or a pointer that is in C memory only, " +
			"does not keep it. Keep a pointer in Go, or a runtime.Pinner, until the last use."},
	{memory: []memory{goCollected}, page: "kept-pointer",
		hint: "C still used this memory{made} when nothing in Go did any more. Keep it reachable for as long as C holds the " +
			"pointer (a runtime.Pinner, or runtime.KeepAlive after the last call), or copy it into C memory (C.CBytes, " +
			"C.malloc)."},
	{memory: []memory{goFreed}, page: "go-memory-freed",
		hint: "C code gave memory to free that Go made and that belongs to the garbage collector."},
	{kind: access, memory: []memory{goPast, goBefore}, when: both(inGo, not(stackHas(copyFromC))), page: "unsafe-slice",
		hint: "Go code left this memory: unsafe.Slice, unsafe.String and unsafe.Add believe what they are told. Is the length in " +
			"elements, and is it this memory's?"},
	{kind: read, memory: []memory{goPast}, when: label(` after a Go (string|\[\]byte) `), page: "terminator",
		hint: "Check the length that C was given: is it this memory's? A Go string or slice has no zero byte at its end: " +
			"C code that looks for one needs a copy made by C.CString."},
	{kind: access, memory: []memory{goPast}, when: label(` after a Go object `), page: "struct-size",
		hint: "Has the Go type the size of what C takes it for? Take the type from C (C.struct_…), and look whether the " +
			"length that C was given is this memory's."},
	{memory: []memory{goPast}, page: "off-by-one",
		hint: "Check the length that C was given: is it in bytes or in elements, and is it this memory's? A Go string or " +
			"slice has no zero byte at its end: C code that looks for one needs a copy made by C.CString."},
	{memory: []memory{goBefore}, page: "off-by-one",
		hint: "C code went below the first byte of memory that Go gave it: is an offset or an index negative?"},
	{kind: access, memory: []memory{nearNil}, page: "nil-pointer",
		hint:  "The pointer was nil: did Go pass it so, or did nobody look whether the function that returned it had failed?",
		plain: "The pointer was null: did nobody look whether the function that returned it had failed?"},
	{kind: access, memory: []memory{cFreed}, when: freedBy(`^realloc$`), page: "moved-buffer",
		hint: "realloc moved the memory when it grew, and somebody still has the former place: ask for the pointer again " +
			"after each call that may grow it."},
	{kind: access, memory: []memory{cFreed}, when: freedBy(`^runtime\.(runFinalizers|runCleanups|runfinq|runfinq1|` +
		`\(\*cleanupQueue\).*|unique_runtime.*)$`), page: "keepalive",
		hint: "A finalizer or a cleanup freed the memory while it was in use: the garbage collector saw that nothing used " +
			"its Go owner{owner} any more. Call runtime.KeepAlive with the owner after the last use."},
	{kind: access, memory: []memory{cFreed}, when: freedBy(threadEnd), page: "thread-local",
		hint: "The memory went with its thread. A goroutine may run on another thread after each call, unless it has " +
			"called runtime.LockOSThread: copy a thread's own text before the goroutine does anything else.",
		plain: "The memory went with its thread: copy what is a thread's own before the thread ends."},
	{kind: access, memory: []memory{cFreed}, when: inCallback, page: "callback-data",
		hint: "C called Go code that used memory which was freed: the data of a callback is needed until the callback is " +
			"unregistered and its last call has returned. Hand out a cgo.Handle in its place."},
	{kind: access, memory: []memory{cFreed}, when: both(inThread, freedElsewhere), page: "running-thread",
		hint: "Another thread was still using the memory: wait for its end (pthread_join, or what the library has for it) " +
			"before you free what it works on."},
	{kind: access, memory: []memory{cFreed}, when: freedElsewhere, page: "close-during-call",
		hint: "Another goroutine freed the memory, before this one used it or meanwhile: let Close wait for the calls that are " +
			"under way (a sync.RWMutex), and share nothing that a call on another goroutine takes back.",
		plain: "Another thread freed the memory, before this one used it or meanwhile: let what frees it wait for the calls that " +
			"are under way."},
	{kind: access, memory: []memory{cFreed}, page: "use-after-free",
		hint: "The memory was freed while somebody still held a pointer to it: is a method called after Close, or is " +
			"something kept that an iterator or a later call takes back?",
		plain: "The memory was freed while somebody still held a pointer to it: is something used after what closes it, or kept " +
			"that an iterator or a later call takes back?"},
	{kind: access, when: stackHas(`^runtime\.(gostringn|gobytes)$`), page: "wanted-length",
		hint: "C.GoStringN and C.GoBytes copy as many bytes as you say: is the length that of the buffer? snprintf and " +
			"many others return the length that they would have needed."},
	{kind: access, memory: []memory{cInside, cOutside}, page: "terminator",
		when: inText,
		hint: "The text does not end where its memory does: is there a zero byte, and was there room for it? Where there " +
			"is none, say how long it is (C.GoStringN).",
		plain: "The text does not end where its memory does: is there a zero byte, and was there room for it?"},
	{kind: write, memory: []memory{cOutside}, when: both(label(`^(Address 0x[0-9A-F]+ is )?0 bytes after a block `),
		message(`of size 1$`)), page: "terminator",
		hint: "One byte behind the end: is there room for the zero byte of a string? It needs one byte more than its " +
			"length."},
	{kind: access, memory: []memory{cOutside}, when: inGo, page: "unsafe-slice",
		hint: "Go code left C's memory: unsafe.Slice believes the length that it is told. Is it in elements, and what C " +
			"says now?"},
	{kind: access, memory: []memory{cOutside}, page: "off-by-one",
		hint: "C code left the block that it was given: is the length in bytes or in elements, is it this block's, and " +
			"can an index be -1?"},

	// What nobody wrote.
	{kind: syscall, when: message(`unaddressable`), page: "wanted-length",
		hint: "The kernel was given more bytes than the buffer has, or a buffer that is gone: pass the length that it " +
			"was made with."},
	{kind: syscall, when: message(`uninitialised`), page: "padding",
		hint: "Bytes leave the program that nobody wrote: the padding of a struct, or the rest of a buffer. Make it " +
			"with calloc, and write only what was filled in."},
	{kind: uninit, when: label(`created by a stack allocation`), page: "unset-output",
		hint: "A variable of C was used that no one set: did the function that had to set it fail? Look at what it " +
			"returned before using its outputs.",
		plain: "A variable was used that no one set: did the function that had to set it fail? Look at what it returned before " +
			"using its outputs."},
	{kind: uninit, when: label(`created by a heap allocation`), page: "not-cleared",
		hint: "malloc, unlike Go, does not clear memory: use C.calloc, or set all of it. If a call was to fill it, look " +
			"how much it did fill.",
		plain: "Nobody wrote to this memory since it was allocated: use calloc, or set all of it. If a call was to fill it, look " +
			"how much it did fill."},

	// Odd arguments.
	{kind: only("Overlap"), page: "overlapping-copy",
		hint: "memcpy and strcpy may do anything when source and destination overlap: use memmove."},
	{kind: only("FishyValue"), page: "negative-size",
		hint: "The size was negative before it became a size_t, a very large number: check a difference of lengths " +
			"before you allocate, and do not convert len(…) to a smaller type.",
		plain: "The size was negative before it became a size_t, a very large number: check a difference of lengths before you " +
			"allocate."},

	// Leaks.
	{kind: leak, when: stackHas(`\._Cfunc_(CString|CBytes)$`), page: "cstring",
		hint: "C.CString and C.CBytes make a copy in C memory, which Go does not free: defer C.free after {line}, " +
			"unless C takes it over."},
	{kind: leak, when: stackHas(`\._Cfunc__CMalloc$`), page: "cstring",
		hint: "The garbage collector does not free what C.malloc returns: defer C.free after {line}, or free it " +
			"where its owner is closed."},
	{kind: only("Leak_PossiblyLost"), page: "Leak_PossiblyLost",
		hint: "Only pointers into its middle are left, which may be chance: does something hold it that way on purpose, or was it " +
			"to be freed?"},
	{kind: only("Leak_IndirectlyLost"), page: "Leak_IndirectlyLost",
		hint: "Only blocks that are lost themselves point to this one: free it with what owns it."},
	{kind: only("Leak_DefinitelyLost"), page: "missing-close",
		hint: "The last pointer to this memory is gone: call what frees it (C.free, or the library's own function) before, " +
			"on every path, or from runtime.AddCleanup if a Go object owns it.",
		plain: "The last pointer to this memory is gone: call what frees it before, on every path."},
}

// libcFile matches the file names of glibc and musl.
const libcFile = `(libc\.so\.6|libc-2\.[0-9]+\.so|(ld|libc\.)-?musl-\S+)`

// copyFromC matches what copies C's memory for C.GoString, C.GoStringN and C.GoBytes.
const copyFromC = `^runtime\.(gostring|gostringn|gobytes|findnull)$`

// textFunction matches libc's functions that go by a zero byte.
var textFunction = regexp.MustCompile(`^(__)?(str[a-z]+|wcs[a-z]+|memchr|rawmemchr)(_[a-z0-9_]+)?$`)

// inText says whether the end of a text was looked for: by libc, or memcheck in its place, or by C.GoString.
func inText(a account) bool {
	if stackHas(`^runtime\.(gostring|findnull)$`)(a) {
		return true
	}
	if len(a.sections) == 0 || len(a.sections[0].Stack) == 0 {
		return false
	}
	top := a.sections[0].Stack[0]
	return textFunction.MatchString(top.Function) && (strings.Contains(top.Object, "/vgpreload_") || libcObject.MatchString(top.Object))
}

var libcObject = regexp.MustCompile(`/` + libcFile + `$`)

// inCallback says whether Go code that C called did it, and not C code that this called in turn.
func inCallback(a account) bool {
	if len(a.sections) == 0 {
		return false
	}
	for _, f := range a.sections[0].Stack {
		switch name := frames.GoName(f.Function); {
		case strings.HasPrefix(name, "_cgoexp_"):
			return true
		case name == "runtime.asmcgocall":
			return false
		}
	}
	return false
}

// inThread says whether it was a thread that C made.
func inThread(a account) bool {
	return len(a.sections) > 0 && threadOf(a.sections[0].Stack).kind == cThread
}

// freedElsewhere says whether the memory was freed on another goroutine or thread, as far as the stacks tell: where several
// run the same function, they do not.
func freedElsewhere(a account) bool {
	for _, s := range a.sections {
		if strings.HasSuffix(s.Text.Text, "free'd") {
			return threadOf(a.sections[0].Stack).differs(threadOf(s.Stack))
		}
	}
	return false
}

// thread is what a stack tells of the goroutine or thread that it is of.
type thread struct {
	kind  threadKind
	began string // the function that it began with; empty if the stack does not reach so far
}

type threadKind int

const (
	anyThread threadKind = iota
	mainThread
	cThread
	goroutine
)

func (t thread) differs(o thread) bool {
	if t.kind == anyThread || o.kind == anyThread {
		return false
	}
	return t.kind != o.kind || t.began != "" && o.began != "" && t.began != o.began
}

// callsOnce matches what goroutines begin with that calls one function of the user's and ends.
var callsOnce = regexp.MustCompile(`^(sync\.\(\*WaitGroup\)|golang\.org/x/sync/errgroup\.\(\*Group\))\.Go\.func[0-9]+$`)

func threadOf(stack []valgrind.Frame) thread {
	t := thread{}
	before := ""
	for i, f := range stack {
		name := frames.GoName(f.Function)
		switch {
		case name == "start_thread", name == "runtime.goexit":
			t.kind = cThread
			if name == "runtime.goexit" {
				t.kind = goroutine
			}
			t.began = before
			if i > 1 && callsOnce.MatchString(before) && frames.GoPackage(stack[i-2].Function) != frames.GoPackage(before) {
				t.began = frames.GoName(stack[i-2].Function)
			}
			return t
		case frames.GoPackage(name) != "" && !strings.HasPrefix(name, "_cgo"):
			t.kind = goroutine
		case name == "main" && t.kind == anyThread:
			t.kind = mainThread
		}
		before = name
	}
	return t
}

// threadEnd matches what calls the destructors of a thread's own data, in glibc and musl.
const threadEnd = `^(__nptl_deallocate_tsd|__pthread_tsd_run_dtors|__libc_thread_freeres|__call_tls_dtors)`

// stackHas says whether a function is in the stack of the error itself; for a leak that is where it was allocated.
func stackHas(function string) func(account) bool {
	re := regexp.MustCompile(function)
	return func(a account) bool { return len(a.sections) > 0 && hasFunction(a.sections[0].Stack, re) }
}

// freedBy says whether a function is in the stack in which the memory was freed.
func freedBy(function string) func(account) bool {
	re := regexp.MustCompile(function)
	return func(a account) bool {
		return slices.ContainsFunc(a.sections, func(s valgrind.Section) bool {
			return strings.HasSuffix(s.Text.Text, "free'd") && hasFunction(s.Stack, re)
		})
	}
}

func hasFunction(stack []valgrind.Frame, re *regexp.Regexp) bool {
	return slices.ContainsFunc(stack, func(f valgrind.Frame) bool { return re.MatchString(frames.GoName(f.Function)) })
}

// lender says whether the function that lent the memory matches.
func lender(function string) func(account) bool {
	re := regexp.MustCompile(function)
	return func(a account) bool { return re.MatchString(a.lent.function) }
}

// lenders are the functions whose results the instrumented runtime guards, and until when they are lent. copyWith is
// what writes the same into memory of the caller's, if there is something.
var lenders = []struct {
	function, owner, until, copyWith string
}{
	{"strerror", "libc", "the next code that strerror does not know, or the thread's end", "strerror_r"},
	{"strerror_l", "libc", "the next code that strerror does not know, or the thread's end", "strerror_r"},
	{"strsignal", "libc", "the next signal that strsignal does not know, or the thread's end", ""},
	{"dlerror", "libc", "the next call of dlerror in the same thread, or the thread's end", ""},
	{"inet_ntoa", "libc", "the next call of inet_ntoa in the same thread, or the thread's end", "inet_ntop"},
	{"asctime", "libc", "the next call of asctime or ctime, in any thread", "asctime_r"},
	{"ctime", "libc", "the next call of ctime or asctime, in any thread", "ctime_r"},
	{"gmtime", "libc", "the next call of gmtime or localtime, in any thread", "gmtime_r"},
	{"localtime", "libc", "the next call of localtime or gmtime, in any thread", "localtime_r"},
	{"ttyname", "libc", "the next call of ttyname, in any thread", "ttyname_r"},
	{"getpwnam", "libc", "the next call of getpwnam, in any thread", "getpwnam_r"},
	{"getpwuid", "libc", "the next call of getpwuid, in any thread", "getpwuid_r"},
	{"getgrnam", "libc", "the next call of getgrnam, in any thread", "getgrnam_r"},
	{"getgrgid", "libc", "the next call of getgrgid, in any thread", "getgrgid_r"},
	{"rados_getxattrs_next", "librados", "the next call with the same iterator, or rados_getxattrs_end", ""},
	{"rados_nobjects_list_next", "librados", "the next call with the same listing, or rados_nobjects_list_close", ""},
}

// fill puts what is known of lent memory into a hint: WHAT it is, its OWNER, the END of its lease, how to COPY it.
func (l lent) fill(hint string) string {
	if l.function == "" {
		return hint
	}
	owner, until, by := "the library", "the next call of "+l.function, "copy it before that"
	for _, k := range lenders {
		if k.function != l.function {
			continue
		}
		owner, until = k.owner, k.until
		if k.copyWith != "" {
			by += ", or let " + k.copyWith + " write into memory of yours"
		}
	}
	return strings.NewReplacer("WHAT", l.what, "OWNER", owner, "END", until, "COPY", by).Replace(hint)
}

// label says whether what memcheck says about the memory matches.
func label(text string) func(account) bool {
	re := regexp.MustCompile(text)
	return func(a account) bool {
		return slices.ContainsFunc(a.sections, func(s valgrind.Section) bool { return re.MatchString(s.Text.Text) })
	}
}

// message says whether the message matches.
func message(text string) func(account) bool {
	re := regexp.MustCompile(text)
	return func(a account) bool { return re.MatchString(a.message) }
}

func both(f, g func(account) bool) func(account) bool {
	return func(a account) bool { return f(a) && g(a) }
}

func not(f func(account) bool) func(account) bool { return func(a account) bool { return !f(a) } }

// inGo says whether it was Go code that read or wrote.
func inGo(a account) bool {
	return len(a.sections) > 0 && len(a.sections[0].Stack) > 0 && frames.GoPackage(a.sections[0].Stack[0].Function) != ""
}
