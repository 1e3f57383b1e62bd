# What gdb is taught about Go before the commands in gdb.py: how a stack crosses from C to Go, goroutines, and the tests
# that they run. It reads memory only, so that it works on core dumps, too.
#
# runtime.asmcgocall leaves the goroutine's stack for the thread's, and gdb, which goes by Go's SP-relative tables, is
# lost there. An unwinder takes it back onto the goroutine's stack. gdb refuses a frame whose stack lies below its caller's,
# with one exception, made for gcc's -fsplit-stack: a function named __morestack. So there is one, at an address that no
# program has, between the two stacks.

import os
import re
import struct

import gdb
from gdb.unwinder import Unwinder

NOWHERE = 0x800000000000  # the first address that is not canonical
CROSSING = NOWHERE + 8


def add_crossing():
    """Tells gdb of the function __morestack, with the smallest object file that has one."""
    names = b"\0.text\0.symtab\0.strtab\0"
    strings = b"\0__morestack\0"
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 0, 16)  # a global function in section 1
    text = bytes(16)
    body = text + symbols + strings + names
    body += bytes(-len(body) % 8)

    def section(name, kind, flags, offset, size, link=0, info=0, entry=0):
        return struct.pack("<IIQQQQIIQQ", name, kind, flags, 0, 64 + offset, size, link, info, 8, entry)

    at_strings = len(text) + len(symbols)
    sections = (
        bytes(64)
        + section(1, 1, 6, 0, len(text))
        + section(7, 2, 0, len(text), len(symbols), link=3, info=1, entry=24)
        + section(15, 3, 0, at_strings, len(strings))
        + section(15, 3, 0, at_strings + len(strings), len(names))
    )
    header = b"\x7fELF\2\1\1" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, 64 + len(body), 0, 64, 0, 0, 64, 5, 4)
    file = os.path.join(os.path.dirname(__file__), "cgogrind-crossing.o")
    with open(file, "wb") as f:
        f.write(header + body + sections)
    gdb.execute("add-symbol-file %s -s .text 0x%x" % (file, NOWHERE), to_string=True)


def word(address):
    return struct.unpack("<Q", gdb.selected_inferior().read_memory(address, 8).tobytes())[0]


def unsigned(n):
    """A word, whatever the language of the program: Go has no type unsigned long."""
    architecture = gdb.selected_inferior().architecture()
    if not hasattr(architecture, "integer_type"):  # before gdb 12
        return gdb.Value(n).cast(gdb.lookup_type("unsigned long"))
    return gdb.Value(struct.pack("<Q", n), architecture.integer_type(64, False))


def function_at(pc):
    """The name of the function that an address is in, as far as there is debugging information; else empty."""
    try:
        block = gdb.block_for_pc(pc) if pc > 0 else None
    except (gdb.error, RuntimeError, OverflowError):  # it is in no file with debugging information, or no address
        return ""
    while block is not None and block.function is None:
        block = block.superblock
    return block.function.name if block is not None else ""


class Careful:
    """A pretty-printer around one of Go's: those expect that memory is as Go left it, and end in an exception where it is not."""

    def __init__(self, printer):
        self.printer = printer
        if hasattr(printer, "display_hint"):
            self.display_hint = printer.display_hint
        if hasattr(printer, "children"):
            self.children = self.careful_children

    def to_string(self):
        try:
            return self.printer.to_string()
        except Exception as e:
            return "<%s>" % e

    def careful_children(self):
        try:
            yield from self.printer.children()
        except Exception:
            return


def careful(lookup):
    def look_up(value):
        try:
            printer = lookup(value)
        except Exception:
            return None
        return Careful(printer) if hasattr(printer, "to_string") else printer

    look_up.is_careful = True
    return look_up


def be_careful():
    """Puts each pretty-printer that Go's script has made inside a careful one."""
    for file in gdb.objfiles():
        file.pretty_printers = [p if hasattr(p, "is_careful") or hasattr(p, "subprinters") else careful(p) for p in file.pretty_printers]


