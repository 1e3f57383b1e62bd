// Package templates checks the templates for CI systems: their format with each system's own types or linter, and their
// commands by running them on a small module. It is a module of its own, as nothing else needs what it needs.
package templates

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func strict(t *testing.T, text []byte, v any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(text, v); err != nil {
		t.Fatal(err)
	}
}

// action is what a composite action may have: actionlint checks workflows, and how they call the action.
// https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
type action struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Inputs      map[string]struct {
		Description string `json:"description"`
		Default     string `json:"default"`
		Required    bool   `json:"required"`
	} `json:"inputs"`
	Outputs map[string]struct {
		Description string `json:"description"`
		Value       string `json:"value"`
	} `json:"outputs"`
	Runs struct {
		Using string `json:"using"`
		Steps []step `json:"steps"`
	} `json:"runs"`
}

type step struct {
	Name  string            `json:"name"`
	ID    string            `json:"id"`
	If    string            `json:"if"`
	Uses  string            `json:"uses"`
	With  map[string]string `json:"with"`
	Shell string            `json:"shell"`
	Env   map[string]string `json:"env"`
	Run   string            `json:"run"`
}

func githubAction(t *testing.T) action {
	t.Helper()
	var a action
	strict(t, read(t, "github/actions/cgogrind/action.yml"), &a)
	return a
}

// run returns a step's commands, with the expressions in its environment.
func (a action) run(t *testing.T, name string) step {
	t.Helper()
	i := slices.IndexFunc(a.Runs.Steps, func(s step) bool { return s.Name == name })
	if i < 0 || a.Runs.Steps[i].Run == "" {
		t.Fatalf("the action has no step %s with commands", name)
	}
	return a.Runs.Steps[i]
}

