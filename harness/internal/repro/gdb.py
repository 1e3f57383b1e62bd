# Commands for gdb that cgogrind repro --gdb and --core load: the prefix command "cgogrind". Frames of C and Go are in
# one stack: the instrumented runtime puts a copy of the goroutine's stack below each call to C, and for the stock one
# there is stacks.py, which comes before this in the file that gdb loads.

import os
import signal
import struct

import gdb

FILE = os.environ.get("CGOGRIND_GDB_FILE", "")  # of the blamed line
LINE = int(os.environ.get("CGOGRIND_GDB_LINE") or 0)
ADDRESS = os.environ.get("CGOGRIND_GDB_ADDRESS", "")  # that memcheck complained about
STATUS = os.environ.get("CGOGRIND_GDB_STATUS", "")
SIGNAL = os.environ.get("CGOGRIND_GDB_SIGNAL", "")  # of a core dump, where the kernel says it
CORE = os.environ.get("CGOGRIND_GDB_CORE", "")  # the file
FAULT = os.environ.get("CGOGRIND_GDB_FAULT", "")  # its address
MEMCHECK = os.environ.get("CGOGRIND_GDB_MEMCHECK") == "1"


class Command(gdb.Command):
    """A command whose errors are told in a line: of any other exception than gdb.GdbError gdb shows where the script is."""

    def invoke(self, arg, _tty):
        try:
            self.do(arg)
        except gdb.GdbError:
            raise
        except Exception as e:
            raise gdb.GdbError(str(e) or type(e).__name__)


def attempt(name, function, *args):
    """Calls a function; what is wrong is said, and what comes after it is done all the same."""
    try:
        return function(*args)
    except Exception as e:
        print("%s: %s" % (name, str(e) or type(e).__name__))
        return None


def run(command):
    """Runs a command of gdb, and says what is wrong with it instead of ending the script."""
    attempt(command, gdb.execute, command)


def ask(request):
    """Asks memcheck. Its answers would go to standard error."""
    attempt(request, lambda: print(gdb.execute("monitor " + request, to_string=True), end=""))


def title(text):
    print("\n== %s" % text)


def place(frame):
    sal = frame.find_sal()
    if sal is None or sal.symtab is None:
        return "", 0
    return sal.symtab.fullname(), sal.line


def is_go(frame):
    """Whether a frame is of Go code, where a fault becomes a panic. The C code of a cgo file has a Go file's name, too."""
    sal = frame.find_sal()
    if sal is not None and sal.symtab is not None and sal.symtab.producer:
        return sal.symtab.producer.startswith("Go ")
    # Assembly of Go's runtime: runtime.memmove.
    return (frame.name() or "").startswith(("runtime.", "internal/"))


def select_blamed():
    """Selects the frame of the blamed line; without one, the innermost whose source can be read."""
    readable = None
    for frame in frames():
        file, line = place(frame)
        if FILE and os.path.basename(file) == os.path.basename(FILE) and line == LINE:
            frame.select()
            return True
        if readable is None and os.path.exists(file) and not (frame.name() or "").startswith(("runtime.", "testing.")):
            readable = frame
    (readable or gdb.newest_frame()).select()
    return False


def show_source(file, line):
    """Prints the lines around one. gdb's own list fails in cgo's files, which are in two units, one of C and one of Go."""
    try:
        with open(file, errors="replace") as f:
            text = f.read().splitlines()
    except OSError:
        return
    for n in range(max(line - 4, 1), min(line + 4, len(text)) + 1):
        print("%s%d\t%s" % (">" if n == line else " ", n, text[n - 1]))


def address_of(text):
    """The address and size that an argument means: of an expression that can have one, else its value."""
    if not text:
        raise gdb.GdbError("Argument required (expression to compute).")
    value = gdb.parse_and_eval(text)
    if value.address is not None and value.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        return int(value.address), value.type.sizeof
    return int(value), 1


def expression_and_length(text):
    """The address and size that the arguments EXPRESSION [LENGTH] mean."""
    words = gdb.string_to_argv(text)
    if not words:
        raise gdb.GdbError("Argument required (expression to compute).")
    address, size = address_of(words[0])
    if len(words) > 1:
        size = int(gdb.parse_and_eval(words[1]))  # no cast: Go has no type long, and C no int64
    return address, size


