package report

import (
	"iter"

	"github.com/cgogrind/cgogrind/harness/result"
)

// Store keeps findings in little memory: their frames are mostly the same ones. A hundred thousand findings take less
// than a tenth of what they take as messages. Its zero value is ready to use.
type Store struct {
	frames  []result.Frame
	frameOf map[result.Frame]uint32
	strings map[string]string
	kept    []keptFinding
}

type keptFinding struct {
	finding result.Finding // without its stacks and its blame
	blame   uint32         // a frame's number and 1; 0 if there is none
	stacks  []keptStack
}

type keptStack struct {
	label  string
	frames []uint32
}

// Add keeps a copy of a finding and returns its number, from 0.
func (s *Store) Add(f *result.Finding) int {
	k := keptFinding{finding: *f}
	if f.Blame != nil {
		k.blame = s.Frame(f.Blame) + 1
	}
	if len(f.Stacks) > 0 {
		k.stacks = make([]keptStack, len(f.Stacks))
	}
	for i, stack := range f.Stacks {
		k.stacks[i] = keptStack{s.intern(stack.Label), make([]uint32, len(stack.Frames))}
		for j := range stack.Frames {
			k.stacks[i].frames[j] = s.Frame(&stack.Frames[j])
		}
	}
	k.finding.Blame, k.finding.Stacks = nil, nil
	k.finding.Kind, k.finding.Package = s.intern(f.Kind), s.intern(f.Package)
	k.finding.Message, k.finding.Hint = s.intern(f.Message), s.intern(f.Hint)
	k.finding.Tests = make([]string, len(f.Tests))
	for i, t := range f.Tests {
		k.finding.Tests[i] = s.intern(t)
	}
	k.finding.Test = s.intern(f.Test)
	s.kept = append(s.kept, k)
	return len(s.kept) - 1
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
	own.Function, own.File, own.Object, own.Source =
		s.intern(f.Function), s.intern(f.File), s.intern(f.Object), s.intern(f.Source)
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
	if k.blame > 0 {
		blame := s.frames[k.blame-1]
		f.Blame = &blame
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

// Brief returns finding number i without its stacks and its blame. Changes to it are kept.
func (s *Store) Brief(i int) *result.Finding { return &s.kept[i].finding }

// Frames returns all frames, by their numbers. They are not to be changed.
func (s *Store) Frames() []result.Frame { return s.frames }

// Stacks returns the numbers of the frame that finding number i is blamed on, -1 if there is none, and of those in its
// stacks.
func (s *Store) Stacks(i int) (blame int, labels []string, frames [][]uint32) {
	k := &s.kept[i]
	for _, stack := range k.stacks {
		labels, frames = append(labels, stack.label), append(frames, stack.frames)
	}
	return int(k.blame) - 1, labels, frames
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