// TestActionlint checks the workflow as it is in a repository that copied the templates.
func TestActionlint(t *testing.T) {
	repo := t.TempDir()
	if err := os.CopyFS(filepath.Join(repo, ".github"), os.DirFS("../github")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "-C", repo, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("git: %v\n%s", err, out)
	}
	lint := func() []*actionlint.Error {
		var out bytes.Buffer
		opts := actionlint.LinterOptions{Color: actionlint.ColorOptionKindNever}
		if path, err := exec.LookPath("shellcheck"); err == nil {
			opts.Shellcheck = path
		}
		l, err := actionlint.NewLinter(&out, &opts)
		if err != nil {
			t.Fatal(err)
		}
		errs, err := l.LintRepository(repo)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(out.String())
		return errs
	}
	if errs := lint(); len(errs) > 0 {
		t.Errorf("%d complaints", len(errs))
	}
	// A check that cannot fail would be none.
	name := filepath.Join(repo, ".github/workflows/cgogrind.yml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("shard: ${{ matrix.shard }}/"), []byte("part: ${{ matrix.part }}/"), 1)
	if err := os.WriteFile(name, text, 0o666); err != nil {
		t.Fatal(err)
	}
	if errs := lint(); len(errs) < 2 {
		t.Errorf("%d complaints of an input and a property that do not exist", len(errs))
	}
}

func TestAction(t *testing.T) {
	a := githubAction(t)
	if a.Runs.Using != "composite" || a.Name == "" || a.Description == "" {
		t.Errorf("%+v", a)
	}
	input := regexp.MustCompile(`inputs\.([a-z-]+)`)
	for _, s := range a.Runs.Steps {
		if s.Run != "" && s.Shell != "bash" {
			t.Errorf("step %s: a composite action has to name the shell", s.Name)
		}
		if strings.Contains(s.Run, "${{") {
			t.Errorf("step %s: an expression in a script can inject commands: hand it on in the environment", s.Name)
		}
		texts := []string{s.If}
		for _, v := range s.Env {
			texts = append(texts, v)
		}
		for _, m := range input.FindAllStringSubmatch(strings.Join(texts, " "), -1) {
			if _, ok := a.Inputs[m[1]]; !ok {
				t.Errorf("step %s: there is no input %s", s.Name, m[1])
			}
		}
	}
}

// gitlab is what the template uses. https://docs.gitlab.com/ci/yaml/
type gitlabJob struct {
	Image     string            `json:"image"`
	Variables map[string]string `json:"variables"`
	Cache     struct {
		Key struct {
			Prefix string   `json:"prefix"`
			Files  []string `json:"files"`
		} `json:"key"`
		Paths []string `json:"paths"`
	} `json:"cache"`
	Extends   string   `json:"extends"`
	Stage     string   `json:"stage"`
	Parallel  int      `json:"parallel"`
	When      string   `json:"when"`
	Needs     []string `json:"needs"`
	Script    []string `json:"script"`
	Artifacts struct {
		When     string   `json:"when"`
		Paths    []string `json:"paths"`
		ExpireIn string   `json:"expire_in"`
		Reports  struct {
			JUnit string `json:"junit"`
		} `json:"reports"`
	} `json:"artifacts"`
}

func gitlab(t *testing.T) (memcheck, gate gitlabJob) {
	t.Helper()
	var file struct {
		Stages   []string  `json:"stages"`
		Base     gitlabJob `json:".cgogrind"`
		Memcheck gitlabJob `json:"memcheck"`
		Gate     gitlabJob `json:"gate"`
	}
	strict(t, read(t, "gitlab/cgogrind.gitlab-ci.yml"), &file)
	for _, job := range []gitlabJob{file.Memcheck, file.Gate} {
		if job.Extends != ".cgogrind" || !slices.Contains(file.Stages, job.Stage) || len(job.Script) == 0 {
			t.Errorf("%+v", job)
		}
	}
	if len(file.Base.Cache.Key.Files) > 2 {
		t.Errorf("GitLab takes at most two files for the cache's key: %s", file.Base.Cache.Key.Files)
	}
	return file.Memcheck, file.Gate
}

func TestGitLab(t *testing.T) {
	memcheck, gate := gitlab(t)
	if memcheck.Parallel < 2 || memcheck.Artifacts.When != "always" || gate.When != "always" ||
		gate.Artifacts.Reports.JUnit == "" {
		t.Errorf("%+v\n%+v", memcheck, gate)
	}
}

// kubernetes returns the Jobs of the templates, by name.
func kubernetes(t *testing.T) map[string]batchv1.Job {
	t.Helper()
	jobs := map[string]batchv1.Job{}
	claims := map[string]bool{}
	for _, name := range []string{"kubernetes/memcheck.yaml", "kubernetes/gate.yaml"} {
		for _, doc := range strings.Split(string(read(t, name)), "\n---\n") {
			var kind struct{ Kind, APIVersion string }
			if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
				t.Fatal(err)
			}
			switch kind.APIVersion + " " + kind.Kind {
			case "v1 PersistentVolumeClaim":
				var c corev1.PersistentVolumeClaim
				strict(t, []byte(doc), &c)
				claims[c.Name] = true
			case "batch/v1 Job":
				var j batchv1.Job
				strict(t, []byte(doc), &j)
				jobs[j.Name] = j
			default:
				t.Errorf("%s: %s %s", name, kind.APIVersion, kind.Kind)
			}
		}
	}
	for name, j := range jobs {
		for _, v := range j.Spec.Template.Spec.Volumes {
			if v.PersistentVolumeClaim == nil || !claims[v.PersistentVolumeClaim.ClaimName] {
				t.Errorf("%s: volume %+v", name, v)
			}
		}
		for _, c := range j.Spec.Template.Spec.Containers {
			for _, m := range c.VolumeMounts {
				mounted := func(v corev1.Volume) bool { return v.Name == m.Name }
				if !slices.ContainsFunc(j.Spec.Template.Spec.Volumes, mounted) {
					t.Errorf("%s: there is no volume %s", name, m.Name)
				}
			}
		}
	}
	return jobs
}

