package memcheck

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestDescriptorLimits(t *testing.T) {
	for _, c := range []struct{ hard, soft, newHard uint64 }{
		{64, 52, 64},
		{256, 244, 256},
		{1024, 1012, 1024},
		{20000, 19988, 20000},
		{65548, 65536, 65548},
		{65549, 65536, 65548},
		{1 << 20, 65536, 65548},
		{1<<30 + 8, 65536, 65548},
		{^uint64(0), 65536, 65548}, // RLIM_INFINITY
	} {
		soft, hard, err := descriptorLimits(c.hard)
		if err != nil || soft != c.soft || hard != c.newHard {
			t.Errorf("descriptorLimits(%d) = %d, %d, %v; want %d, %d", c.hard, soft, hard, err, c.soft, c.newHard)
		}
	}
	for _, hard := range []uint64{0, 16, 63} {
		if _, _, err := descriptorLimits(hard); err == nil || !strings.Contains(err.Error(), "ulimit -n") {
			t.Errorf("descriptorLimits(%d): %v, want an error with the remedy", hard, err)
		}
	}
}

const printLimits = `#include <stdio.h>
#include <sys/resource.h>
int main() {
	struct rlimit r;
	getrlimit(RLIMIT_NOFILE, &r); printf("%lu %lu ", (unsigned long)r.rlim_cur, (unsigned long)r.rlim_max);
	getrlimit(RLIMIT_CORE, &r); printf("%lu\n", (unsigned long)r.rlim_cur);
	return 0;
}`

// TestDescriptorLimitOfProgram runs itself again under lower limits, and a program under memcheck there.
func TestDescriptorLimitOfProgram(t *testing.T) {
	if exe := os.Getenv("MEMCHECK_TEST_LIMITS"); exe != "" {
		c := command(t, exe)
		c.Stdout = os.Stderr
		run(t, c)
		return
	}
	need(t)
	exe := program(t, printLimits)
	hard, err := hardDescriptorLimit()
	if err != nil {
		t.Fatal(err)
	}
	limits := []string{strconv.FormatUint(hard, 10), "4096", "256", "64"}
	for _, limit := range limits {
		// The soft limit is low where the hard one permits more.
		soft := min(hard, 128)
		if n, _ := strconv.ParseUint(limit, 10, 64); n < soft {
			soft = n
		}
		var out bytes.Buffer
		cmd := exec.Command("/bin/sh", "-c", `ulimit -S -n "$1" && ulimit -H -n "$2" && exec "$0" -test.run=^TestDescriptorLimitOfProgram$ -test.count=1`,
			os.Args[0], strconv.FormatUint(soft, 10), limit)
		cmd.Env = append(os.Environ(), "MEMCHECK_TEST_LIMITS="+exe)
		cmd.Stderr = &out
		if stdout, err := cmd.Output(); err != nil {
			t.Errorf("limit %s: %v\n%s%s", limit, err, stdout, out.Bytes())
			continue
		}
		n, _ := strconv.ParseUint(limit, 10, 64)
		want := strconv.FormatUint(min(n-valgrindDescriptors, maxDescriptors), 10)
		if got := strings.Fields(out.String()); len(got) != 3 || got[0] != want || got[1] != want || got[2] != "0" {
			t.Errorf("limit %s: the program sees %v, want %s descriptors, soft and hard, and no core dumps", limit, got, want)
		}
	}
}

// TestLauncherSetsLimits checks what valgrind itself gets.
func TestLauncherSetsLimits(t *testing.T) {
	argv := launcher(500, 512, []string{"/bin/sh", "-c", `ulimit -S -n; ulimit -H -n; ulimit -S -c; echo "$0 $1"`, "a b", "c'd"})
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil || string(out) != "500\n512\n0\na b c'd\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestLauncherFails(t *testing.T) {
	c := command(t, "/bin/true")
	argv := launcher(10, 1<<60, []string{c.Valgrind.Path})
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	var got complaints
	got.write(out)
	got.endLine()
	if err == nil || len(got.found) != 1 || got.found[0].Kind != StartupFailed {
		t.Errorf("%v: %s%+v; want a complaint about the start", err, out, got.found)
	}
}
