package rados_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/coverage"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// coverageDir is the folder into which each spec's coverage goes, or empty: see package coverage, which sets it.
var coverageDir = os.Getenv("CGOGRIND_SCENARIOS_COVERAGE")

var _ = ReportBeforeEach(func(SpecReport) {
	if coverageDir != "" {
		Expect(coverage.ClearCounters()).To(Succeed())
	}
})

// Each spec has a folder of its own, with a file that names it.
var _ = ReportAfterEach(func(report SpecReport) {
	if coverageDir == "" {
		return
	}
	dir := filepath.Join(coverageDir, fmt.Sprint(report.StartTime.UnixNano()))
	Expect(os.Mkdir(dir, 0o700)).To(Succeed())
	Expect(coverage.WriteMetaDir(dir)).To(Succeed())
	Expect(coverage.WriteCountersDir(dir)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(dir, "spec"), []byte(report.FullText()), 0o600)).To(Succeed())
})