func TestKubernetes(t *testing.T) {
	jobs := kubernetes(t)
	memcheck, gate := jobs["cgogrind-memcheck"], jobs["cgogrind-gate"]
	spec := memcheck.Spec
	if spec.CompletionMode == nil || *spec.CompletionMode != batchv1.IndexedCompletion || spec.Completions == nil ||
		spec.Parallelism == nil || *spec.Parallelism > *spec.Completions || spec.BackoffLimitPerIndex == nil {
		t.Fatalf("%+v", spec)
	}
	if spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever ||
		gate.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Error("a pod failure policy needs restartPolicy Never")
	}
	c := spec.Template.Spec.Containers[0]
	if want := []corev1.EnvVar{{Name: "CGOGRIND_SHARDS", Value: "8"}}; !slices.Equal(c.Env, want) ||
		*spec.Completions != 8 {
		t.Errorf("%d completions with %v", *spec.Completions, c.Env)
	}
	rule := spec.PodFailurePolicy.Rules[0]
	if *rule.OnExitCodes.ContainerName != c.Name || rule.Action != batchv1.PodFailurePolicyActionFailIndex {
		t.Errorf("%+v", rule)
	}
}

// The Containerfile builds from the module's root, and its commands are known to build tools by their first words.
func TestContainerfile(t *testing.T) {
	text := strings.ReplaceAll(string(read(t, "Containerfile")), "\\\n", "")
	var words []string
	for line := range strings.Lines(text) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word != "" && word != "#" {
			words = append(words, word)
		}
	}
	want := []string{"FROM", "RUN", "ARG", "RUN", "WORKDIR", "COPY", "RUN", "COPY", "RUN"}
	if !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
}

// every script of the templates is one of those that TestCommands runs; set-up apart, that needs root and a network.
func TestEveryTemplateIsChecked(t *testing.T) {
	var names []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "check" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, "../"))
		}
		return err
	})
	want := []string{"Containerfile", "README.md", "github/actions/cgogrind/action.yml", "github/workflows/cgogrind.yml",
		"gitlab/cgogrind.gitlab-ci.yml", "kubernetes/gate.yaml", "kubernetes/memcheck.yaml", "release-gate"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v; want %q", names, err, want)
	}
}

// place is a module's folder, and the environment in which commands of templates run there.
type place struct {
	dir string
	env []string
}

// newPlace makes a module with a leak that the baseline knows, and cgogrind on PATH.
func newPlace(t *testing.T) *place {
	t.Helper()
	for _, program := range []string{"valgrind", "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "./harness/cmd/cgogrind")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building cgogrind: %v\n%s", err, out)
	}
	p := &place{dir: t.TempDir()}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "GITHUB_") && !strings.HasPrefix(name, "CI") {
			p.env = append(p.env, kv)
		}
	}
	p.env = append(p.env, "PATH="+bin+":"+os.Getenv("PATH"), "GOFLAGS=", "GOTOOLCHAIN=local")
	p.write(t, "go.mod", "module example.com/m\n\ngo 1.25\n")
	p.write(t, "cgogrind.toml", "[test]\npackages = [\"./...\"]\n")
	p.write(t, "p.go", good)
	p.write(t, "p_test.go", `package p

import "testing"

func TestLeak(t *testing.T) { Leak() }

func TestFree(t *testing.T) { Free() }

func TestClean(t *testing.T) {}

func TestOther(t *testing.T) {}
`)
	return p
}

const good = `package p

// #include <stdlib.h>
import "C"
import "unsafe"

func Leak() { C.CString("known") }

func Free() {
	p := C.CString("freed")
	C.free(unsafe.Pointer(p))
}
`

// bad frees twice.
var bad = strings.Replace(good, "\tC.free(unsafe.Pointer(p))\n", strings.Repeat("\tC.free(unsafe.Pointer(p))\n", 2), 1)