class FrameID:
    def __init__(self, sp, pc):
        self.sp, self.pc = unsigned(sp), unsigned(pc)


class GoroutineStacks(Unwinder):
    """Continues on the goroutine's stack below the frame in which the runtime left it."""

    def __init__(self):
        super().__init__("cgogrind")
        self.beyond = {}  # the registers of the goroutine, by the stack pointer of the crossing
        self.instead = None  # registers of a goroutine to show in the place of the thread's callers
        self.first = 0  # the level of the first frame that matters: below the handler of a signal

    def __call__(self, pending):
        try:
            return self.unwind(pending)
        except Exception:  # it is not what it looks like; gdb would print any exception in the middle of the stack
            return None

    def unwind(self, pending):
        pc, sp, bp = (int(pending.read_register(r)) for r in ("pc", "sp", "rbp"))
        if pc == CROSSING:
            return self.go_on(pending, 8, pc, self.beyond[sp])
        registers = None
        if self.instead is not None:
            registers, self.instead = self.instead, None
        elif function_at(pc - 1) in ("runtime.asmcgocall", "runtime.asmcgocall.abi0") and not MIRRORED:
            registers = self.caller(sp, bp)
        elif function_at(pc - 1) in ("runtime.systemstack", "runtime.systemstack.abi0"):
            m = machine_of(gdb.selected_thread())
            if m is not None and int(m["curg"]) != 0:
                registers = saved(m["curg"]["sched"])
        if registers is None:
            return None
        crossing = sp + 16
        self.beyond[crossing] = registers
        return self.go_on(pending, crossing, pc, (CROSSING, crossing, bp))

    @staticmethod
    def caller(sp, bp):
        """The caller of asmcgocall, which has saved g and the depth of the goroutine's stack at its end."""
        depth, g = word(sp), word(sp + 8)
        low, high = word(g), word(g + 8)
        own = high - depth
        if g == 0 or not low <= own < high:
            return None
        pc = word(own)
        if function_at(pc):
            return pc, own + 8, bp
        return word(own + 8), own + 16, pc  # it has saved the frame pointer, too

    @staticmethod
    def go_on(pending, frame_sp, frame_pc, registers):
        info = pending.create_unwind_info(FrameID(frame_sp, frame_pc))
        for name, value in zip(("pc", "sp", "rbp"), registers):
            info.add_saved_register(name, unsigned(value))
        return info


def raw_frames():
    """The frames of the selected thread."""
    frame = gdb.newest_frame()
    while frame is not None:
        yield frame
        try:
            frame = frame.older()
        except gdb.error:
            return


def frames():
    """The frames of the selected thread, from the first that matters."""
    for frame in raw_frames():
        if frame.pc() not in (0, CROSSING) and frame.level() >= stacks.first:
            yield frame


def print_stack():
    """The backtrace without the crossing. A frame filter would do for plain bt, too, but gdb loses frames' numbers then."""
    last = 0
    for line in gdb.execute("bt", to_string=True).splitlines():
        level = re.match("#([0-9]+) ", line)
        last = last if level is None else int(level[1])  # a frame may have more than one line
        if last >= stacks.first and "in __morestack ()" not in line and "0x0000000000000000 in ?? ()" not in line:
            print(line)


def text_of(string):
    """A string of Go's."""
    n = int(string["len"])
    return string["str"].string("utf-8", "replace", n) if n else ""


def machines():
    m = gdb.parse_and_eval("'runtime.allm'")
    while int(m) != 0:
        yield m
        m = m["alllink"]


def machine_of(thread):
    for m in machines():
        if int(m["procid"]) == thread.ptid[1]:
            return m
    return None


IDLE, RUNNING, SYSCALL, DEAD, DEAD_EXTRA, SCAN = 0, 2, 3, 6, 11, 0x1000  # states, in $GOROOT/src/runtime/runtime2.go


