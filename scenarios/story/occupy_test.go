package story_test

import (
	"runtime"

	"github.com/cgogrind/cgogrind/scenarios/story"
)

// occupy calls f on a thread, in a goroutine that keeps this thread until release is called. The caller waits in the
// meantime, so that the thread is free, and goes on on another one.
func occupy(thread int, f func()) (release func()) {
	done := make(chan struct{})
	for {
		found := make(chan bool)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			here := story.Thread() == thread
			if here {
				f()
			}
			found <- here
			<-done // on another thread, this goroutine is in nobody's way
		}()
		if <-found {
			return func() { close(done) }
		}
	}
}