func (p *place) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// run runs a script as its CI system does and checks its exit code.
func (p *place) run(t *testing.T, code int, script string, env ...string) string {
	t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script, "script")
	cmd.Dir = p.dir
	cmd.Env = append(slices.Clone(p.env), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit code %d, want %d\n%s\n%s", got, code, script, out)
	}
	return string(out)
}

func (p *place) exists(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(p.dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The pre-release script stops a release with a planted regression, and lets the one before it pass.
func TestReleaseGate(t *testing.T) {
	p := newPlace(t)
	script, err := filepath.Abs("../release-gate")
	if err != nil {
		t.Fatal(err)
	}
	if out := p.run(t, 3, script); !strings.Contains(out, "release-gate: stopped") {
		t.Errorf("without a baseline:\n%s", out)
	}
	p.run(t, 0, "cgogrind gate --baseline=cgogrind.baseline --update --reason='known' cgogrind-report/run.jsonl")
	if out := p.run(t, 0, script); !strings.HasSuffix(out, "release-gate: the release may go\n") {
		t.Errorf("the good release:\n%s", out)
	}
	p.exists(t, "cgogrind-report/run.jsonl", "cgogrind-report/report.html", "cgogrind-report/junit.xml")
	p.write(t, "p.go", bad)
	out := p.run(t, 3, script)
	if !strings.Contains(out, "gate: 1 new, 1 known, 0 fixed, 0 not run") || !strings.Contains(out, "InvalidFree") ||
		!strings.Contains(out, "release-gate: stopped") {
		t.Errorf("the bad release:\n%s", out)
	}
	p.write(t, "p.go", strings.Replace(good, `C.CString("known")`, "", 1))
	if out := p.run(t, 1, script); !strings.Contains(out, "  fixed ") {
		t.Errorf("a release that fixes what the baseline has still:\n%s", out)
	}
	p.write(t, "p.go", "package p\n")
	p.run(t, 2, script)
	p.run(t, 0, script+" --help")
}

// Without a configuration all packages are tested, not those alone that have tests in the folder that CI begins in; with
// one, under either name, those that it names.
func TestPackages(t *testing.T) {
	bin, args := t.TempDir(), filepath.Join(t.TempDir(), "args")
	fake := "#!/bin/bash\nfor a; do case $a in --stream=*) : >\"${a#--stream=}\" ;; esac; done\n[ \"$1\" != test ] || echo \"$@\" >" + args + "\n"
	if err := os.WriteFile(filepath.Join(bin, "cgogrind"), []byte(fake), 0o777); err != nil {
		t.Fatal(err)
	}
	gate, err := filepath.Abs("../release-gate")
	if err != nil {
		t.Fatal(err)
	}
	memcheck, _ := gitlab(t)
	action := githubAction(t).run(t, "Test").Run
	pod := kubernetes(t)["cgogrind-memcheck"].Spec.Template.Spec.Containers[0].Args[0]
	for _, config := range []string{"", "cgogrind.toml", ".cgogrind.toml"} {
		p := &place{dir: t.TempDir(), env: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))}
		if config != "" {
			p.write(t, config, "[test]\npackages = [\"./lib\"]\n")
		}
		for name, c := range map[string]struct {
			script string
			env    []string
		}{
			"GitHub":       {action, []string{"PACKAGES=", "SHARD=1/2", "STREAM=cgogrind.jsonl", "GITHUB_OUTPUT=/dev/null"}},
			"GitLab":       {strings.Join(memcheck.Script, "\n"), []string{"CI_NODE_INDEX=1"}},
			"Kubernetes":   {strings.ReplaceAll(pod, "/results/", p.dir+"/"), []string{"JOB_COMPLETION_INDEX=0"}},
			"release-gate": {gate, nil},
		} {
			p.run(t, 0, c.script, c.env...)
			text, err := os.ReadFile(args)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.HasSuffix(string(text), " ./...\n"); all != (config == "") {
				t.Errorf("%s, configuration %q: cgogrind %s", name, config, text)
			}
		}
	}
}

