package report

import (
	"cmp"
	"iter"
	"slices"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Store keeps findings in little memory: their frames are mostly the same ones. A hundred thousand findings take less
// than a tenth of what they take as messages. Its zero value is ready to use. The formats of one report may share a store:
// see Sharer.
type Store struct {
	shared  bool
	last    *result.Finding // that was added
	frames  []result.Frame
	frameOf map[result.Frame]uint32
	strings map[string]string
	kept    []keptFinding
}

type keptFinding struct {
	finding result.Finding // without its frames
	blame   uint32         // a frame's number and 1; 0 if there is none
	caller  uint32         // the same
	other   uint32         // the same
	stacks  []keptStack
}

type keptStack struct {
	label  string
	frames []uint32
}

// Sharer is a format that keeps all findings in a store, and may do so in one that it shares with others.
type Sharer interface {
	// Share is called before the first message. Whoever else shares the store is given the same messages.
	Share(*Store)
}

// NewShared returns a store for several formats, each of which adds all findings, one finding after the other.
func NewShared() *Store { return &Store{shared: true} }

// Add keeps a copy of a finding and returns its number, from 0. A shared store keeps it once.
func (s *Store) Add(f *result.Finding) int {
	if s.shared {
		if f == s.last {
			return len(s.kept) - 1
		}
		s.last = f
	}
	k := keptFinding{finding: *f}
	k.blame, k.caller, k.other = s.optional(f.Blame), s.optional(f.Caller), s.optional(f.Other)
	if len(f.Stacks) > 0 {
		k.stacks = make([]keptStack, len(f.Stacks))
	}
	for i, stack := range f.Stacks {
		k.stacks[i] = keptStack{s.intern(stack.Label), make([]uint32, len(stack.Frames))}
		for j := range stack.Frames {
			k.stacks[i].frames[j] = s.Frame(&stack.Frames[j])
		}
	}
	k.finding.Blame, k.finding.Caller, k.finding.Other, k.finding.Stacks = nil, nil, nil, nil
	k.finding.Kind, k.finding.Package = s.intern(f.Kind), s.intern(f.Package)
	k.finding.Message, k.finding.Hint = s.intern(f.Message), s.intern(f.Hint)
	k.finding.Tests = make([]string, len(f.Tests))
	for i, t := range f.Tests {
		k.finding.Tests[i] = s.intern(t)
	}
	k.finding.Test, k.finding.Cause = s.intern(f.Test), s.intern(f.Cause)
	s.kept = append(s.kept, k)
	return len(s.kept) - 1
}

// optional is a frame's number and 1, 0 for none.
func (s *Store) optional(f *result.Frame) uint32 {
	if f == nil {
		return 0
	}
	return s.Frame(f) + 1
}

// Frame returns the number of a frame, from 0: equal frames have the same.
func (s *Store) Frame(f *result.Frame) uint32 {
	if n, ok := s.frameOf[*f]; ok {
		return n
	}
	if s.frameOf == nil {
		s.frameOf = make(map[result.Frame]uint32)
	}
	own := *f
	own.Function, own.Name, own.File, own.Object, own.Source =
		s.intern(f.Function), s.intern(f.Name), s.intern(f.File), s.intern(f.Object), s.intern(f.Source)
	n := uint32(len(s.frames))
	s.frames = append(s.frames, own)
	s.frameOf[own] = n
	return n
}

// intern returns a string that is equal to text and kept once.
func (s *Store) intern(text string) string {
	if own, ok := s.strings[text]; ok {
		return own
	}
	if s.strings == nil {
		s.strings = make(map[string]string)
	}
	s.strings[text] = text
	return text
}

// Len is the number of findings.
func (s *Store) Len() int { return len(s.kept) }

// Finding returns finding number i, whole. Changes to it are not kept.
func (s *Store) Finding(i int) *result.Finding {
	k := &s.kept[i]
	f := k.finding
	for _, o := range []struct {
		to *(*result.Frame)
		n  uint32
	}{{&f.Blame, k.blame}, {&f.Caller, k.caller}, {&f.Other, k.other}} {
		if o.n > 0 {
			frame := s.frames[o.n-1]
			*o.to = &frame
		}
	}
	f.Stacks = make([]result.Stack, len(k.stacks))
	for i, stack := range k.stacks {
		frames := make([]result.Frame, len(stack.frames))
		for j, n := range stack.frames {
			frames[j] = s.frames[n]
		}
		f.Stacks[i] = result.Stack{Label: stack.label, Frames: frames}
	}
	return &f
}

// Brief returns finding number i without its frames. Changes to it are kept.
func (s *Store) Brief(i int) *result.Finding { return &s.kept[i].finding }

// Frames returns all frames, by their numbers. They are not to be changed.
func (s *Store) Frames() []result.Frame { return s.frames }

// Places returns the numbers of the frames that finding number i points to, each -1 if there is none.
func (s *Store) Places(i int) (blame, caller, other int) {
	k := &s.kept[i]
	return int(k.blame) - 1, int(k.caller) - 1, int(k.other) - 1
}

// Stacks returns the labels of the stacks of finding number i, and the numbers of their frames.
func (s *Store) Stacks(i int) (labels []string, frames [][]uint32) {
	k := &s.kept[i]
	for _, stack := range k.stacks {
		labels, frames = append(labels, stack.label), append(frames, stack.frames)
	}
	return labels, frames
}

// All returns the findings in the order in which they were added.
func (s *Store) All() iter.Seq[*result.Finding] {
	return func(yield func(*result.Finding) bool) {
		for i := range s.kept {
			if !yield(s.Finding(i)) {
				return
			}
		}
	}
}

// Group puts findings together that have one cause, by their numbers: in each group the one first that came first. It
// keeps their order and that of the groups. Equal fingerprints are one defect, in whichever packages.
func (s *Store) Group(findings []int) [][]int {
	groups := make([][]int, 0, len(findings))
	groupOf := make(map[string]int, len(findings))
	single := make([]int, len(findings)) // nearly all groups have one
	for k, i := range findings {
		f := s.Brief(i)
		cause := Cause(f)
		g, ok := groupOf[cause]
		switch {
		case !ok || cause == "":
			groupOf[cause] = len(groups)
			single[k] = i
			groups = append(groups, single[k:k+1:k+1])
		case f.Cause == "" && s.Brief(groups[g][0]).Cause != "":
			groups[g] = slices.Insert(groups[g], 0, i)
		default:
			groups[g] = append(groups[g], i)
		}
	}
	return groups
}

// Some returns findings by their numbers.
func (s *Store) Some(numbers []int) []*result.Finding {
	var out []*result.Finding
	for _, i := range numbers {
		out = append(out, s.Finding(i))
	}
	return out
}

// New returns the numbers of the new findings.
func (s *Store) New() []int {
	var out []int
	for i := range s.kept {
		if IsNew(s.Brief(i)) {
			out = append(out, i)
		}
	}
	return out
}

// Cause is what findings of one group have in common: the fingerprint of the one that came first.
func Cause(f *result.Finding) string { return cmp.Or(f.Cause, f.Fingerprint) }