def write_status(text):
    """Tells cgogrind how it went."""
    if STATUS:
        with open(STATUS, "w") as f:
            f.write(text)


class Prefix(gdb.Command):
    """What cgogrind knows of the stopped program: cgogrind where, bits, block, points, reachable."""

    def __init__(self):
        super().__init__("cgogrind", gdb.COMMAND_STATUS, prefix=True)


class Where(Command):
    """Print the C and Go frames and the goroutines, and select the frame of the blamed line."""

    def __init__(self):
        super().__init__("cgogrind where", gdb.COMMAND_STACK)

    def do(self, _arg):
        if gdb.selected_thread() is None:
            return  # the program has ended
        title("stack: C, and below it the Go code that called it")
        be_careful()
        attempt("bt", print_stack)
        blamed = attempt("frame", select_blamed)
        title("the blamed line" if blamed else "the innermost line whose source is here")
        run("frame")
        attempt("list", lambda: show_source(*place(gdb.selected_frame())))
        title("its arguments and variables")
        run("info args")
        run("info locals")
        title("goroutines (* runs; %sgoroutine N%s shows one's stack)" % (("cgogrind ", "") if CORE else ("", " bt")))
        run("info goroutines")


class Block(Command):
    """cgogrind block ADDRESS: which block the address is in, who allocated and who freed it."""

    def __init__(self):
        super().__init__("cgogrind block", gdb.COMMAND_DATA)

    def do(self, arg):
        address, size = address_of(arg)
        ask("check_memory addressable 0x%x %d" % (address, size))


class Bits(Command):
    """cgogrind bits EXPRESSION [LENGTH]: which bits are defined, 0 for a defined one and __ for memory out of bounds."""

    def __init__(self):
        super().__init__("cgogrind bits", gdb.COMMAND_DATA)

    def do(self, arg):
        address, size = expression_and_length(arg)
        ask("get_vbits 0x%x %d" % (address, size))


class Points(Command):
    """cgogrind points ADDRESS [LENGTH]: where pointers to it are."""

    def __init__(self):
        super().__init__("cgogrind points", gdb.COMMAND_DATA)

    def do(self, arg):
        address, size = expression_and_length(arg)
        ask("who_points_at 0x%x %d" % (address, size))


class Reachable(Command):
    """cgogrind reachable: the blocks that are in use now, reachable and lost ones; monitor block_list N lists one record."""

    def __init__(self):
        super().__init__("cgogrind reachable", gdb.COMMAND_DATA)

    def do(self, _arg):
        ask("leak_check full reachable any limited 20")


class Memory(Command):
    """What memcheck knows of the address that it complained about."""

    def __init__(self):
        super().__init__("cgogrind memory", gdb.COMMAND_DATA)

    def do(self, _arg):
        if ADDRESS:
            title("memcheck about the address %s (cgogrind block)" % ADDRESS)
            run("cgogrind block " + ADDRESS)
            title("defined bits there (cgogrind bits)")
            run("cgogrind bits %s 16" % ADDRESS)
            title("pointers to it (cgogrind points)")
            run("cgogrind points %s" % ADDRESS)


class Start(Command):
    """cgogrind start: run the program up to a signal that the C code got. What Go turns into a panic is left to it."""

    def __init__(self):
        super().__init__("cgogrind start", gdb.COMMAND_RUNNING)

    def do(self, _arg):
        stops = []

        def stopped(event):
            stops.append(event)

        def exited(event):
            stops.append(event)

        gdb.events.stop.connect(stopped)
        gdb.events.exited.connect(exited)
        command = "run"
        while True:
            del stops[:]
            gdb.execute(command)
            last = stops[-1] if stops else None
            if isinstance(last, gdb.SignalEvent):
                if last.stop_signal in FAULTS and is_go(gdb.newest_frame()):
                    command = "continue"  # it is passed on: Go panics
                    continue
                write_status("signal " + last.stop_signal)
            elif isinstance(last, gdb.ExitedEvent):
                write_status("exited %d" % getattr(last, "exit_code", -1))
            break
        gdb.events.stop.disconnect(stopped)
        gdb.events.exited.disconnect(exited)


FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE")