// The commands of the CI systems, on two shards each: a bad change is stopped, and nothing is lost on the way.
func TestCommands(t *testing.T) {
	p := newPlace(t)
	p.write(t, "p.go", bad)

	t.Run("GitHub", func(t *testing.T) {
		test := githubAction(t).run(t, "Test").Run
		for _, shard := range []string{"1", "2"} {
			folder := "shards/cgogrind-" + shard
			if err := os.MkdirAll(filepath.Join(p.dir, folder), 0o777); err != nil {
				t.Fatal(err)
			}
			p.run(t, 0, test, "PACKAGES=", "SHARD="+shard+"/2", "STREAM="+folder+"/cgogrind.jsonl",
				"GITHUB_OUTPUT="+p.dir+"/output")
			p.exists(t, folder+"/cgogrind.jsonl")
		}
		p.exists(t, "output")
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct{ Name, Run string }
			}
		}
		if err := yaml.Unmarshal(read(t, "github/workflows/cgogrind.yml"), &workflow); err != nil {
			t.Fatal(err)
		}
		for _, s := range workflow.Jobs["gate"].Steps {
			switch s.Name {
			case "Merge":
				p.run(t, 0, s.Run)
				p.exists(t, "merged.jsonl")
			case "Gate":
				p.run(t, 3, s.Run, "GITHUB_STEP_SUMMARY="+p.dir+"/summary.md")
				p.exists(t, "cgogrind.sarif", "cgogrind.html", "summary.md")
			}
		}
	})

	t.Run("GitLab", func(t *testing.T) {
		memcheck, gate := gitlab(t)
		for _, i := range []string{"1", "2"} {
			p.run(t, 0, strings.Join(memcheck.Script, "\n"), "CI_NODE_INDEX="+i, "CI_NODE_TOTAL=2")
			p.exists(t, "cgogrind-"+i+".jsonl")
		}
		p.run(t, 3, strings.Join(gate.Script, "\n"))
		p.exists(t, "merged.jsonl", "junit.xml", "cgogrind.html")
	})

	t.Run("Kubernetes", func(t *testing.T) {
		jobs := kubernetes(t)
		results := filepath.Join(p.dir, "results")
		if err := os.Mkdir(results, 0o777); err != nil {
			t.Fatal(err)
		}
		script := func(job string) string {
			c := jobs[job].Spec.Template.Spec.Containers[0]
			if !slices.Equal(c.Command, []string{"bash", "-euc"}) || len(c.Args) != 1 {
				t.Fatalf("%q %q", c.Command, c.Args)
			}
			return strings.ReplaceAll(c.Args[0], "/results/", results+"/")
		}
		p.run(t, 0, script("cgogrind-memcheck"), "JOB_COMPLETION_INDEX=0", "CGOGRIND_SHARDS=2")
		p.exists(t, "results/shard-0.jsonl")
		// One pod is missing: the new finding may be in its part.
		out := p.run(t, 4, "cgogrind gate --allow package=... results/shard-*.jsonl")
		if !strings.Contains(out, "shard 2 of 2") {
			t.Errorf("a shard is missing:\n%s", out)
		}
		p.run(t, 0, script("cgogrind-memcheck"), "JOB_COMPLETION_INDEX=1", "CGOGRIND_SHARDS=2")
		p.run(t, 3, script("cgogrind-gate"))
		p.exists(t, "results/merged.jsonl", "results/junit.xml", "results/cgogrind.html")
	})

	t.Run("Containerfile", func(t *testing.T) {
		_, command, found := strings.Cut(string(read(t, "Containerfile")), "\nRUN cgogrind ")
		if !found {
			t.Fatal("it does not run cgogrind")
		}
		p.run(t, 0, "cgogrind "+strings.TrimSpace(command))
	})
}
