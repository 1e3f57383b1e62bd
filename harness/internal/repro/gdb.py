# Commands for gdb that cgogrind repro --gdb loads: the prefix command "cgogrind". Frames of C and Go are in one stack, as
# the instrumented runtime puts a copy of the goroutine's stack below each call to C.

import os

import gdb

FILE = os.environ.get("CGOGRIND_GDB_FILE", "")  # of the blamed line
LINE = int(os.environ.get("CGOGRIND_GDB_LINE") or 0)
ADDRESS = os.environ.get("CGOGRIND_GDB_ADDRESS", "")  # that memcheck complained about
STATUS = os.environ.get("CGOGRIND_GDB_STATUS", "")
MEMCHECK = os.environ.get("CGOGRIND_GDB_MEMCHECK") == "1"


def run(command):
    """Runs a command of gdb, and says what is wrong with it instead of ending the script."""
    try:
        gdb.execute(command)
    except (gdb.error, gdb.MemoryError) as e:
        print("%s: %s" % (command, e))


def ask(request):
    """Asks memcheck. Its answers would go to standard error."""
    try:
        print(gdb.execute("monitor " + request, to_string=True), end="")
    except gdb.error as e:
        print("%s: %s" % (request, e))


def title(text):
    print("\n== %s" % text)


def frames():
    frame = gdb.newest_frame()
    while frame is not None:
        yield frame
        try:
            frame = frame.older()
        except gdb.error:
            return


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
        if readable is None and file and os.path.exists(file):
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
    try:
        value = gdb.parse_and_eval(text)
    except gdb.error as e:
        raise gdb.GdbError(str(e))
    if value.address is not None and value.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        return int(value.address), value.type.sizeof
    return int(value), 1


class Cgogrind(gdb.Command):
    """What cgogrind knows of the stopped program: cgogrind where, bits, block, points, reachable."""

    def __init__(self):
        super().__init__("cgogrind", gdb.COMMAND_STATUS, prefix=True)


class Where(gdb.Command):
    """Print the C and Go frames and the goroutines, and select the frame of the blamed line."""

    def __init__(self):
        super().__init__("cgogrind where", gdb.COMMAND_STACK)

    def invoke(self, _arg, _tty):
        if gdb.selected_thread() is None:
            return  # the program has ended
        title("stack: C, and below it the Go code that called it")
        run("bt")
        blamed = select_blamed()
        title("the blamed line" if blamed else "the innermost line whose source is here")
        run("frame")
        show_source(*place(gdb.selected_frame()))
        title("its arguments and variables")
        run("info args")
        run("info locals")
        title("goroutines (* runs; goroutine N bt shows one's stack)")
        run("info goroutines")


class Block(gdb.Command):
    """cgogrind block ADDRESS: which block the address is in, who allocated and who freed it."""

    def __init__(self):
        super().__init__("cgogrind block", gdb.COMMAND_DATA)

    def invoke(self, arg, _tty):
        address, size = address_of(arg)
        ask("check_memory addressable 0x%x %d" % (address, size))


class Bits(gdb.Command):
    """cgogrind bits EXPRESSION [LENGTH]: which bits are defined, 0 for a defined one and __ for memory out of bounds."""

    def __init__(self):
        super().__init__("cgogrind bits", gdb.COMMAND_DATA)

    def invoke(self, arg, _tty):
        words = gdb.string_to_argv(arg)
        address, size = address_of(words[0])
        if len(words) > 1:
            size = int(words[1], 0)
        ask("get_vbits 0x%x %d" % (address, size))


class Points(gdb.Command):
    """cgogrind points ADDRESS [LENGTH]: where pointers to it are."""

    def __init__(self):
        super().__init__("cgogrind points", gdb.COMMAND_DATA)

    def invoke(self, arg, _tty):
        words = gdb.string_to_argv(arg)
        address, size = address_of(words[0])
        if len(words) > 1:
            size = int(words[1], 0)
        ask("who_points_at 0x%x %d" % (address, size))


class Reachable(gdb.Command):
    """cgogrind reachable: the blocks that are in use now, reachable and lost ones; monitor block_list N lists one record."""

    def __init__(self):
        super().__init__("cgogrind reachable", gdb.COMMAND_DATA)

    def invoke(self, _arg, _tty):
        ask("leak_check full reachable any limited 20")


class Memory(gdb.Command):
    """What memcheck knows of the address that it complained about."""

    def __init__(self):
        super().__init__("cgogrind memory", gdb.COMMAND_DATA)

    def invoke(self, _arg, _tty):
        if ADDRESS:
            title("memcheck about the address %s (cgogrind block)" % ADDRESS)
            run("cgogrind block " + ADDRESS)
            title("defined bits there (cgogrind bits)")
            run("cgogrind bits %s 16" % ADDRESS)
            title("pointers to it (cgogrind points)")
            run("cgogrind points %s" % ADDRESS)


class Start(gdb.Command):
    """cgogrind start: run the program up to a signal that the C code got. What Go turns into a panic is left to it."""

    def __init__(self):
        super().__init__("cgogrind start", gdb.COMMAND_RUNNING)

    def invoke(self, _arg, _tty):
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
                self.status("signal " + last.stop_signal)
            elif isinstance(last, gdb.ExitedEvent):
                self.status("exited %d" % getattr(last, "exit_code", -1))
            break
        gdb.events.stop.disconnect(stopped)
        gdb.events.exited.disconnect(exited)

    @staticmethod
    def status(text):
        if STATUS:
            with open(STATUS, "w") as f:
                f.write(text)


FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE")

Cgogrind()
Where()
if MEMCHECK:
    Block()
    Bits()
    Points()
    Reachable()
    Memory()
else:
    Start()