def goroutines():
    """The goroutines and their states."""
    all_of_them = gdb.parse_and_eval("'runtime.allgs'")
    for i in range(int(all_of_them["len"])):
        g = (all_of_them["array"] + i).dereference()
        status = int(g["atomicstatus"]["value"]) & ~SCAN
        if status not in (IDLE, DEAD, DEAD_EXTRA):
            yield g, status


def saved(gobuf):
    return int(gobuf["pc"]), int(gobuf["sp"]), int(gobuf["bp"])


def stack_of(g, status):
    """The frames of a goroutine that is not on a processor."""
    if status == RUNNING:
        return
    registers = saved(g["sched"])
    if status == SYSCALL:
        registers = int(g["syscallpc"]), int(g["syscallsp"]), int(g["syscallbp"])
    stacks.instead = registers
    gdb.invalidate_cached_frames()
    try:
        frame, crossed = gdb.newest_frame(), False
        while frame is not None and frame.pc() != 0:
            if crossed:
                yield frame
            crossed = crossed or frame.pc() == CROSSING
            frame = frame.older()
    except gdb.error:
        return
    finally:
        stacks.instead = None
        gdb.invalidate_cached_frames()


# The functions of testing that call what the user wrote, with the variable that has the name.
RUNNERS = {
    "testing.tRunner": lambda f: f.read_var("t")["common"]["name"],
    "testing.fRunner": lambda f: f.read_var("f")["common"]["name"],
    "testing.runExample": lambda f: f.read_var("eg")["Name"],
}


def test_in(stack):
    """The name of the test that runs in a stack; empty if none does."""
    before = ""
    for frame in stack:
        name = frame.name() or ""
        if name in RUNNERS:
            try:
                return text_of(RUNNERS[name](frame))
            except Exception:  # it is optimized out, or the memory is gone
                return before  # the name of its function
        before = name.rsplit(".", 1)[-1]
    return ""


def ancestors_test(g):
    """The test in which a goroutine was started, and where, for people."""
    by_id = {int(g["goid"]): (g, status) for g, status in goroutines()}
    started = ""
    for _ in range(100):
        started = started or "started by " + place_at(int(g["gopc"]) - 1)
        parent = int(g["parentGoid"])
        if parent not in by_id:
            return "", started + " in goroutine %d, which has ended" % parent
        g, status = by_id[parent]
        test = test_in(stack_of(g, status))
        if test:
            return test, started
    return "", started


def place_at(pc):
    if pc <= 0:
        return "C code"
    sal = gdb.find_pc_line(pc)
    name = function_at(pc) or "0x%x" % pc
    return "%s (%s:%d)" % (name, sal.symtab.filename, sal.line) if sal.symtab else name


def running_tests():
    """The tests that have begun and not ended, with their goroutines."""
    for g, status in goroutines():
        if function_at(int(g["startpc"])).startswith("testing."):
            test = test_in(stack_of(g, status))
            if test:
                yield test, int(g["goid"])


def ginkgo_spec():
    """The text of the Ginkgo spec that runs; empty if none does, or there is no Ginkgo."""
    try:
        report = gdb.parse_and_eval("'github.com/onsi/ginkgo/v2/internal/global.Suite'")["currentSpecReport"]
        texts = report["ContainerHierarchyTexts"]
        parts = [text_of((texts["array"] + i).dereference()) for i in range(int(texts["len"]))]
        return " ".join(parts + [text_of(report["LeafNodeText"])]).strip()
    except Exception:  # there is no Ginkgo, or it is another one
        return ""


# The instrumented runtime puts a copy of the goroutine's stack where gdb looks for it.
MIRRORED = gdb.lookup_static_symbol("runtime.cgogrindCall") is not None or bool(
    gdb.lookup_global_symbol("runtime.cgogrindCall")
)
add_crossing()
stacks = GoroutineStacks()
gdb.unwinder.register_unwinder(None, stacks, True)