class Core(Command):
    """cgogrind core: what a core dump tells of the signal, the goroutine and the test."""

    def __init__(self):
        super().__init__("cgogrind core", gdb.COMMAND_STATUS)

    def do(self, _arg):
        for line in gdb.execute("core-file " + CORE, to_string=True).splitlines():
            if "arning: " in line:  # what else it says is said better below
                print(line)
        be_careful()
        threads = sorted(gdb.selected_inferior().threads(), key=lambda t: t.num)
        if not threads:
            raise gdb.GdbError("%s has no threads: is it a core dump of this program?" % CORE)
        crashes = [(thread, crash_in(thread)) for thread in threads]
        # With GOTRACEBACK=crash Go sends SIGQUIT from thread to thread, so that each tells its stack.
        struck = [c for c in crashes if c[1] is not None and c[1][1] != "SIGQUIT"]
        thread, crash = struck[0] if struck else (threads[0], None)
        thread.switch()
        gdb.invalidate_cached_frames()
        stacks.first, name, address = crash or (0, SIGNAL, FAULT)
        innermost = next(frames())
        if is_go(innermost) and "raise" in (innermost.name() or ""):
            print("== %s, which Go's runtime sent itself: it prints the reason before it does" % name)
        elif name:
            print("== %s%s" % (name, " at the address " + address if address else ""))
        else:
            print("== no signal: somebody took the core dump of a program that ran on")
        attempt("test", self.test)
        run("cgogrind where")

    @staticmethod
    def test():
        test, m = test_in(frames()), machine_of(gdb.selected_thread())
        title("the test, and its goroutine")
        goroutine, started = 0, ""
        if m is not None and int(m["curg"]) != 0 and int(m["curg"]["startpc"]) != 0:  # not one that C's threads borrow
            goroutine = int(m["curg"]["goid"])
            if not test:
                test, started = ancestors_test(m["curg"])
        spec = ginkgo_spec()
        running = list(running_tests())
        innermost = [n for n, _ in running if not any(other.startswith(n + "/") for other, _ in running)]
        only = not test and len(innermost) == 1
        if only:
            test = innermost[0]
        write_status("test " + test)
        if test:
            print("test %s%s%s" % (test, ", the Ginkgo spec " + spec if spec else "", ": no other ran" if only else ""))
        else:
            print("no test called this, as far as can be seen")
        if goroutine:
            print("goroutine %d%s" % (goroutine, ", " + started if started else ""))
        else:
            print("no goroutine: a thread of C's or of Go's runtime")
        for other, goroutine in running:
            if other != test:
                print("meanwhile: test %s, goroutine %d" % (other, goroutine))


class Goroutine(Command):
    """cgogrind goroutine N: the stack of a goroutine that does not run. In a core dump Go's own goroutine N bt cannot."""

    def __init__(self):
        super().__init__("cgogrind goroutine", gdb.COMMAND_STACK)

    def do(self, arg):
        number, _ = address_of(arg)
        for g, status in goroutines():
            if int(g["goid"]) == number:
                for frame in stack_of(g, status):
                    file, line = place(frame)
                    print("%s at %s:%d" % (frame.name() or "0x%x" % frame.pc(), file, line))
                print("started by " + place_at(int(g["gopc"]) - 1))


def crash_in(thread):
    """The signal that a thread handles: the frame that it struck, its name and address; None if it handles none."""
    thread.switch()
    found = None
    for frame in raw_frames():
        try:
            if frame.type() == gdb.SIGTRAMP_FRAME and frame.older() is not None:
                info = int(frame.read_register("sp")) + UCONTEXT
                number, _, code = struct.unpack("<iii", gdb.selected_inferior().read_memory(info, 12).tobytes())
                address = "0x%x" % word(info + 16) if code > 0 else ""  # others were sent
                found = frame.older().level(), signal_name(number), address
        except (gdb.error, gdb.MemoryError):  # the dump lacks this part of the stack
            continue
    return found


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:  # one between SIGRTMIN and SIGRTMAX
        return "signal %d" % number


UCONTEXT = 304  # bytes of the kernel's struct ucontext on amd64, which siginfo comes after

Prefix()
Where()
Goroutine()
if CORE:
    Core()
elif MEMCHECK:
    Block()
    Bits()
    Points()
    Reachable()
    Memory()
else:
    Start()
